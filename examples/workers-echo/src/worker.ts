// One thread: an event base of its own, and a listener that shares its port with those of the other threads.
import { type MessagePort, parentPort, workerData } from 'node:worker_threads';
import {
  type Bufferevent,
  type BuffereventEvent,
  type BuffereventHandlers,
  EventBase,
  type IpAddress,
  listen,
} from 'bufferevent';
import { epollBackend } from 'bufferevent-epoll';

export interface WorkerOptions {
  readonly port: number;
}

/** Sent when the worker listens, and when it has stopped. */
export interface WorkerReport {
  readonly port: number;
  /** Accepted so far. */
  readonly connections: number;
}

const main = parentPort as MessagePort;
const base = new EventBase({ backend: epollBackend });

const flowing: BuffereventHandlers = {
  onRead(bev) {
    if (!bev.write(bev.input)) bev.setHandlers(blocked);
  },
  onEvent,
};

/** The peer does not read: what it sends stays in the input, and then with the peer, until it does. */
const blocked: BuffereventHandlers = {
  onWrite(bev) {
    if (bev.write(bev.input)) bev.setHandlers(flowing);
  },
  onEvent,
};

function onEvent(bev: Bufferevent, { kind }: BuffereventEvent): void {
  if (kind !== 'eof') return bev.free();
  bev.write(bev.input);
  bev.setHandlers(null);
  void bev.end();
}

const { port } = workerData as WorkerOptions;
const listener = await listen({ ip: '127.0.0.1', port }, flowing, { base, reusePort: true });

function report(): void {
  const { port } = listener.address as IpAddress;
  const { accepted } = listener.stats();
  main.postMessage({ port, connections: accepted } satisfies WorkerReport);
}

main.once('message', async () => {
  await listener.close();
  report();
  await base[Symbol.asyncDispose]();
});
report();
