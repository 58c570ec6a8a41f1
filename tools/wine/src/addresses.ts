// Where the memory of Wine's programs lies. Linux puts the heap of a program anywhere in the GiB behind it, and behind
// Debian's Wine, which has no loader that reserves anything, lies what Windows has at a fixed address: of some thousand
// processes one did not start (`failed to map the shared user data`, or 0xC0000142). At the same addresses each time none is in
// the way of another.
import { spawnSync } from 'node:child_process';

const command = ['setarch', '--addr-no-randomize'] as const;

/** Not where a container forbids it. */
const isAllowed = spawnSync(command[0], [command[1], 'true'], { stdio: 'ignore' }).status === 0;

/** The command that runs `words`, and all that they start, at the same addresses each time where that can be had. */
export function atSameAddresses(
  program: string,
  ...words: readonly string[]
): [program: string, ...words: readonly string[]] {
  return isAllowed ? [...command, program, ...words] : [program, ...words];
}
