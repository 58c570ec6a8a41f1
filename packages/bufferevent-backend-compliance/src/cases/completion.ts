import assert from 'node:assert/strict';
import { type BackendSupports, Errno, Operation, type Port, type Segment } from 'bufferevent-backend';
import { pattern } from '../bytes.js';
import { type ComplianceCase, complianceCase } from '../case.js';
import { segmentOf } from '../stream.js';
import { expectArgumentError, expectBackendError, expectBytes, untyped } from './expect.js';

/** C2 for streams and ports: exactly one completion for what was accepted, none for what was refused. */
export const completionCases: readonly ComplianceCase[] = [
  complianceCase('C2: a cancelled recv completes exactly once', async (context) => {
    const { left, right } = await context.pair();
    for (let round = 0; round < 20; round++) {
      right.port.recv(right.handle, 10);
      right.port.cancel(right.handle, Operation.recv);
      right.port.cancel(right.handle, Operation.recv);
      await right.expectCanceled(Operation.recv);
    }
    await left.sendAll(pattern(5));
    expectBytes(await right.takeExactly(5), pattern(5));
    assert.equal(right.driver.untaken(right.handle).length, 0);
  }),

  complianceCase('C2: cancelling what is not in flight does nothing', async (context) => {
    const { left, right } = await context.pair();
    left.port.cancel(left.handle, Operation.recv);
    left.port.cancel(left.handle, Operation.connect);
    await left.sendAll(pattern(5));
    await right.takeExactly(5);
    right.port.cancel(right.handle, Operation.recv);
    await context.settle();
    assert.equal(left.driver.untaken(left.handle).length + right.driver.untaken(right.handle).length, 0);
  }),

  complianceCase('C2: closing a stream completes everything that is in flight on it once', async (context) => {
    const { left, right } = await context.pair();
    left.port.recv(left.handle, 10);
    left.submitSend(pattern(100));
    left.port.shutdown(left.handle);
    left.port.close(left.handle);
    await left.next(Operation.close);
    for (const operation of [Operation.recv, Operation.send, Operation.shutdown]) {
      assert.equal(left.driver.untaken(left.handle, operation).length, 1);
    }
    assert.equal(right.driver.untaken(right.handle).length, 0);
  }),

  complianceCase('C2: disposal completes everything that is in flight once, and then resolves', async (context) => {
    const pairs = await context.pairs(10);
    const { handle } = await context.listen();
    context.right.port.accept(handle, 5);
    for (const { left, right } of pairs) {
      right.port.recv(right.handle, 10);
      right.submitSend(pattern(10));
      left.port.recv(left.handle, 10);
    }
    await context.right.dispose();
    assert.deepEqual(context.right.ledger.unsettled(), []);
    assert.equal(context.right.untaken(handle, Operation.accept)[0]?.result, -Errno.ECANCELED);
  }),

  complianceCase('C2: disposal completes a connect and a listen that have not finished', async (context) => {
    const { address } = await context.listen();
    const driver = context.driver();
    driver.port.connect(address);
    driver.port.listen(context.harness.listenAddress());
    await driver.dispose();
    assert.deepEqual(driver.ledger.unsettled(), []);
  }),

  complianceCase('C2: disposing twice resolves twice and delivers nothing twice', async (context) => {
    const { left } = await context.pair();
    left.port.recv(left.handle, 10);
    const first = left.port[Symbol.asyncDispose]();
    const second = left.port[Symbol.asyncDispose]();
    await left.driver.within(Promise.all([first, second]), 'end of both disposals');
    await left.driver.within(left.port[Symbol.asyncDispose](), 'end of a late disposal');
    await left.expectCanceled(Operation.recv);
    assert.equal(left.driver.untaken(left.handle, Operation.recv).length, 0);
  }),

  complianceCase('C2: a close in flight is completed by disposal, once', async (context) => {
    const { left } = await context.pair();
    left.port.recv(left.handle, 10);
    left.port.close(left.handle);
    await left.driver.dispose();
    assert.equal(left.driver.untaken(left.handle, Operation.close).length, 1);
    assert.equal(left.driver.untaken(left.handle, Operation.recv).length, 1);
  }),

  complianceCase('C2: an empty port is disposed of, and so is one whose handles are idle', async (context) => {
    await context.driver().dispose();
    await context.pairs(3);
    await context.listen();
    await context.left.dispose();
    await context.right.dispose();
  }),

  complianceCase('C2: after disposal every verb is refused as closed', async (context) => {
    const { left } = await context.pair();
    const { port, handle } = left;
    await left.driver.dispose();
    const address = context.harness.listenAddress();
    const verbs: ((port: Port) => unknown)[] = [
      () => port.listen(address),
      () => port.accept(handle, 1),
      () => port.connect(address),
      () => port.recv(handle, 1),
      () => port.send(handle, [segmentOf(pattern(1))]),
      () => port.shutdown(handle),
      () => port.close(handle),
      () => port.reset(handle),
    ];
    for (const verb of verbs) expectBackendError('ERR_BACKEND_CLOSED', () => verb(port));
  }),

  complianceCase('C2: two hundred busy streams get exactly their completions', async (context) => {
    const pairs = await context.pairs(200);
    const bytes = pattern(700);
    await Promise.all(
      pairs.map(async ({ left, right }, index) => {
        const sent = context.meanwhile(left.sendAll(bytes));
        expectBytes(await right.takeExactly(700, 64 + index), bytes);
        await sent;
        left.port.recv(left.handle, 10);
        if (index % 3 === 0) left.port.cancel(left.handle, Operation.recv);
        if (index % 3 === 1) left.port.close(left.handle);
        if (index % 3 === 2) right.port.reset(right.handle);
        await left.next(Operation.recv);
      }),
    );
  }),

  complianceCase('C2: stats count what is pending, and fall back to nothing', async (context) => {
    const { left, right } = await context.pair();
    const before = left.port.stats();
    left.port.recv(left.handle, 10);
    assert.equal(left.port.stats().pending, before.pending + 1);
    await right.sendAll(pattern(10));
    await left.next(Operation.recv);
    const after = left.port.stats();
    assert.equal(after.pending, before.pending);
    assert.equal(after.completions, before.completions + 1);
    assert.equal(after.leases, 1);
    assert.equal(after.streams, 1);
    assert.equal(right.port.stats().listeners, 1);
  }),

  complianceCase('C2: a recv with a malformed size throws and owes no completion', async (context) => {
    const { left } = await context.pair();
    for (const max of [0, -1, 1.5, Number.NaN, Number.POSITIVE_INFINITY, '10', undefined, null, {}]) {
      expectArgumentError(() => left.port.recv(left.handle, untyped(max)), `recv(${String(max)})`);
    }
    assert.equal(left.port.stats().pending, 0);
    left.port.recv(left.handle, 10);
  }),

  complianceCase('C2: a send with malformed segments throws and owes no completion', async (context) => {
    const { left } = await context.pair();
    const memory = pattern(10);
    const malformed: unknown[] = [
      undefined,
      null,
      'bytes',
      [],
      [{ memory, start: 3, end: 3 }],
      [{ memory, start: 5, end: 4 }],
      [{ memory, start: -1, end: 4 }],
      [{ memory, start: 0, end: 11 }],
      [{ memory, start: 0.5, end: 4 }],
      [{ memory, start: 0, end: Number.NaN }],
      [{ memory: 'bytes', start: 0, end: 4 }],
      [{ memory: [1, 2, 3], start: 0, end: 3 }],
      [null],
      [segmentOf(memory), undefined],
    ];
    for (const segments of malformed) {
      expectArgumentError(
        () => left.port.send(left.handle, untyped<readonly Segment[]>(segments)),
        `send(${JSON.stringify(segments)})`,
      );
    }
    for (const count of [0, -1, 2, 1.5, '1']) {
      const body = (): void => left.port.send(left.handle, [segmentOf(memory)], untyped(count));
      expectArgumentError(body, `send with count ${String(count)}`);
    }
    assert.equal(left.port.stats().pending, 0);
  }),

  complianceCase('C2: an accept with malformed credits throws and owes no completion', async (context) => {
    const { handle } = await context.listen();
    for (const credits of [0, -1, 1.5, Number.NaN, '1', undefined]) {
      expectArgumentError(() => context.right.port.accept(handle, untyped(credits)), `accept(${String(credits)})`);
    }
    assert.equal(context.right.port.stats().pending, 0);
  }),

  complianceCase('C2: a cancel of an unknown operation throws and cancels nothing', async (context) => {
    const { left, right } = await context.pair();
    left.port.recv(left.handle, 10);
    for (const operation of [0, 99, 'recv', undefined, Operation.close]) {
      expectArgumentError(() => left.port.cancel(left.handle, untyped(operation)), `cancel(${String(operation)})`);
    }
    await right.sendAll(pattern(1));
    assert.equal((await left.next(Operation.recv)).result, 1);
  }),

  complianceCase('C2: verbs that supports excludes throw as unsupported and owe nothing', async (context) => {
    const { left } = await context.pair();
    const { port, handle } = left;
    const verbs: readonly (readonly [keyof BackendSupports, () => unknown])[] = [
      ['sendFile', () => port.sendFile(handle, 0, 0, 1)],
      ['descriptors', () => port.adopt(0)],
      ['descriptors', () => port.detach(handle)],
      ['descriptors', () => port.descriptor(handle)],
      ['registeredMemory', () => port.registerMemory(new ArrayBuffer(8))],
      ['peerClose', () => port.watchPeer(handle)],
      ['cancelSend', () => port.cancel(handle, Operation.send)],
      ['paths', () => port.listen({ path: '/tmp/never-made' })],
      ['reusePort', () => port.listen(context.harness.listenAddress(), { reusePort: true })],
      ['deferAccept', () => port.listen(context.harness.listenAddress(), { deferAccept: true })],
      ['socketFiles', () => port.listen({ path: '/tmp/never-made' }, { mode: 0o600 })],
    ];
    for (const [bit, verb] of verbs) {
      if (context.supports[bit] === false) expectBackendError('ERR_BACKEND_UNSUPPORTED', verb);
    }
    assert.equal(port.stats().pending, 0);
  }),
];
