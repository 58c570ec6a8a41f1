import { writeFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { build } from 'esbuild';
import { buildFolder, compileC } from '../native-program.js';
import { lineChunks, type SearchedContent, searchedBytes } from './inputs.js';

export const workerProgram: string = `${buildFolder}evbuffer-worker.mjs`;
export const libeventProgram: string = `${buildFolder}libevent-evbuffer`;
export const linesFile: string = `${buildFolder}lines.bin`;

export function searchedFile(content: SearchedContent): string {
  return `${buildFolder}searched-${content}.bin`;
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
  const reason = compileC('libevent-evbuffer', ['event_core']);
  if (reason !== null) return reason;
  writeFileSync(linesFile, Buffer.concat(lineChunks()));
  for (const content of ['absent', 'text'] as const) writeFileSync(searchedFile(content), searchedBytes(content));
  return null;
}
