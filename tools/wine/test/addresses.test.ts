import { execFileSync, spawnSync } from 'node:child_process';
import { expect, it } from 'vitest';
import { atSameAddresses } from '../src/addresses.js';

const isAllowed = spawnSync('setarch', ['-R', 'true']).status === 0;
if (!isAllowed) console.warn('skipped: programs at the same addresses: not allowed, or not known here');

it.runIf(isAllowed)('a program is at the same addresses each time, and so is what it starts', () => {
  const maps = (): string => {
    const [program, ...words] = atSameAddresses('sh', '-c', 'cat /proc/self/maps; :');
    return execFileSync(program, words, { encoding: 'utf8' });
  };
  expect(maps()).toMatch(/\[heap\]/);
  expect(maps()).toBe(maps());
});
