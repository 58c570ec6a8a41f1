import { once } from 'node:events';
import { Worker } from 'node:worker_threads';
import type { Pki } from './peer.mjs';

export type Ending = 'return' | 'exit' | 'throw';
export const endings: Readonly<Record<Ending, number>> = { return: 0, exit: 7, throw: 1 };

const module = new URL('./worker.mjs', import.meta.url);

/** All scenes in a worker, which then ends by itself. @returns its exit code and what it has thrown */
export async function runInWorker(pki: Pki, ending: Ending): Promise<{ code: number; errors: string[] }> {
  const worker = new Worker(module, { workerData: { pki, rounds: 1, ending } });
  const errors: string[] = [];
  worker.on('error', ({ message }) => errors.push(message));
  const code = await new Promise<number>((resolve) => worker.on('exit', resolve));
  return { code, errors };
}

/** Terminates a worker that runs scenes without end, as many milliseconds after it has begun. */
export async function terminateWorker(pki: Pki, afterMs: number): Promise<string[]> {
  const worker = new Worker(module, { workerData: { pki, rounds: Number.POSITIVE_INFINITY, ending: 'return' } });
  const errors: string[] = [];
  worker.on('error', ({ message }) => errors.push(message));
  await once(worker, 'online');
  await new Promise((resolve) => setTimeout(resolve, afterMs));
  await worker.terminate();
  return errors;
}
