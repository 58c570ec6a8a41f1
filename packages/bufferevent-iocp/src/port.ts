import { type Backend, type CompletionSink, checkInteger, errnoName, type PortOptions } from 'bufferevent-backend';
import { type NativeBinding, NativePort, type NativePortStats } from 'bufferevent-backend/native';
import { COUNTERS, CounterIndex } from 'bufferevent-backend/ring';
import type { IocpBinding } from './binding.js';

const MAX_THREADS = 64;

/** Options of a port of `iocpBackend`. */
export interface IocpPortOptions extends PortOptions {
  /**
   * Threads that wait for the system, 1 to 64. Default 1. They only carry what has finished to the thread of JavaScript;
   * each stream stays in order with any number of them (C3).
   */
  readonly threads?: number;
}

/** System calls made since the port was made, by kind. */
export interface SystemCalls {
  /** `GetQueuedCompletionStatusEx` calls that brought something. */
  readonly waits: number;
  /** `ConnectEx`, `CancelIoEx`, and polls for the end of a peer. */
  readonly controls: number;
  /** `WSARecv`, those that only wait with no memory included. */
  readonly reads: number;
  /** `WSASend` and `TransmitFile`. */
  readonly writes: number;
  /** `AcceptEx`. */
  readonly accepts: number;
}

export interface IocpPortStats extends NativePortStats {
  readonly systemCalls: SystemCalls;
}

/** A port over a completion port. */
export class IocpPort extends NativePort {
  readonly #counters: Float64Array;

  constructor(
    backend: Backend<IocpPortOptions>,
    binding: IocpBinding,
    sink: CompletionSink,
    options: IocpPortOptions = {},
  ) {
    const { threads = 1 } = options;
    checkInteger('options.threads', threads, 1, MAX_THREADS);
    const counters = new Float64Array(COUNTERS);
    const open: NativeBinding['open'] = (...words) => binding.open(...words, threads);
    super(backend, { binding: { ...binding, open }, counters, openCall: 'CreateIoCompletionPort', rawCode }, sink, options);
    this.#counters = counters;
  }

  override stats(): IocpPortStats {
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

/** The number that Windows gave, or the name of what the port found out by itself. */
function rawCode(result: number, code: number): string | number {
  return code === 0 ? errnoName(result) : code;
}
