import { readFileSync } from 'node:fs';
import { docsFile, writeJson } from '../docs-file.js';
import type { Results } from './results.js';

export const chartFile: string = docsFile('benchmarks-evbuffer.svg');
const resultsFile = docsFile('benchmarks-evbuffer.json');

export function readResults(): Results {
  return JSON.parse(readFileSync(resultsFile, 'utf8')) as Results;
}

export function writeResults(results: Results): void {
  writeJson(resultsFile, results);
}
