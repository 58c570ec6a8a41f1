import { docsFile, writeJson } from '../docs-file.js';
import type { Results } from './results.js';

export function writeResults(results: Results): void {
  writeJson(docsFile('benchmarks-tls.json'), results);
}
