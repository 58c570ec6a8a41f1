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

const ratesFile = 'benchmarks-connections-rate.svg';
const cpuTimesFile = 'benchmarks-connections-cpu.svg';

/** As Markdown, for a page beside them. */
export const chartLinks: string = [
  `![Messages a second of each echo, by server](${ratesFile})`,
  `![CPU time of the server for a message, by server](${cpuTimesFile})`,
].join('\n\n');

export function writeCharts(results: Results): void {
  writeFileSync(docsFile(ratesFile), drawRates(results));
  writeFileSync(docsFile(cpuTimesFile), drawCpuTimes(results));
}
