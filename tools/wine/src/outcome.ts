/**
 * What is wrong with a run of `node --test`; `null` when nothing is. The exit code alone says too little: of a program whose
 * prefix was ended beneath it, Wine's is 0.
 *
 * @param code `null` for one that was ended
 * @param output of the reporter `spec`
 */
export function faultOf(code: number | null, output: string): string | null {
  if (code === null) return 'was ended, after more time than it has';
  if (code !== 0) return `failed with ${code}`;
  if (!/^ℹ fail 0$/m.test(output)) return 'ended before it was done';
  return passedIn(output) === 0 ? 'has no tests' : null;
}

/** Tests that have passed, as the last lines say it. */
export function passedIn(output: string): number {
  return Number(/^ℹ pass (\d+)$/m.exec(output)?.[1] ?? 0);
}
