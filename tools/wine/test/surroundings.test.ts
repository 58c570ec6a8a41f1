import { execFileSync, spawnSync } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { expect, it, vi } from 'vitest';
import { inSurroundings, lackingSurroundings } from '../src/surroundings.js';

const lacking = process.platform === 'linux' ? lackingSurroundings('silentNetwork') : 'this is not Linux';
if (lacking !== null) console.warn(`skipped: a network where nobody answers: ${lacking}`);

it.runIf(process.platform === 'linux')('a program with few descriptors can take them all', () => {
  const [command, ...words] = inSurroundings('fewDescriptors', 'sh', '-c', 'ulimit -n; ulimit -Hn');
  expect(execFileSync(command, words, { encoding: 'utf8' })).toBe('512\n512\n');
});

it.runIf(lacking === null)(
  'in a silent network a connection is soon given up, and the machine stays as it is',
  () => {
    const retries = (): string => readFileSync('/proc/sys/net/ipv4/tcp_syn_retries', 'utf8');
    const before = retries();
    const code = `require('node:net').connect(80, '192.0.2.1').on('error', ({ code }) => console.log(code))`;
    const [command, ...words] = inSurroundings('silentNetwork', process.execPath, '-e', code);
    expect(spawnSync(command, words, { encoding: 'utf8', timeout: 8000 })).toMatchObject({
      status: 0,
      stdout: 'ETIMEDOUT\n',
    });
    expect(retries()).toBe(before);
  },
  10_000,
);

it('surroundings that are not to be had come with the reason', () => {
  vi.stubEnv('PATH', '/nowhere');
  expect(lackingSurroundings('silentNetwork')).toMatch(/unshare/);
  vi.unstubAllEnvs();
});
