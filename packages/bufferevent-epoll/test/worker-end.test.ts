import { readdirSync } from 'node:fs';
import { workerEndings } from 'bufferevent-backend-compliance/life-cycle';
import { it } from 'vitest';
import { describeOnEpoll } from './available.js';
import { childModule } from './harness.js';

describeOnEpoll('a worker ends', () => {
  // Those of this process, the one that lists them included.
  workerEndings({ it }, childModule, () => readdirSync('/proc/self/fd').length);
});
