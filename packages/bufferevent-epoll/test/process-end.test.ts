import { processEndings } from 'bufferevent-backend-compliance/life-cycle';
import { it } from 'vitest';
import { describeOnEpoll } from './available.js';
import { childModule } from './harness.js';

describeOnEpoll.concurrent('a process ends', () => {
  processEndings({ it: (name, body) => it(name, body, 60_000) }, childModule);
});
