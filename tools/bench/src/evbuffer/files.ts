import { execFileSync } from 'node:child_process';
import { readFileSync, writeFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import type { Results } from './results.js';

function docsFile(name: string): string {
  return fileURLToPath(new URL(`../../../../docs/${name}`, import.meta.url));
}

export const chartFile: string = docsFile('benchmarks-evbuffer.svg');
const resultsFile = docsFile('benchmarks-evbuffer.json');

export function readResults(): Results {
  return JSON.parse(readFileSync(resultsFile, 'utf8')) as Results;
}

/** Four digits are more than the rounds agree on. Formatted as everything else here is, or `npm run lint` would refuse it. */
export function writeResults(results: Results): void {
  const rounded = JSON.stringify(results, (_, value: unknown) =>
    typeof value === 'number' && !Number.isInteger(value) ? Number(value.toPrecision(4)) : value,
  );
  writeFileSync(resultsFile, rounded);
  const biome = fileURLToPath(new URL('../../../../node_modules/.bin/biome', import.meta.url));
  execFileSync(biome, ['format', '--write', resultsFile], { stdio: ['ignore', 'ignore', 'inherit'] });
}
