// Disposes of a port right after the second batch of a wake-up, with nothing else to keep the process alive.
import { epollBackend } from 'bufferevent-epoll';

let onBatch;
const nextBatch = () => new Promise((resolve) => (onBatch = resolve));
const port = epollBackend.createPort(() => onBatch());
const listeners = [1, 2].map(() => port.listen({ ip: '127.0.0.1', port: 0 }));
await nextBatch();
port.close(listeners[0]);
await nextBatch();
await port[Symbol.asyncDispose]();
console.log('disposed');
