import type { CompletionSink, Port } from 'bufferevent-backend';
import { epollBackend } from 'bufferevent-epoll';
import { createIocpBackend } from 'bufferevent-iocp';

/** A port of this system: completion ports, where so many threads wait; elsewhere `epoll`, which needs none. */
export function openPort(sink: CompletionSink, threads: number): Port {
  const iocp = createIocpBackend({ threads });
  return (iocp.isAvailable() ? iocp : epollBackend).createPort(sink);
}
