import { cpus } from 'node:os';

/** When, with what and on what a run was made: the first line of a section of docs/benchmarks.md. */
export function runDescription(): string {
  return `${new Date().toISOString().slice(0, 10)}, Node ${process.versions.node}, ${describeMachine()}.`;
}

export function describeMachine(): string {
  return `${process.platform} ${process.arch}, ${cpus().length} × ${cpus()[0]?.model ?? 'unknown CPU'}`;
}
