import type { Evbuffer } from 'evbuffer';
import { validate } from 'evbuffer/debug';
import type { Bufferevent } from '../bufferevent.js';
import type { BuffereventEvent, BuffereventHandlers } from '../events.js';

/** One line for an event: `eof`, `error write EPIPE`, `timeout read`. */
export function describeEvent(event: BuffereventEvent): string {
  if (event.kind === 'timeout') return `timeout ${event.timeout}`;
  if (event.kind !== 'error') return event.kind;
  const { code } = event.error as { code?: string };
  return `error ${event.direction ?? 'connect'} ${code ?? event.error.message}`;
}

/** One end under test: what it is called with is written down, and held against what is true of every bufferevent. */
export class Probe {
  readonly bev: Bufferevent;
  readonly name: string;
  /** A line for each callback: `read 5` and `write 0` with the length of the buffer, and events. */
  readonly log: string[] = [];
  /** Broken rules, a line each, that begin with the id. */
  readonly violations: string[] = [];
  readonly #taken: Uint8Array[] = [];
  #takenBytes = 0;
  #error: BuffereventEvent | null = null;
  /** All bytes that had been seen at the end. */
  #endedAt = Infinity;

  constructor(name: string, bev: Bufferevent) {
    this.name = name;
    this.bev = bev;
  }

  /** Handlers that write a line, check what holds always, and go on to those that were given. */
  handlers(then: BuffereventHandlers = {}): Required<BuffereventHandlers> {
    return {
      onRead: (bev) => {
        this.#note(bev, `read ${bev.input.length}`);
        then.onRead?.(bev);
      },
      onWrite: (bev) => {
        this.#note(bev, `write ${bev.output.length}`);
        then.onWrite?.(bev);
      },
      onEvent: (bev, event) => {
        this.#note(bev, describeEvent(event));
        if (event.kind === 'error') this.#error = event;
        if (event.kind === 'eof') this.#endedAt = Math.min(this.#endedAt, this.#seenBytes);
        then.onEvent?.(bev, event);
      },
    };
  }

  /** Sets {@link handlers}. */
  record(then?: BuffereventHandlers): this {
    this.bev.setHandlers(this.handlers(then));
    return this;
  }

  /** Takes all that comes, and reads. */
  collect(then: BuffereventHandlers = {}): this {
    this.record({
      ...then,
      onRead: (bev) => {
        this.take();
        then.onRead?.(bev);
      },
    });
    this.bev.enable('read');
    return this;
  }

  /** Takes bytes out of the input and remembers them. */
  take(count: number = this.bev.input.length): Uint8Array {
    return this.#keep(this.bev.input.remove(count));
  }

  /** Remembers bytes that a pull took. They left the input before this, perhaps before the end was told. */
  keepPulled(bytes: Uint8Array): void {
    this.#keep(bytes);
    this.#endedAt += bytes.length;
  }

  get takenBytes(): number {
    return this.#takenBytes;
  }

  /** All that was taken. */
  get taken(): Uint8Array {
    return Buffer.concat(this.#taken);
  }

  /** How often a callback of this kind ran: `read`, `write`, or an event as {@link describeEvent} puts it. */
  count(kind: string): number {
    return this.log.filter((line) => line === kind || line.startsWith(`${kind} `)).length;
  }

  /** The lengths that `onRead` saw in the input, or `onWrite` in the output. */
  lengths(kind: 'read' | 'write'): number[] {
    const pattern = new RegExp(`^${kind} (\\d+)$`);
    return this.log.flatMap((line) => pattern.exec(line)?.slice(1).map(Number) ?? []);
  }

  /** The events, without the reads and writes. */
  get events(): string[] {
    return this.log.filter((line) => !/^(?:read|write) \d+$/.test(line));
  }

  #keep(bytes: Uint8Array): Uint8Array {
    this.#taken.push(bytes);
    this.#takenBytes += bytes.length;
    return bytes;
  }

  get #seenBytes(): number {
    return this.#takenBytes + this.bev.input.length;
  }

  dump(): string {
    const { bev } = this;
    const state = bev.freed
      ? 'freed'
      : `input ${bev.input.length}, output ${bev.output.length}, enabled ${bev.enabled.join('+') || 'nothing'}`;
    return `${this.name}: ${state}, taken ${this.#takenBytes}, log: ${this.log.slice(-30).join(', ') || 'empty'}`;
  }

  /** Checks both buffers. */
  checkBuffers(): void {
    if (this.bev.freed) return;
    this.#checkBuffer('B27', this.bev.input);
    this.#checkBuffer('B27', this.bev.output);
  }

  #checkBuffer(rule: string, buffer: Evbuffer): void {
    try {
      validate(buffer);
    } catch (error) {
      this.violations.push(`${rule}: a buffer of ${this.name} is damaged: ${String(error)}`);
    }
  }

  #note(bev: Bufferevent, line: string): void {
    const broken = (rule: string): void => void this.violations.push(`${rule}: ${this.name} got ${line}`);
    if (bev !== this.bev) broken('B7: handlers are called with another object than theirs');
    if (bev.freed) broken('FR-1: called after free');
    if (this.#seenBytes > this.#endedAt) broken('RD-8: bytes after the end');
    if (this.#error?.kind === 'error' && !isToldAfterFailedSend(this.#error, line))
      broken('EV-1: called after an error');
    this.log.push(line);
    this.checkBuffers();
  }
}

/** After a failed send, what the peer sent before is still of interest, and so is its end (B40). */
function isToldAfterFailedSend(error: { readonly direction?: string }, line: string): boolean {
  return error.direction === 'write' && /^(?:read|eof|timeout read|error connect)/.test(line);
}
