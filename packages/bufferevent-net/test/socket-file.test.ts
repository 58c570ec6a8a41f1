// Permissions of a socket file from its first moment on.
import { once } from 'node:events';
import { Worker } from 'node:worker_threads';
import { type CompletionBatch, Operation } from 'bufferevent-backend';
import { netBackend } from 'bufferevent-net';
import { expect, it } from 'vitest';
import { freshPath } from './harness.js';

/** Looks at the path all the time, as somebody who waits for a chance, and remembers every permission bit it saw. */
const watcher = `
  const { workerData: { path, seen } } = require('node:worker_threads');
  const { statSync } = require('node:fs');
  const words = new Int32Array(seen);
  while (Atomics.load(words, 0) !== 2) {
    const stats = statSync(path, { throwIfNoEntry: false });
    if (stats !== undefined) Atomics.or(words, 1, stats.mode & 0o777);
    Atomics.compareExchange(words, 0, 0, 1);
  }
`;

it.skipIf(!netBackend.supports.socketFiles)(
  'C13: a socket file never has wider permissions than its mode',
  async () => {
    const { path } = freshPath();
    const seen = new Int32Array(new SharedArrayBuffer(8));
    const worker = new Worker(watcher, { eval: true, workerData: { path, seen: seen.buffer } });
    const ended = once(worker, 'exit');
    while (Atomics.load(seen, 0) === 0) await new Promise((resolve) => setImmediate(resolve));
    let closed: () => void = () => {};
    const port = netBackend.createPort((batch: CompletionBatch) => {
      for (let index = 0; index < batch.length; index++) {
        if (batch.operation(index) === Operation.close) closed();
        else if (batch.operation(index) === Operation.listen) port.close(batch.handle(index));
      }
    });
    const umask = process.umask(0);
    try {
      for (let round = 0; round < 500; round++) {
        port.listen({ path }, { mode: 0o600 });
        await new Promise<void>((resolve) => {
          closed = resolve;
        });
      }
    } finally {
      process.umask(umask);
      Atomics.store(seen, 0, 2);
      await ended;
      await port[Symbol.asyncDispose]();
    }
    expect((seen[1] as number).toString(8)).toBe('600');
  },
);
