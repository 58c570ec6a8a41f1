import { execFile } from 'node:child_process';
import { promisify } from 'node:util';
import { GARBAGE_FLAGS } from '../../servers/allocation.mjs';
import { plainEnvironment } from '../environment.js';
import type { CpuTime } from './cpu-time.js';
import { NEEDLE, QUEUED_BYTES } from './inputs.js';
import type { MemoryThirds } from './memory.js';
import { libeventProgram, linesFile, searchedFile, workerProgram } from './programs.js';
import type { QueueState } from './scale.js';
import type { PeerName, Task, Work } from './works.js';

const run = promisify(execFile);

/** One round of one candidate, in a process of its own: CPU time of an operation in ns. */
export async function timeOnce({ id, task }: Work, peer: PeerName): Promise<number> {
  const { nsPerOperation } =
    peer === 'libevent'
      ? await runProgram<CpuTime>(libeventProgram, libeventWords(task))
      : await runWorker<CpuTime>(['time', id, peer]);
  return nsPerOperation;
}

export async function scaleOnce(scale: string, state: number): Promise<number> {
  const { nsPerOperation } = await runWorker<CpuTime>(['scale', scale, String(state)], ['--expose-gc']);
  return nsPerOperation;
}

/** The same of libevent: there is one operation that it is measured with. */
export async function libeventScaleOnce({ chunks }: QueueState): Promise<number> {
  const { nsPerOperation } = await runProgram<CpuTime>(libeventProgram, ['frames', String(chunks)]);
  return nsPerOperation;
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

function runWorker<T>(words: readonly string[], flags: readonly string[] = []): Promise<T> {
  return runProgram(process.execPath, [...flags, workerProgram, ...words]);
}

/** What a program that ends with 0 prints, as JSON. */
async function runProgram<T>(program: string, words: readonly string[]): Promise<T> {
  const { stdout } = await run(program, words, { env: plainEnvironment() });
  return JSON.parse(stdout) as T;
}
