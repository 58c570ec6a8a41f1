import { readFileSync, writeFileSync } from 'node:fs';
import { docsFile } from './docs-file.js';

export const benchmarksPage: string = docsFile('benchmarks.md');

/** Replaces what stands between the markers `<!-- name:begin -->` and `<!-- name:end -->` of a page. */
export function rewriteSection(file: string, name: string, text: string): void {
  const page = readFileSync(file, 'utf8');
  const begin = `<!-- ${name}:begin -->`;
  const end = `<!-- ${name}:end -->`;
  const from = page.indexOf(begin);
  const to = page.indexOf(end);
  if (from < 0 || to < from) throw new Error(`${file} has no section ${name}`);
  writeFileSync(file, `${page.slice(0, from + begin.length)}\n\n${text.trim()}\n\n${page.slice(to)}`);
}
