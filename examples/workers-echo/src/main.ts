#!/usr/bin/env node
// workers-echo [port] [workers]: one worker thread per core, or as many as are asked for, all listening on one port.
import { once } from 'node:events';
import { availableParallelism } from 'node:os';
import { Worker } from 'node:worker_threads';
import { epollBackend } from 'bufferevent-epoll';
import type { WorkerOptions, WorkerReport } from './worker.js';

const [port = 7007, count = availableParallelism()] = process.argv.slice(2).map(Number);

/** Resolves when the worker listens, with the port. */
async function start(options: WorkerOptions): Promise<{ worker: Worker; port: number }> {
  const worker = new Worker(new URL('./worker.js', import.meta.url), { workerData: options });
  const [report] = (await once(worker, 'message')) as [WorkerReport];
  return { worker, port: report.port };
}

/** Resolves with the number of connections that the worker has served, when it is gone. */
async function stop(worker: Worker): Promise<number> {
  const gone = once(worker, 'exit');
  worker.postMessage('stop');
  const [report] = (await once(worker, 'message')) as [WorkerReport];
  await gone;
  return report.connections;
}

const reason = epollBackend.unavailabilityReason();
if (reason === null) {
  // The first may ask for any free port (0); the others need the one that it got.
  const first = await start({ port });
  const others = await Promise.all(Array.from({ length: count - 1 }, () => start({ port: first.port })));
  const workers = [first, ...others].map(({ worker }) => worker);
  console.log(`listening on 127.0.0.1:${first.port} with ${workers.length} workers`);
  await Promise.race([once(process, 'SIGTERM'), once(process, 'SIGINT')]);
  console.log(`served ${(await Promise.all(workers.map(stop))).join(' + ')} connections`);
} else {
  console.error(`workers-echo: epoll is not available: ${reason}`);
  process.exitCode = 1;
}
