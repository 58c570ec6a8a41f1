import { type Backend, type CompletionSink, errnoName, type PortOptions } from 'bufferevent-backend';
import { type NativeBinding, NativePort, type NativePortStats } from 'bufferevent-backend/native';
import { COUNTERS } from 'bufferevent-backend/ring';
import type { IocpBinding } from './binding.js';

/** Options of a port of `iocpBackend`. */
export interface IocpPortOptions extends PortOptions {}

/**
 * Waits are calls of `GetQueuedCompletionStatusEx` that brought something, controls of `ConnectEx` and `CancelIoEx`, reads of
 * `WSARecv`, those that only wait with no memory included, writes of `WSASend` and `TransmitFile`, accepts of `AcceptEx`.
 */
export interface IocpPortStats extends NativePortStats {}

/** A port over a completion port. */
export class IocpPort extends NativePort {
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
  }
}

/** The number that Windows gave, or the name of what the port found out by itself. */
function rawCode(result: number, code: number): string | number {
  return code === 0 ? errnoName(result) : code;
}
