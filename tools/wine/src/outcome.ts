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

const MOST_LINES_OF_FAILURES = 25;

/** The end of `output` that names the failed tests, cut short and without stacks: the end of a long log is what people are shown. */
export function failuresIn(output: string): string {
  const [, named = ''] = output.split(/^✖ failing tests:$/m);
  const lines = named.split('\n').filter((line) => line.trim() !== '' && !/^\s+at /.test(line));
  return lines.slice(0, MOST_LINES_OF_FAILURES).join('\n');
}
