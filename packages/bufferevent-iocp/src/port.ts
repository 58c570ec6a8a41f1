import { type Backend, type CompletionSink, errnoName, type PortOptions } from 'bufferevent-backend';
import { type NativeBinding, NativePort, type NativePortStats } from 'bufferevent-backend/native';
import { COUNTERS, CounterIndex } from 'bufferevent-backend/ring';
import type { IocpBinding } from './binding.js';

/** Options of a port of `iocpBackend`. */
export interface IocpPortOptions extends PortOptions {}

/** System calls made since the port was made, by kind. */
export interface SystemCalls {
  /** `GetQueuedCompletionStatusEx` calls that brought something. */
  readonly waits: number;
  /** `ConnectEx` and `CancelIoEx`. */
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
    backend: Backend,
    binding: IocpBinding,
    threads: number,
    sink: CompletionSink,
    options: IocpPortOptions = {},
  ) {
    const counters = new Float64Array(COUNTERS);
    const open: NativeBinding['open'] = (...words) => binding.open(...words, threads);
    super(
      backend,
      { binding: { ...binding, open }, counters, openCall: 'CreateIoCompletionPort', rawCode },
      sink,
      options,
    );
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
