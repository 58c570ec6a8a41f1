import { cpus } from 'node:os';

/** When, with what and on what a run was made: the first line of a section of docs/benchmarks.md. */
export function runDescription(): string {
  const processor = `${cpus().length} × ${cpus()[0]?.model ?? 'unknown CPU'}`;
  return `${new Date().toISOString().slice(0, 10)}, Node ${process.versions.node}, ${process.platform} ${process.arch}, ${processor}.`;
}
