// The suite under Node's own runner, for systems on which vitest does not run.
import { describe, it } from 'node:test';
import { backendCompliance } from 'bufferevent-backend-compliance';
import { ipv4, ipv6, netHarness } from './harness.js';

const lateReset = 'Wine 8 tells of a reset only a receive that was there before it';

/** Cases that Wine 8 fails where Windows and Linux do not, and why. */
const deviations: Readonly<Record<string, string>> = {
  'C9: three thousand segments in one send are more than a system call takes, and go well':
    'Wine 8 takes at most 1,024 pieces in one send',
  'C11: reset cancels what is in flight and completes last, with 0': lateReset,
  'C11: a stream whose peer reset it can be closed, and leaves nothing': lateReset,
  'C13: a reset by the peer is ECONNRESET for recv': lateReset,
};
const skipped = process.env['UNDER_WINE'] === '1' ? deviations : {};

const runner = {
  describe,
  it: (name: string, body: () => Promise<void>) => it(name, { skip: skipped[name] ?? false }, body),
};

describe('TCP over IPv4', () => backendCompliance(runner, netHarness(ipv4)));
describe('TCP over IPv6', () => backendCompliance(runner, netHarness(ipv6)));
