import { getSystemErrorName } from 'node:util';
import type { Backend, CompletionSink, PortOptions } from 'bufferevent-backend';
import { type NativeBinding, NativePort, type NativePortStats } from 'bufferevent-backend/native';
import { COUNTERS } from 'bufferevent-backend/ring';

/** Options of a port of `epollBackend`. */
export interface EpollPortOptions extends PortOptions {}

/**
 * Waits are calls of `epoll_wait`, controls of `epoll_ctl`, reads of `recv`, writes of `send`, `sendmsg` and `sendfile`,
 * accepts of `accept4`.
 */
export interface EpollPortStats extends NativePortStats {}

/** A port over epoll. */
export class EpollPort extends NativePort {
  constructor(
    backend: Backend<EpollPortOptions>,
    binding: NativeBinding,
    sink: CompletionSink,
    options: EpollPortOptions = {},
  ) {
    const counters = new Float64Array(COUNTERS);
    super(backend, { binding, counters, openCall: 'epoll_create1', rawCode }, sink, options);
  }
}

/** The name of what the system said, also where the result is another. */
function rawCode(result: number, code: number): string {
  return getSystemErrorName(code === 0 ? result : code);
}
