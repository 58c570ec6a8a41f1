/** One line on standard error, and the exit code that goes with it. */
export function fail(message: string, error?: unknown): 1 {
  process.stderr.write(`echo: ${message}${error === undefined ? '' : `: ${describe(error)}`}\n`);
  return 1;
}

/** An error in one line. Attempts at several addresses fail with several errors. */
export function describe(error: unknown): string {
  if (error instanceof AggregateError && error.errors.length > 0) return error.errors.map(describe).join('; ');
  return (error instanceof Error ? error.message : String(error)).replace(/\s*\n\s*/g, ' ');
}
