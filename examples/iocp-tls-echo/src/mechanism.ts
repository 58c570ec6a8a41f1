import type { CompletionSink, Port } from 'bufferevent-backend';
import { epollBackend } from 'bufferevent-epoll';

/** The port of this system: completions of `epoll` on Linux, which has no threads to wait with. */
export function openPort(sink: CompletionSink, _threads: number): Port {
  return epollBackend.createPort(sink);
}
