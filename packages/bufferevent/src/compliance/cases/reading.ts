import assert from 'node:assert/strict';
import { ascii, pattern } from '../bytes.js';
import { type ComplianceCase, casesOf } from '../case.js';
import { expectBytes } from '../expect.js';

const defineCase = casesOf('reading');

/** Reading and its marks. */
export const readingCases: readonly ComplianceCase[] = [
  defineCase('B20: a new bufferevent writes and does not read', async (context) => {
    const pair = await context.open();
    const { a, b } = pair;
    b.record();
    assert.deepEqual(b.bev.enabled, ['write']);
    a.bev.write(pattern(100));
    await pair.settle();
    assert.equal(b.bev.input.length, 0);
    assert.deepEqual(b.log, []);
    b.bev.enable('read');
    await context.until(() => b.bev.input.length === 100, 'bytes after enabling');
  }),

  defineCase(
    'RD-2, RD-4, RD-11, WR-2, B21, B23, B34 (regress B10, B11): 65,000 bytes between a low mark of 10 and a high mark of 20: every read sees 10 to 20, every onWrite at most 100',
    async (context) => {
      const pair = await context.open();
      const { a, b } = pair;
      const bytes = pattern(Math.min(65_000, context.bulkBytes));
      assert.equal(b.bev.getWatermarks('read').low, 0);
      assert.equal(a.bev.getWatermarks('write').low, 0);
      b.bev.setWatermarks('read', { low: 10, high: 20 });
      a.bev.setWatermarks('write', { low: 100, high: 2000 });
      assert.deepEqual(b.bev.getWatermarks('read'), { low: 10, high: 20 });
      assert.deepEqual(a.bev.getWatermarks('write'), { low: 100, high: 2000 });
      b.collect();
      a.record();
      a.bev.write(bytes.subarray(0, 9));
      await pair.settle();
      assert.deepEqual(b.log, [], 'RD-11: onRead below the low mark');
      assert.equal(a.bev.write(bytes.subarray(9)), bytes.length <= 2000);
      await context.until(() => b.takenBytes + b.bev.input.length >= bytes.length, 'all bytes');
      await pair.settle();
      // Fewer than the low mark can be left at the end, and nobody is called for them.
      assert.ok(b.bev.input.length < 10, `${b.bev.input.length} bytes are left`);
      for (const length of b.lengths('read')) {
        assert.ok(length >= 10, `RD-2: onRead at ${length} bytes, below the low mark`);
        assert.ok(length <= 20, `RD-4: ${length} bytes, above the high mark`);
      }
      b.take();
      expectBytes(b.taken, bytes);
      const left = a.lengths('write');
      assert.ok(left.includes(0) && Math.max(...left) <= 100, `WR-2: onWrite with ${Math.max(...left)} bytes left`);
      assert.deepEqual([...a.events, ...b.events], []);
    },
  ),

  defineCase('RD-1, RD-2, B21: with a low mark of 0 every arrival calls, taken or not', async (context) => {
    const pair = await context.open();
    const { a, b } = pair;
    b.record();
    b.bev.enable('read');
    for (const length of [4, 8, 12]) {
      const before = b.count('read');
      a.bev.write('abcd');
      await context.until(() => b.bev.input.length === length, 'the bytes');
      await context.until(() => b.count('read') > before, 'a call although the last bytes were not taken');
      await pair.settle();
    }
    assert.equal(b.lengths('read').at(-1), 12);
    assert.equal(ascii(b.take()), 'abcdabcdabcd');
  }),

  defineCase(
    'RD-2, B21: a low mark delays the callback until it is reached, then each arrival calls',
    async (context) => {
      const pair = await context.open();
      const { a, b } = pair;
      b.record();
      b.bev.setWatermarks('read', { low: 10 });
      b.bev.enable('read');
      a.bev.write('12345');
      await context.until(() => b.bev.input.length === 5, 'five bytes');
      await pair.settle();
      assert.deepEqual(b.log, [], 'RD-2: called below the low mark');
      a.bev.write('67890');
      await context.until(() => b.count('read') > 0, 'a call at the mark');
      await pair.settle();
      assert.deepEqual(b.log, ['read 10']);
      a.bev.write('!');
      await context.until(() => b.count('read') > 1, 'another call for one more byte');
      await pair.settle();
      assert.deepEqual(b.log, ['read 10', 'read 11']);
    },
  ),

  defineCase('RD-3, B22: draining, marks and handlers call nobody for bytes that are there', async (context) => {
    const pair = await context.open();
    const { a, b } = pair;
    b.bev.setWatermarks('read', { low: 100 });
    b.bev.enable('read');
    a.bev.write(pattern(50));
    await context.until(() => b.bev.input.length === 50, 'the bytes');
    b.record();
    await pair.settle();
    b.bev.setWatermarks('read', { low: 10 });
    await pair.settle();
    b.bev.input.drain(5);
    b.bev.setWatermarks('read', { low: 0, high: 1000 });
    b.bev.disable('read');
    b.bev.enable('read');
    await pair.settle();
    assert.deepEqual(b.log, []);
    b.bev.trigger('read');
    await pair.settle();
    assert.deepEqual(b.log, ['read 45']);
  }),

  defineCase(
    'RD-4, RD-10, B23: reading rests at the high mark and goes on when the mark is lifted',
    async (context) => {
      const pair = await context.open();
      const { a, b } = pair;
      const bytes = pattern(1000);
      b.record();
      b.bev.setWatermarks('read', { high: 100 });
      b.bev.enable('read');
      a.bev.write(bytes);
      await context.until(() => b.bev.input.length >= 100, 'the mark');
      await pair.settle();
      assert.equal(b.bev.input.length, 100);
      b.bev.setWatermarks('read', { high: 300 });
      await context.until(() => b.bev.input.length >= 300, 'the higher mark');
      await pair.settle();
      assert.equal(b.bev.input.length, 300);
      b.bev.setWatermarks('read', { high: 50 });
      await pair.settle();
      assert.equal(b.bev.input.length, 300);
      b.bev.setWatermarks('read', { high: 0 });
      await context.until(() => b.bev.input.length === bytes.length, 'all bytes without a mark');
      expectBytes(b.take(), bytes);
    },
  ),

  defineCase('RD-4, B23: a high mark that is lowered while nothing comes holds for the next bytes', async (context) => {
    const pair = await context.open();
    const { a, b } = pair;
    b.bev.setWatermarks('read', { high: 1000 });
    b.bev.enable('read');
    await pair.settle();
    b.bev.setWatermarks('read', { high: 10 });
    await pair.settle();
    a.bev.write(pattern(500));
    await context.until(() => b.bev.input.length >= 10, 'the mark');
    await pair.settle();
    assert.equal(b.bev.input.length, 10);
  }),

  defineCase('RD-4, B23: draining below the high mark goes on reading by itself', async (context) => {
    const pair = await context.open();
    const { a, b } = pair;
    const bytes = pattern(2000);
    b.bev.setWatermarks('read', { high: 64 });
    b.bev.enable('read');
    a.bev.write(bytes);
    while (b.takenBytes < bytes.length) {
      const due = Math.min(64, bytes.length - b.takenBytes);
      await context.until(() => b.bev.input.length >= due, 'the input to fill up again');
      assert.ok(b.bev.input.length <= 64, `RD-4: ${b.bev.input.length} bytes with a mark of 64`);
      b.take(Math.min(37, b.bev.input.length));
    }
    expectBytes(b.taken, bytes);
  }),

  defineCase(
    'RD-5, B24 (regress I: high-watermark spin): a full input that nobody drains costs no callback',
    async (context) => {
      const pair = await context.open();
      const { a, b } = pair;
      b.record();
      b.bev.setWatermarks('read', { high: 10 });
      b.bev.enable('read');
      a.bev.write(pattern(100));
      await context.until(() => b.bev.input.length === 10, 'a full input');
      await pair.settle();
      const calls = b.count('read');
      assert.ok(calls >= 1 && calls <= 10, `RD-5: ${calls} calls for 10 bytes`);
      for (let round = 0; round < 3; round++) await pair.settle();
      assert.equal(b.count('read'), calls, 'RD-5: called again although nothing arrived');
      assert.equal(b.bev.base.stats().waitingCallbacks, 0, 'RD-5: a callback waits although nothing happened');
    },
  ),

  defineCase('RD-6, B25: a low mark above the high one is refused and changes nothing', async (context) => {
    const pair = await context.open();
    const { bev } = pair.a;
    for (const direction of ['read', 'write'] as const) {
      bev.setWatermarks(direction, { low: 3, high: 10 });
      for (const marks of [{ low: 11 }, { high: 2 }, { low: 5, high: 4 }]) {
        assert.throws(() => bev.setWatermarks(direction, marks), { name: /RangeError/, code: 'ERR_OUT_OF_RANGE' });
      }
      assert.deepEqual(bev.getWatermarks(direction), { low: 3, high: 10 });
      bev.setWatermarks(direction, { low: 11, high: 0 });
      assert.deepEqual(bev.getWatermarks(direction), { low: 11, high: 0 });
    }
  }),

  defineCase(
    'RD-7, RD-8, B26 (regress I: EOF while suspended): the end is not noticed while the input is full; it comes after the last byte',
    async (context) => {
      const pair = await context.open();
      const { a, b } = pair;
      b.record();
      b.bev.setWatermarks('read', { high: 4 });
      b.bev.enable('read');
      a.bev.write('0123456789');
      a.bev.halfClose();
      for (let taken = 0; taken < 8; taken += 4) {
        await context.until(() => b.bev.input.length === 4, 'four bytes');
        await pair.settle();
        assert.deepEqual(b.events, [], 'RD-7: the end was told while the input was full');
        b.take(4);
      }
      await context.until(() => b.events.length > 0, 'the end');
      assert.equal(b.bev.input.length, 2);
      assert.equal(ascii(b.take()), '89');
      assert.equal(ascii(b.taken), '0123456789');
      assert.deepEqual(b.events, ['eof']);
    },
    ['halfClose'],
  ),

  defineCase(
    'RD-7, B26: the end is not noticed while reading is disabled',
    async (context) => {
      const pair = await context.open();
      const { a, b } = pair;
      b.record();
      a.bev.write('last');
      a.bev.halfClose();
      await pair.settle();
      assert.deepEqual(b.log, []);
      assert.equal(b.bev.readEnded, false);
      b.bev.enable('read');
      await context.until(() => b.events.length > 0, 'the end');
      assert.equal(ascii(b.take()), 'last');
      assert.equal(b.bev.readEnded, true);
    },
    ['halfClose'],
  ),

  defineCase(
    'RD-8, B26: all bytes are delivered before the end',
    async (context) => {
      const pair = await context.open();
      const { a, b } = pair;
      const bytes = pattern(8333);
      let atTheEnd = -1;
      b.collect({
        onEvent: () => {
          atTheEnd = b.takenBytes;
        },
      });
      a.bev.write(bytes);
      a.bev.halfClose();
      await context.until(() => b.events.length > 0, 'the end');
      assert.equal(atTheEnd, bytes.length, 'RD-8: the end came before the last byte');
      expectBytes(b.taken, bytes);
    },
    ['halfClose'],
  ),

  defineCase('RD-9, B20: enabling while suspended records the wish and lifts no suspension', async (context) => {
    const pair = await context.open();
    const { a, b } = pair;
    b.bev.setWatermarks('read', { high: 10 });
    b.bev.enable('read');
    a.bev.write(pattern(30));
    await context.until(() => b.bev.input.length === 10, 'the mark');
    await pair.settle();
    assert.deepEqual(b.bev.enabled, ['read', 'write'], 'RD-9: the suspension shows');
    b.bev.disable('read');
    assert.deepEqual(b.bev.enabled, ['write']);
    b.bev.enable('read');
    await pair.settle();
    assert.equal(b.bev.input.length, 10, 'RD-9: enabling lifted the suspension');
    b.bev.disable('read');
    b.bev.input.drain(10);
    await pair.settle();
    assert.equal(b.bev.input.length, 0, 'RD-9: draining enabled reading');
    b.bev.enable('read');
    await context.until(() => b.bev.input.length === 10, 'reading to go on');
  }),

  defineCase('B20: disabling reading again and again loses no byte', async (context) => {
    const pair = await context.open();
    const { a, b } = pair;
    const bytes = pattern(5000);
    b.record({
      onRead(bev) {
        bev.disable('read');
        b.take();
      },
    });
    for (let at = 0; at < bytes.length; at += 500) a.bev.write(bytes.subarray(at, at + 500));
    while (b.takenBytes + b.bev.input.length < bytes.length) {
      const before = b.takenBytes + b.bev.input.length;
      b.bev.enable('read');
      await context.until(() => b.takenBytes + b.bev.input.length > before, 'more bytes');
    }
    b.take();
    expectBytes(b.taken, bytes);
  }),

  defineCase('RD-9, B20: while reading is disabled no bytes arrive and nobody is called', async (context) => {
    const pair = await context.open();
    const { a, b } = pair;
    b.record();
    b.bev.enable('read');
    a.bev.write('one');
    await context.until(() => b.bev.input.length === 3, 'the first bytes');
    b.bev.disable('read');
    await pair.settle();
    const calls = b.log.length;
    a.bev.write('two');
    await pair.settle();
    assert.equal(b.bev.input.length, 3);
    assert.equal(b.log.length, calls);
    b.bev.enable('read');
    await context.until(() => b.bev.input.length === 6, 'the rest');
  }),

  defineCase('RD-4, B23: what the user puts in front counts, and may exceed the mark', async (context) => {
    const pair = await context.open();
    const { a, b } = pair;
    b.bev.setWatermarks('read', { high: 10 });
    b.bev.input.prepend('twelve bytes');
    b.bev.enable('read');
    a.bev.write('behind');
    await pair.settle();
    assert.equal(b.bev.input.length, 12);
    b.bev.input.drain(7);
    await context.until(() => b.bev.input.length === 10, 'bytes up to the mark');
    assert.equal(ascii(b.take(10)), 'bytesbehin');
    await context.until(() => b.bev.input.length === 1, 'the last byte');
  }),

  defineCase('B27: users can neither add to the input nor take from the output', async (context) => {
    const pair = await context.open();
    const { bev } = pair.a;
    bev.disable('write');
    bev.write('queued');
    assert.throws(() => bev.input.add('x'), { code: 'ERR_EVBUFFER_FROZEN_BACK' });
    assert.throws(() => bev.output.drain(1), { code: 'ERR_EVBUFFER_FROZEN_FRONT' });
    assert.throws(() => bev.output.prepend('x'), { code: 'ERR_EVBUFFER_FROZEN_FRONT' });
    assert.equal(bev.input.length, 0);
    assert.equal(bev.output.length, 6);
  }),
];
