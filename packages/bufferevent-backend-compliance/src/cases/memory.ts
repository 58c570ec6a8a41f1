import assert from 'node:assert/strict';
import { Errno, Operation, type Segment } from 'bufferevent-backend';
import { concat, pattern } from '../bytes.js';
import { type ComplianceCase, complianceCase } from '../case.js';
import { segmentOf } from '../stream.js';
import { expectArgumentError, expectBackendError, expectBytes, untyped } from './expect.js';

/** C4 and C5: whose memory it is, and for how long. */
export const memoryCases: readonly ComplianceCase[] = [
  complianceCase('C4: sent memory is not changed by sending it', async (context) => {
    const { left, right } = await context.pair();
    const bytes = pattern(300_000);
    const [received] = await Promise.all([right.takeExactly(bytes.length), left.sendAll(bytes)]);
    expectBytes(received, bytes);
    expectBytes(bytes, pattern(300_000));
  }),

  complianceCase(
    'C4: memory that changes after its send completed does not change what the peer gets',
    async (context) => {
      const { left, right } = await context.pair();
      const memory = new Uint8Array(1000);
      for (let round = 1; round <= 30; round++) {
        memory.fill(round);
        const { result } = await left.send(memory);
        memory.fill(0xff);
        const received = await right.takeExactly(result);
        assert.ok(
          received.every((byte) => byte === round),
          'memory was read after the send had completed',
        );
      }
    },
  ),

  complianceCase(
    'C4: memory that changes after its stream was closed does not change what the peer gets',
    async (context) => {
      const { left, right } = await context.pair();
      const memory = new Uint8Array(200_000).fill(7);
      left.submitSend(memory);
      left.port.close(left.handle);
      const { result } = await left.next(Operation.send);
      memory.fill(0xff);
      await left.next(Operation.close);
      const received: Uint8Array[] = [];
      for (;;) {
        const completion = await right.recv();
        // Closing with bytes in flight may end in a reset; what came before it still counts.
        if (completion.result <= 0) break;
        received.push(completion.bytes.slice());
        right.driver.release(completion);
      }
      assert.ok(
        concat(received).every((byte) => byte === 7),
        'memory was read after the send had completed',
      );
      if (!context.supports.cancelSend) return;
      assert.ok(concat(received).length <= Math.max(result, 0), 'the peer got bytes that the send did not own up to');
    },
  ),

  complianceCase('C4: the segment array and its objects are read during the call only', async (context) => {
    const { left, right } = await context.pair();
    const segment: Segment = { memory: pattern(100), start: 10, end: 90 };
    const segments = [segment, { memory: pattern(50, 2), start: 0, end: 50 }];
    const expected = concat([pattern(100).slice(10, 90), pattern(50, 2)]);
    left.port.send(left.handle, segments);
    segment.memory = new Uint8Array(100);
    segment.start = 0;
    segment.end = 1;
    segments.length = 0;
    const { result } = await left.next(Operation.send);
    expectBytes(await right.takeExactly(result), expected.slice(0, result));
  }),

  complianceCase('C4: one memory may be borrowed by many streams at once', async (context) => {
    const pairs = await context.pairs(10);
    const bytes = pattern(5000);
    await Promise.all(
      pairs.map(async ({ left, right }) => {
        const sent = context.meanwhile(left.sendAll(bytes));
        expectBytes(await right.takeExactly(5000), bytes);
        await sent;
      }),
    );
  }),

  complianceCase('C4: segments are views: bytes around them in the same memory are not sent', async (context) => {
    const { left, right } = await context.pair();
    const buffer = new ArrayBuffer(1000);
    new Uint8Array(buffer).fill(0xee);
    const view = new Uint8Array(buffer, 300, 200);
    view.set(pattern(200));
    left.port.send(left.handle, [{ memory: view, start: 50, end: 150 }]);
    const { result } = await left.next(Operation.send);
    await left.shutdown();
    expectBytes(await right.takeAll(), pattern(200).slice(50, 50 + result));
  }),

  complianceCase(
    'C4: registered memory is sent, counted, and may be registered twice',
    async (context) => {
      const { left, right } = await context.pair();
      const memory = new ArrayBuffer(4096);
      new Uint8Array(memory).set(pattern(4096));
      left.port.registerMemory(memory);
      left.port.registerMemory(memory);
      assert.ok(left.port.stats().registeredBytes >= 4096);
      const [received] = await Promise.all([right.takeExactly(4096), left.sendAll(new Uint8Array(memory))]);
      expectBytes(received, pattern(4096));
      left.port.unregisterMemory(memory);
      assert.ok(left.port.stats().registeredBytes >= 4096, 'registering twice is undone by unregistering once');
      left.port.unregisterMemory(memory);
      assert.equal(left.port.stats().registeredBytes, 0);
      const [again] = await Promise.all([right.takeExactly(4096), left.sendAll(new Uint8Array(memory))]);
      expectBytes(again, pattern(4096));
    },
    ['registeredMemory'],
  ),

  complianceCase(
    'C4: a send of registered memory that was detached since fails with EFAULT',
    async (context) => {
      const { left, right } = await context.pair();
      const memory = new ArrayBuffer(4096);
      const view = new Uint8Array(memory);
      left.port.registerMemory(memory);
      const segment = segmentOf(view);
      structuredClone(memory, { transfer: [memory] });
      left.port.send(left.handle, [segment]);
      assert.equal((await left.next(Operation.send)).result, -Errno.EFAULT);
      left.port.unregisterMemory(memory);
      await left.sendAll(pattern(10));
      expectBytes(await right.takeExactly(10), pattern(10));
    },
    ['registeredMemory'],
  ),

  complianceCase(
    'C4: registering what is no memory throws',
    async (context) => {
      const { port } = context.left;
      for (const memory of [undefined, null, 10, 'bytes', {}, new Uint8Array(4)]) {
        expectArgumentError(() => port.registerMemory(untyped(memory)), `registerMemory(${String(memory)})`);
      }
    },
    ['registeredMemory'],
  ),

  complianceCase('C5: received bytes stay what they are until they are released', async (context) => {
    const { left, right } = await context.pair();
    // Sixty-four leases out at once: a backend that reuses memory too early overwrites one of them.
    for (let round = 0; round < 64; round++) {
      await left.sendAll(pattern(512, round + 1));
      const completion = await right.recv(512);
      assert.ok(completion.result > 0);
      await right.takeExactly(512 - completion.result);
    }
    assert.ok(right.port.stats().leases >= 64);
    for (const lease of right.driver.ledger.leases()) right.port.release(lease);
    assert.equal(right.port.stats().leases, 0);
  }),

  complianceCase('C5: leases are released in any order, and each is its own', async (context) => {
    const { left, right } = await context.pair();
    const held: { readonly lease: number; readonly byte: number; readonly bytes: Uint8Array }[] = [];
    for (let round = 0; round < 40; round++) {
      await left.sendAll(new Uint8Array(100).fill(round));
      for (let due = 100; due > 0; ) {
        const { result, lease, bytes } = await right.recv(due);
        assert.ok(result > 0 && lease !== null);
        due -= result;
        held.push({ lease, byte: round, bytes });
      }
      if (round % 3 === 0) {
        const [victim] = held.splice((round * 7) % held.length, 1);
        assert.ok(victim);
        right.port.release(victim.lease);
      }
      for (const { bytes, byte } of held) assert.ok(bytes.every((one) => one === byte));
    }
    for (const { lease } of held.reverse()) right.port.release(lease);
    assert.equal(right.port.stats().leases, 0);
  }),

  complianceCase('C5: a lease that was given back is refused', async (context) => {
    const { left, right } = await context.pair();
    await left.sendAll(pattern(10));
    const { lease } = await right.recv(1);
    assert.ok(lease !== null);
    right.port.release(lease);
    expectBackendError('ERR_BACKEND_STALE_LEASE', () => right.port.release(lease));
    await right.takeExactly(9);
    expectBackendError('ERR_BACKEND_STALE_LEASE', () => right.port.release(lease));
  }),

  complianceCase('C5: a lease that was never given out is refused', async (context) => {
    const { right } = await context.pair();
    for (const lease of [0, -1, 123_456_789]) {
      assert.throws(() => right.port.release(lease), `release(${lease}) was accepted`);
    }
    assert.equal(right.port.stats().leases, 0);
  }),

  complianceCase('C5: received bytes outlive the close of their stream', async (context) => {
    const { left, right } = await context.pair();
    await left.sendAll(pattern(200));
    const completion = await right.recv(200);
    await right.close();
    const other = await context.pair();
    for (let round = 0; round < 20; round++) {
      await other.left.sendAll(pattern(200, 9));
      await other.right.takeExactly(200);
    }
    expectBytes(completion.bytes, pattern(200).slice(0, completion.result));
    right.driver.release(completion);
  }),

  complianceCase('C5: a lease may be given back after the port was disposed of', async (context) => {
    const { left, right } = await context.pair();
    await left.sendAll(pattern(200));
    const { lease, bytes, result } = await right.recv(200);
    assert.ok(lease !== null);
    const copy = pattern(200).slice(0, result);
    await right.driver.dispose();
    expectBytes(bytes, copy);
    right.port.release(lease);
  }),

  complianceCase('C5: leases that are out do not keep other streams from receiving', async (context) => {
    const pairs = await context.pairs(50);
    const counts: number[] = [];
    for (const { left, right } of pairs) {
      await left.sendAll(pattern(100));
      counts.push((await right.recv(100)).result);
    }
    const [pair] = pairs;
    const [first] = counts;
    assert.ok(pair !== undefined && first !== undefined && first > 0);
    await pair.right.takeExactly(100 - first);
    const bytes = pattern(1_000_000);
    const [received] = await Promise.all([pair.right.takeExactly(bytes.length), pair.left.sendAll(bytes)]);
    expectBytes(received, bytes);
  }),
];
