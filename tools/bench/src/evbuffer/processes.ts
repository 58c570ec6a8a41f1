import { execFile } from 'node:child_process';
import { promisify } from 'node:util';
import { GARBAGE_FLAGS } from '../../servers/allocation.mjs';
import { plainEnvironment } from '../environment.js';
import { NEEDLE, QUEUED_BYTES } from './inputs.js';
import type { MemoryThirds } from './memory.js';
import { libeventProgram, linesFile, searchedFile, workerProgram } from './programs.js';
import type { Scale } from './scale.js';
import { measureInSlices } from './slices.js';
import type { PeerName, Task, Work } from './works.js';

const run = promisify(execFile);

/** One round of a work: CPU time of an operation of each candidate, in ns. */
export function timeOnce({ id, task }: Work, peers: readonly PeerName[]): Promise<number[]> {
  return measureInSlices(
    peers.map((peer) =>
      peer === 'libevent'
        ? { path: libeventProgram, words: libeventWords(task) }
        : { path: process.execPath, words: [workerProgram, 'time', id, peer] },
    ),
  );
}

/** The same of an operation on a queue in each of its states. */
export function scaleOnce({ id, states }: Scale): Promise<number[]> {
  return measureInSlices(
    states.map((_, index) => ({
      path: process.execPath,
      words: ['--expose-gc', workerProgram, 'scale', id, String(index)],
    })),
  );
}

/** The same of libevent: there is one operation that it is measured with. */
export function libeventScaleOnce({ states }: Scale): Promise<number[]> {
  return measureInSlices(states.map(({ chunks }) => ({ path: libeventProgram, words: ['frames', String(chunks)] })));
}

export async function garbageOnce(work: string, peer: PeerName): Promise<number> {
  const { bytesPerOperation } = await runWorker<{ bytesPerOperation: number }>(['garbage', work, peer], GARBAGE_FLAGS);
  return bytesPerOperation;
}

export function memoryOnce(work: string, totalBytes: number): Promise<MemoryThirds> {
  return runWorker(['memory', work, String(totalBytes)]);
}

function libeventWords(task: Task): string[] {
  switch (task.does) {
    case 'add-drain':
    case 'reference-drain':
      return [task.does, String(task.queued ? QUEUED_BYTES : 0)];
    case 'read-line':
    case 'read-lines':
      return ['readln', linesFile];
    case 'search':
      return ['search', searchedFile(task.content), NEEDLE, task.added];
  }
}

/** What a worker that ends with 0 prints, as JSON. */
async function runWorker<T>(words: readonly string[], flags: readonly string[] = []): Promise<T> {
  const { stdout } = await run(process.execPath, [...flags, workerProgram, ...words], { env: plainEnvironment() });
  return JSON.parse(stdout) as T;
}
