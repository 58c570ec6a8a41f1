// The end of processes and workers with ports in every state.
import { describe, it } from 'node:test';
import { processEndings, workerEndings } from 'bufferevent-backend-compliance/life-cycle';
import { binding } from './binding.js';
import { childModule } from './harness.js';

describe('a process ends', { concurrency: 4 }, () => processEndings({ it }, childModule));
describe('a worker ends', () => workerEndings({ it }, childModule, () => binding.openHandles()));
