import { epollBackend } from 'bufferevent-epoll';
import { describe } from 'vitest';
import { type ServeProcess, startServer } from './echo-process.js';
import { isRequired } from './tools.js';

const reason = epollBackend.unavailabilityReason();

/** What `--backend auto` means here. */
export const fastest: string = reason === null ? 'epoll' : 'net';

/** Names of the backends that tests run on here. */
export const backends: readonly string[] =
  reason === null || isRequired(`epoll, which is not available: ${reason}`) ? ['net', 'epoll'] : ['net'];

/** Runs a group of tests against a server on each backend. */
export function onEveryBackend(
  name: string,
  body: (start: (...words: string[]) => Promise<ServeProcess>, backend: string) => void,
): void {
  for (const backend of backends) {
    describe(`${name} on ${backend}`, () => body((...words) => startServer('--backend', backend, ...words), backend));
  }
}
