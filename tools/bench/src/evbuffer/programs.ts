import { execFileSync } from 'node:child_process';
import { mkdirSync, writeFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { build } from 'esbuild';
import { lineChunks, type SearchedContent, searchedBytes } from './inputs.js';

/** Ignored by git. */
const folder = fileURLToPath(new URL('../../build/', import.meta.url));

export const workerProgram: string = `${folder}evbuffer-worker.mjs`;
export const libeventProgram: string = `${folder}libevent-evbuffer`;
export const linesFile: string = `${folder}lines.bin`;

export function searchedFile(content: SearchedContent): string {
  return `${folder}searched-${content}.bin`;
}

/**
 * Our part of the worker becomes one plain module; evbuffer and its peers stay the packages that users get. Run as
 * TypeScript instead, it would carry the loader's hooks and thread through every measurement.
 */
export async function buildWorker(): Promise<void> {
  await build({
    entryPoints: [fileURLToPath(new URL('worker.ts', import.meta.url))],
    outfile: workerProgram,
    bundle: true,
    packages: 'external',
    platform: 'node',
    format: 'esm',
    target: 'node20',
    logLevel: 'warning',
  });
}

/** Compiles the C peer and writes the files it reads; the reason why not, where there is no compiler or no libevent. */
export function buildLibevent(): string | null {
  mkdirSync(folder, { recursive: true });
  const source = fileURLToPath(new URL('../../native/libevent-evbuffer.c', import.meta.url));
  const words = ['-std=c11', '-D_POSIX_C_SOURCE=200809L', '-O2', '-Wall', '-Wextra', '-o', libeventProgram, source];
  try {
    execFileSync('gcc', [...words, '-levent_core'], { stdio: ['ignore', 'ignore', 'pipe'] });
  } catch (error) {
    return error instanceof Error ? error.message : String(error);
  }
  writeFileSync(linesFile, Buffer.concat(lineChunks()));
  for (const content of ['absent', 'text'] as const) writeFileSync(searchedFile(content), searchedBytes(content));
  return null;
}
