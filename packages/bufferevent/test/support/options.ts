// A backend that notes which options streams and listeners get, and when something is sent.
import type { Address, Backend, Handle, ListenOptions, Port, Segment, StreamOptions } from 'bufferevent-backend';
import { PortDecorator } from 'bufferevent-backend/memory';

export interface NotedBackend {
  readonly backend: Backend;
  /** `noDelay true 0` for an option with its result, `send`, `listen {"deferAccept":true}`. */
  readonly log: string[];
}

/** `below` with a note of each option. With `supports`, a backend that can more; what `below` can't is not passed on. */
export function noteOptions(below: Backend, supports: Partial<Backend['supports']> = {}): NotedBackend {
  const log: string[] = [];
  const backend: Backend = {
    ...below,
    supports: { ...below.supports, ...supports },
    createPort: (sink, options) => new NotingPort(backend, below.createPort(sink, options), log),
  };
  return { backend, log };
}

class NotingPort extends PortDecorator {
  readonly #log: string[];

  constructor(backend: Backend, below: Port, log: string[]) {
    super(backend, below);
    this.#log = log;
  }

  override listen(address: Address, options: ListenOptions = {}): Handle {
    this.#log.push(`listen ${JSON.stringify(options)}`);
    const { deferAccept, ...passed } = options;
    return super.listen(address, this.below.backend.supports.deferAccept ? options : passed);
  }

  override send(stream: Handle, segments: readonly Segment[], count?: number): void {
    this.#log.push('send');
    super.send(stream, segments, count);
  }

  override setOption<Name extends keyof StreamOptions>(stream: Handle, name: Name, value: StreamOptions[Name]): number {
    const result = super.setOption(stream, name, value);
    this.#log.push(`${name} ${value} ${result}`);
    return result;
  }
}
