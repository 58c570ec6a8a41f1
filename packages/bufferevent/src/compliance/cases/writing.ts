import assert from 'node:assert/strict';
import { Evbuffer } from 'evbuffer';
import { pattern } from '../bytes.js';
import { type ComplianceCase, casesOf } from '../case.js';
import { expectBytes, expectCode } from '../expect.js';

const defineCase = casesOf('writing');

/** Writing, its marks, pressure and the hard cap. */
export const writingCases: readonly ComplianceCase[] = [
  defineCase(
    'WR-2, B34: with a low mark of 0 onWrite runs when the output is empty, and not before',
    async (context) => {
      const pair = await context.open();
      const { a, b } = pair;
      b.collect();
      a.record();
      a.bev.write(pattern(120));
      await context.until(() => a.count('write') > 0, 'onWrite');
      await context.until(() => b.takenBytes === 120, 'the bytes');
      await pair.settle();
      assert.deepEqual(a.log, ['write 0']);
    },
  ),

  defineCase('WR-2, B34: a low mark calls while that much is left', async (context) => {
    const pair = await context.open();
    const { a, b } = pair;
    b.collect();
    a.record();
    a.bev.setWatermarks('write', { low: 100 });
    a.bev.write(pattern(5000));
    await context.until(() => b.takenBytes === 5000 && a.lengths('write').includes(0), 'all bytes');
    for (const left of a.lengths('write')) assert.ok(left <= 100, `WR-2: onWrite with ${left} bytes left`);
  }),

  defineCase('WR-3, B34: enabling writing with an empty output calls onWrite once', async (context) => {
    const pair = await context.open();
    const { a } = pair;
    a.record();
    await pair.settle();
    assert.deepEqual(a.log, [], 'WR-8: called for nothing');
    a.bev.disable('write');
    a.bev.enable('write');
    await pair.settle();
    assert.deepEqual(a.log, ['write 0']);
    a.bev.enable('write');
    await pair.settle();
    assert.deepEqual(a.log, ['write 0'], 'WR-3: called although writing was enabled already');
  }),

  defineCase(
    'B31, B37, WR-5: what is written while writing is disabled waits, and leaves when it is enabled',
    async (context) => {
      const pair = await context.open();
      const { a, b } = pair;
      const bytes = pattern(3000);
      b.collect();
      a.record();
      a.bev.disable('write');
      a.bev.write(bytes);
      await pair.settle();
      assert.equal(b.takenBytes, 0, 'B37: bytes left although writing is disabled');
      assert.equal(a.bev.output.length, bytes.length);
      assert.deepEqual(a.log, []);
      a.bev.enable('write');
      await context.until(() => b.takenBytes === bytes.length, 'the bytes');
      expectBytes(b.taken, bytes);
      await context.until(() => a.lengths('write').includes(0), 'onWrite');
    },
  ),

  defineCase('WR-4, B32: write answers false above the high mark and queues all the same', async (context) => {
    const pair = await context.open();
    const { a, b } = pair;
    b.collect();
    a.bev.setWatermarks('write', { high: 1000 });
    const bytes = pattern(1500);
    assert.equal(a.bev.write(bytes.subarray(0, 1000)), true, 'WR-4: false at the mark');
    assert.equal(a.bev.write(bytes.subarray(1000, 1001)), false, 'WR-4: true above the mark');
    assert.equal(a.bev.write(bytes.subarray(1001)), false);
    assert.equal(a.bev.output.length, bytes.length);
    await context.until(() => b.takenBytes === bytes.length, 'the bytes');
    expectBytes(b.taken, bytes);
    assert.equal(a.bev.write('more'), true);
    a.bev.setWatermarks('write', { high: 0 });
    assert.equal(a.bev.write(pattern(100_000)), true, 'WR-4: false without a mark');
  }),

  defineCase('WR-4, B32: the default high mark of the output is 64 KiB', async (context) => {
    const pair = await context.open();
    const { a } = pair;
    a.bev.disable('write');
    assert.equal(a.bev.write(pattern(64 * 1024)), true);
    assert.equal(a.bev.write('x'), false);
  }),

  defineCase(
    'WR-2, WR-4, B32: a producer that heeds false and waits for onWrite gets everything through',
    async (context) => {
      const pair = await context.open();
      const { a, b } = pair;
      b.collect();
      const bytes = pattern(Math.min(context.bulkBytes, 300_000));
      a.bev.setWatermarks('write', { high: 4000 });
      let at = 0;
      let most = 0;
      const produce = (): void => {
        let more = true;
        while (more && at < bytes.length) {
          more = a.bev.write(bytes.subarray(at, at + 700));
          at += 700;
        }
        most = Math.max(most, a.bev.output.length);
      };
      a.record({ onWrite: produce });
      produce();
      await context.until(() => b.takenBytes >= bytes.length, 'all bytes');
      expectBytes(b.taken, bytes);
      assert.ok(most <= 4700, `WR-4: an output of ${most} bytes although the producer heeds the answer`);
    },
  ),

  defineCase(
    'WR-4, B33: a write above the hard cap throws, queues nothing, and fails the connection with one event',
    async (context) => {
      const pair = await context.open({ limits: { outputMaxBytes: 10_000, outputHighWatermark: 5000 } });
      const { a } = pair;
      const errors: Error[] = [];
      a.record({ onEvent: (_, event) => event.kind === 'error' && void errors.push(event.error) });
      a.bev.disable('write');
      a.bev.write(pattern(9000));
      let thrown: unknown;
      try {
        a.bev.write(pattern(1001));
      } catch (error) {
        thrown = error;
      }
      assert.equal((thrown as { code?: string })?.code, 'ERR_BUFFEREVENT_OUTPUT_LIMIT', 'B33: the write was accepted');
      assert.equal(a.bev.output.length, 9000, 'B33: something of the refused write is queued');
      await context.until(() => a.events.length > 0, 'the error event');
      await pair.settle();
      assert.deepEqual(a.events, ['error write ERR_BUFFEREVENT_OUTPUT_LIMIT']);
      assert.equal(errors[0], thrown);
      assert.equal((await context.within(a.bev.closed, 'closed')).kind, 'error');
    },
  ),

  defineCase('B36: after a failure write drops its data and answers false', async (context) => {
    const pair = await context.open({ limits: { outputMaxBytes: 100, outputHighWatermark: 50 } });
    const { bev } = pair.a;
    expectCode('ERR_BUFFEREVENT_OUTPUT_LIMIT', () => bev.write(pattern(101)));
    const moved = Evbuffer.from('dropped, too');
    assert.equal(bev.write('dropped'), false);
    assert.equal(bev.write(moved), false);
    assert.equal(moved.length, 0, 'B36: the content of an Evbuffer was not dropped');
    assert.equal(bev.output.length, 0);
    await pair.settle();
    assert.equal(bev.write('dropped'), false);
  }),

  defineCase('B36: writing after halfClose or end throws, queues nothing and loses nothing', async (context) => {
    for (const close of ['halfClose', 'end'] as const) {
      const pair = await context.open();
      const { a, b } = pair;
      b.collect();
      a.bev.write('before');
      void a.bev[close]();
      expectCode('ERR_BUFFEREVENT_WRITE_AFTER_END', () => a.bev.write('after'));
      assert.throws(() => a.bev.output.add('after'), { code: 'ERR_EVBUFFER_FROZEN_BACK' });
      await context.until(() => b.takenBytes >= 6, 'what was written before');
      await pair.settle();
      assert.equal(b.takenBytes, 6);
    }
  }),

  defineCase(
    'B38, FI-10: drained resolves when everything was taken, and freeing then loses nothing',
    async (context) => {
      const pair = await context.open();
      const { a, b } = pair;
      const bytes = pattern(Math.min(context.bulkBytes, 200_000));
      b.collect();
      a.bev.write(bytes);
      await context.within(a.bev.drained(), 'drained');
      assert.equal(a.bev.output.length, 0, 'B38: resolved while output is left');
      a.bev.free();
      await context.until(() => b.takenBytes >= bytes.length, 'all bytes');
      expectBytes(b.taken, bytes);
    },
  ),

  defineCase('B38: drained resolves at once with nothing queued', async (context) => {
    const pair = await context.open();
    await context.within(pair.a.bev.drained(), 'drained with an empty output');
  }),

  defineCase('B38: drained waits while writing is disabled, for every caller', async (context) => {
    const pair = await context.open();
    const { a, b } = pair;
    b.collect();
    a.bev.disable('write');
    a.bev.write('held');
    const both = Promise.all([a.bev.drained(), a.bev.drained()]);
    await context.pending(pair, both, 'drained');
    a.bev.enable('write');
    await context.within(both, 'drained after enabling');
  }),

  defineCase('B38: drained waits for a peer that takes nothing, over the whole path', async (context) => {
    const pair = await context.open();
    const { a, b } = pair;
    const bytes = new Uint8Array(context.transitBytes + 1000).fill(7);
    a.bev.write(bytes);
    const drained = a.bev.drained();
    await context.pending(pair, drained, 'drained');
    assert.ok(a.bev.output.length > 0, 'transitBytes of the flavour is too low');
    b.record({ onRead: (bev) => void bev.input.drain(bev.input.length) });
    b.bev.enable('read');
    await context.within(drained, 'drained when the peer reads');
    assert.equal(a.bev.output.length, 0);
  }),

  defineCase('B38: drained rejects when the connection is freed or fails first', async (context) => {
    const freed = await context.open();
    freed.a.bev.disable('write');
    freed.a.bev.write('held');
    const first = context.rejection(freed.a.bev.drained(), 'drained of a freed connection');
    freed.a.bev.free();
    assert.equal((await first).code, 'ERR_BUFFEREVENT_FREED');
    const failed = await context.open({ limits: { outputMaxBytes: 100, outputHighWatermark: 50 } });
    failed.a.bev.disable('write');
    failed.a.bev.write('held');
    const second = context.rejection(failed.a.bev.drained(), 'drained of a failed connection');
    expectCode('ERR_BUFFEREVENT_OUTPUT_LIMIT', () => failed.a.bev.write(pattern(100)));
    assert.equal((await second).code, 'ERR_BUFFEREVENT_OUTPUT_LIMIT');
  }),

  defineCase(
    'B38, B74: an aborted drained rejects with the reason, and what is queued still leaves',
    async (context) => {
      const pair = await context.open();
      const { a, b } = pair;
      b.collect();
      a.bev.disable('write');
      a.bev.write('held');
      const controller = new AbortController();
      const reason = new Error('no longer');
      const waiting = context.rejection(a.bev.drained({ signal: controller.signal }), 'an aborted drained');
      controller.abort(reason);
      assert.equal(await waiting, reason);
      assert.equal(await context.rejection(a.bev.drained({ signal: controller.signal }), 'drained, aborted'), reason);
      a.bev.enable('write');
      await context.within(a.bev.drained(), 'drained');
      await context.until(() => b.takenBytes === 4, 'the bytes');
    },
  ),
];
