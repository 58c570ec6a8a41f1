// Connections over completion ports that nobody answers, and what gives them up before the system does.
import assert from 'node:assert/strict';
import { afterEach, beforeEach, describe, it } from 'node:test';
import { connect, EventBase, type IpAddress, listen } from 'bufferevent';
import { ManualClock } from 'bufferevent/testing';
import { iocpBackend } from 'bufferevent-iocp';
import { until } from './support/wait.js';

describe('a connection that nobody answers', () => {
  let clock: ManualClock;
  let base: EventBase;
  let server: EventBase;
  let address: IpAddress;

  beforeEach(async () => {
    clock = new ManualClock();
    base = new EventBase({ backend: iocpBackend, clock });
    server = new EventBase({ backend: iocpBackend });
    // Linux, and so Wine, is silent when a backlog is full.
    const listener = await listen({ ip: '127.0.0.1', port: 0 }, {}, { base: server, disabled: true, backlog: 1 });
    address = listener.address as IpAddress;
    for (let room = 2; room > 0; room--) await connect(address, {}, { base: server });
  });

  afterEach(async () => {
    await base[Symbol.asyncDispose]();
    await server[Symbol.asyncDispose]();
  });

  async function expectNothingLeft(): Promise<void> {
    await until(() => base.stats().port.pending === 0, 'what was called off');
    assert.equal(base.stats().port.streams, 0);
    assert.equal(clock.pendingTimers, 0);
  }

  it('EV-6: is given up after connectMs, with one ETIMEDOUT that says where to', async () => {
    const attempts = Array.from({ length: 10 }, () => connect(address, {}, { base, timeouts: { connectMs: 1000 } }));
    const outcomes = Promise.allSettled(attempts);
    clock.advance(1000);
    for (const outcome of await outcomes) {
      assert.equal(outcome.status, 'rejected');
      const { code, syscall, address: to, port } = outcome.reason;
      assert.deepEqual(
        { code, syscall, to, port },
        { code: 'ETIMEDOUT', syscall: 'connect', to: address.ip, port: address.port },
      );
    }
    await expectNothingLeft();
  });

  it('EV-6: is given up when a signal aborts, with its reason', async () => {
    const controller = new AbortController();
    const attempt = connect(address, {}, { base, signal: controller.signal });
    const reason = new Error('on purpose');
    setImmediate(() => controller.abort(reason));
    await assert.rejects(attempt, reason);
    await expectNothingLeft();
  });
});
