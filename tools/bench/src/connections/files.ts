import { readFileSync, writeFileSync } from 'node:fs';
import { docsFile, writeJson } from '../docs-file.js';
import { drawCpuTimes, drawRates } from './charts.js';
import type { Results } from './results.js';

const resultsFile = docsFile('benchmarks-connections.json');

export function readResults(): Results {
  return JSON.parse(readFileSync(resultsFile, 'utf8')) as Results;
}

export function writeResults(results: Results): void {
  writeJson(resultsFile, results);
}

export function writeCharts(results: Results): void {
  writeFileSync(docsFile('benchmarks-connections-rate.svg'), drawRates(results));
  writeFileSync(docsFile('benchmarks-connections-cpu.svg'), drawCpuTimes(results));
}
