// In the silent network of tools/wine: nobody answers at 192.0.2.1, and the system soon gives up.
import assert from 'node:assert/strict';
import { it } from 'node:test';
import { Errno, Operation } from 'bufferevent-backend';
import { type CaseContext, runCase } from 'bufferevent-backend-compliance';
import { iocpHarness, ipv4 } from './harness.js';

const WSAETIMEDOUT = 10_060;

it('C2, C13: connects that the system gives up complete once, with ETIMEDOUT and the number of Windows', () => {
  const run = async (context: CaseContext): Promise<void> => {
    const raw: (string | number)[] = [];
    const driver = context.driver({ onTrace: (record) => void raw.push(record.raw) });
    const streams = Array.from({ length: 10 }, () => driver.port.connect({ ip: '192.0.2.1', port: 80 }));
    for (const stream of streams) {
      assert.equal((await driver.next(stream, Operation.connect)).result, -Errno.ETIMEDOUT);
      driver.port.close(stream);
      assert.equal((await driver.next(stream, Operation.close)).result, 0);
    }
    assert.deepEqual(
      raw,
      streams.map(() => WSAETIMEDOUT),
    );
  };
  return runCase({ rule: 'C13', title: 'C13: the system gives up', requires: [], run }, iocpHarness(ipv4));
});
