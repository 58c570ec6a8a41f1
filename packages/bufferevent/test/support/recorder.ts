import type { Bufferevent, BuffereventEvent, BuffereventHandlers } from 'bufferevent';
import { validate } from 'evbuffer/debug';

/** One line of the log for an event, such as `error ECONNRESET read` or `timeout write`. */
export function describeEvent(event: BuffereventEvent): string {
  switch (event.kind) {
    case 'connected':
    case 'eof':
    case 'peer-closed':
      return event.kind;
    case 'error': {
      const { code } = event.error as { code?: string };
      return ['error', code ?? event.error.message, event.direction ?? ''].join(' ').trim();
    }
    case 'timeout':
      return `timeout ${event.timeout}`;
  }
}

/**
 * Handlers that write a line per callback (`server read 5`, `server write`, `server eof`), check both buffers, and
 * then call the handlers they were given.
 */
export function recorder(log: string[], name: string, then: BuffereventHandlers = {}): Required<BuffereventHandlers> {
  return {
    onRead(bev) {
      checkBuffers(bev);
      log.push(`${name} read ${bev.input.length}`);
      then.onRead?.(bev);
    },
    onWrite(bev) {
      checkBuffers(bev);
      log.push(`${name} write`);
      then.onWrite?.(bev);
    },
    onEvent(bev, event) {
      checkBuffers(bev);
      log.push(`${name} ${describeEvent(event)}`);
      then.onEvent?.(bev, event);
    },
  };
}

/** Handlers that take everything that comes; `bytes` counts it, `data()` joins it. */
export class Collector {
  readonly chunks: Uint8Array[] = [];
  bytes = 0;

  readonly take = (bev: Bufferevent): void => {
    const taken = bev.input.remove(bev.input.length);
    this.bytes += taken.length;
    this.chunks.push(taken);
  };

  get data(): Buffer {
    return Buffer.concat(this.chunks);
  }
}

export function checkBuffers(bev: Bufferevent): void {
  validate(bev.input);
  validate(bev.output);
}

/** How often a line occurs. */
export function count(log: readonly string[], line: string): number {
  return log.filter((entry) => entry === line).length;
}

/** The log without repetitions of the same kind in a row: `server read 4`, `server read 8` → `server read`. */
export function kinds(log: readonly string[]): string[] {
  return log.map((line) => line.replace(/ \d+$/, '')).filter((line, index, lines) => line !== lines[index - 1]);
}
