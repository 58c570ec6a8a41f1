import { spawnSync } from 'node:child_process';
import { readdirSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { workerEndings } from 'bufferevent-backend-compliance/life-cycle';
import { expect, it } from 'vitest';
import { describeOnEpoll } from './available.js';
import { childModule } from './harness.js';

describeOnEpoll('a worker ends', () => {
  // Those of this process, the one that lists them included.
  workerEndings({ it }, childModule, () => readdirSync('/proc/self/fd').length);

  it('C16: in the middle of a send, of which nothing is submitted then', () => {
    const program = fileURLToPath(new URL('./ended-in-send.mjs', import.meta.url));
    const { status, signal, stderr } = spawnSync(process.execPath, [program], { encoding: 'utf8', timeout: 8000 });
    expect({ status, signal, stderr }).toEqual({ status: 0, signal: null, stderr: '' });
  });
});
