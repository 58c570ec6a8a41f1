import { getSystemErrorName } from 'node:util';
import type { Backend, CompletionSink, PortOptions } from 'bufferevent-backend';
import { type NativeBinding, NativePort, type NativePortStats } from 'bufferevent-backend/native';
import { COUNTERS, CounterIndex } from 'bufferevent-backend/ring';

/** Options of a port of `epollBackend`. */
export interface EpollPortOptions extends PortOptions {}

/** System calls made since the port was made, by kind. */
export interface SystemCalls {
  /** `epoll_wait`. */
  readonly waits: number;
  /** `epoll_ctl`. */
  readonly controls: number;
  /** `recv`. */
  readonly reads: number;
  /** `send`, `sendmsg` and `sendfile`. */
  readonly writes: number;
  /** `accept4`. */
  readonly accepts: number;
}

export interface EpollPortStats extends NativePortStats {
  readonly systemCalls: SystemCalls;
}

/** A port over epoll. */
export class EpollPort extends NativePort {
  readonly #counters: Float64Array;

  constructor(
    backend: Backend<EpollPortOptions>,
    binding: NativeBinding,
    sink: CompletionSink,
    options: EpollPortOptions = {},
  ) {
    const counters = new Float64Array(COUNTERS);
    super(backend, { binding, counters, openCall: 'epoll_create1', rawCode: getSystemErrorName }, sink, options);
    this.#counters = counters;
  }

  override stats(): EpollPortStats {
    const of = (name: keyof SystemCalls): number => this.#counters[CounterIndex[name]] as number;
    return {
      ...super.stats(),
      systemCalls: {
        waits: of('waits'),
        controls: of('controls'),
        reads: of('reads'),
        writes: of('writes'),
        accepts: of('accepts'),
      },
    };
  }
}
