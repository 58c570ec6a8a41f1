import assert from 'node:assert/strict';
import { Evbuffer } from 'evbuffer';
import { ascii, pattern } from '../bytes.js';
import { type ComplianceCase, casesOf } from '../case.js';
import { expectBytes, expectPrefix } from '../expect.js';

const defineCase = casesOf('closing');
const halfClose = ['halfClose'] as const;

/** Ending one side, ending cleanly, and freeing. */
export const closingCases: readonly ComplianceCase[] = [
  defineCase(
    'B60, RD-8, EV-4: both sides end one after the other; each gets all bytes of the other, then one end',
    async (context) => {
      const pair = await context.open();
      const { a, b } = pair;
      a.collect();
      b.collect();
      const there = pattern(8333);
      const back = pattern(5000, 2);
      a.bev.write(there);
      a.bev.halfClose();
      await context.until(() => b.events.length > 0, 'the end of a');
      expectBytes(b.taken, there);
      await pair.settle();
      assert.equal(a.bev.writeEnded, true);
      assert.deepEqual(a.events, []);
      b.bev.write(back);
      b.bev.halfClose();
      await context.until(() => a.events.length > 0, 'the end of b');
      expectBytes(a.taken, back);
      await pair.settle();
      assert.deepEqual([...a.events, ...b.events], ['eof', 'eof']);
      assert.equal(a.bev.freed || b.bev.freed, false, 'EV-4: an end freed something');
    },
    halfClose,
  ),

  defineCase(
    'B60: halfClose twice is halfClose once',
    async (context) => {
      const pair = await context.open();
      const { a, b } = pair;
      b.collect();
      a.bev.write('last');
      a.bev.halfClose();
      a.bev.halfClose();
      await context.until(() => b.events.length > 0, 'the end');
      await pair.settle();
      assert.deepEqual(b.events, ['eof']);
      assert.equal(ascii(b.taken), 'last');
    },
    halfClose,
  ),

  defineCase(
    'B60: a half-closed side waits with its end until writing is enabled and everything was sent',
    async (context) => {
      const pair = await context.open();
      const { a, b } = pair;
      b.collect();
      const bytes = pattern(3000);
      a.bev.disable('write');
      a.bev.write(bytes);
      a.bev.halfClose();
      await pair.settle();
      assert.deepEqual(b.log, []);
      a.bev.enable('write');
      await context.until(() => b.events.length > 0, 'the end');
      expectBytes(b.taken, bytes);
      assert.deepEqual(b.events, ['eof']);
    },
    halfClose,
  ),

  defineCase(
    'B61, B64: end sends what is queued, waits for the end of the peer, and is clean on both sides',
    async (context) => {
      const pair = await context.open();
      const { a, b } = pair;
      const bytes = pattern(Math.min(context.bulkBytes, 200_000));
      const ends: Promise<unknown>[] = [];
      a.record();
      b.collect({
        onEvent(bev) {
          ends.push(bev.end());
        },
      });
      a.bev.write(bytes);
      const ended = a.bev.end();
      assert.equal((await context.within(ended, 'end')).kind, 'clean');
      assert.deepEqual(await context.within(Promise.all(ends), 'end of the other side'), [{ kind: 'clean' }]);
      expectBytes(b.taken, bytes);
      assert.equal(a.bev.freed && b.bev.freed, true);
      assert.equal((await a.bev.closed).kind, 'clean');
      assert.equal((await b.bev.closed).kind, 'clean');
      assert.deepEqual(b.events, ['eof']);
    },
    halfClose,
  ),

  defineCase(
    'B61: end sends what is queued although writing is disabled',
    async (context) => {
      const pair = await context.open();
      const { a, b } = pair;
      b.collect({ onEvent: (bev) => void bev.end() });
      a.bev.disable('write');
      a.bev.write('held');
      assert.equal((await context.within(a.bev.end(), 'end')).kind, 'clean');
      assert.equal(ascii(b.taken), 'held');
    },
    halfClose,
  ),

  defineCase(
    'B61: both sides may end at once',
    async (context) => {
      const pair = await context.open();
      const { a, b } = pair;
      const bytes = [pattern(4000, 1), pattern(4000, 2)] as const;
      a.collect();
      b.collect();
      a.bev.write(bytes[0]);
      b.bev.write(bytes[1]);
      const causes = await context.within(Promise.all([a.bev.end(), b.bev.end(), a.bev.end()]), 'both ends');
      assert.deepEqual(
        causes.map(({ kind }) => kind),
        ['clean', 'clean', 'clean'],
      );
      expectBytes(b.taken, bytes[0]);
      expectBytes(a.taken, bytes[1]);
    },
    halfClose,
  ),

  defineCase(
    'B61: bytes that come after end still go to the handlers',
    async (context) => {
      const pair = await context.open();
      const { a, b } = pair;
      const bytes = pattern(5000);
      a.collect();
      b.collect({
        onEvent(bev) {
          bev.write(bytes);
          void bev.end();
        },
      });
      assert.equal((await context.within(a.bev.end(), 'end')).kind, 'clean');
      expectBytes(a.taken, bytes);
    },
    halfClose,
  ),

  defineCase(
    'B61: end with nobody who takes bytes sees the end of a peer that sends more than fits',
    async (context) => {
      const pair = await context.open();
      const { a, b } = pair;
      a.bev.setWatermarks('read', { high: 100 });
      b.collect({ onEvent: (bev) => void bev.end() });
      b.bev.write(pattern(5000));
      assert.equal((await context.within(a.bev.end(), 'end')).kind, 'clean');
    },
    halfClose,
  ),

  defineCase(
    'B68: bytes that nobody has taken survive a clean end until they are',
    async (context) => {
      const pair = await context.open();
      const { a, b } = pair;
      b.bev.write('left over');
      const ended = Promise.all([a.bev.end(), b.bev.end()]);
      await context.until(() => a.bev.readEnded && b.bev.readEnded, 'both ends');
      await pair.settle();
      assert.equal(a.bev.freed, false, 'B68: freed with bytes in the input');
      assert.equal(ascii(await context.within(a.bev.read(4), 'a pull')), 'left');
      assert.equal(ascii(await context.within(a.bev.read(), 'the rest')), ' over');
      assert.equal(await context.within(a.bev.read(), 'a pull after the last byte'), null);
      await context.within(ended, 'both ends');
      await context.until(() => a.bev.freed, 'the end to free');
    },
    halfClose,
  ),

  defineCase(
    'B65: await using ends cleanly',
    async (context) => {
      const pair = await context.open();
      const { a, b } = pair;
      b.collect({ onEvent: (bev) => void bev.end() });
      a.bev.write('bye');
      await context.within(Promise.resolve(a.bev[Symbol.asyncDispose]()), 'disposal');
      assert.equal(ascii(b.taken), 'bye');
      assert.equal(a.bev.freed, true);
      assert.equal((await a.bev.closed).kind, 'clean');
    },
    halfClose,
  ),

  defineCase(
    'B61: ending at any moment of a transfer sends all that was written before',
    async (context) => {
      const bytes = [pattern(3000, 1), pattern(3000, 2)] as const;
      for (let moment = 0; moment < 12; moment++) {
        const pair = await context.open();
        const { a, b } = pair;
        a.collect();
        b.collect({ onEvent: (bev) => void bev.end() });
        a.bev.write(bytes[0]);
        b.bev.write(bytes[1]);
        let steps = 0;
        await context.until(() => steps++ >= moment, 'the moment');
        assert.equal((await context.within(a.bev.end(), 'end')).kind, 'clean');
        expectBytes(a.taken, bytes[1]);
        expectBytes(b.taken, bytes[0]);
        await context.until(() => b.bev.freed, 'the other side to end');
      }
    },
    halfClose,
  ),

  defineCase('B67, CB-5, FR-1: disposing of the base frees both ends and calls nobody', async (context) => {
    const pair = await context.open();
    const { a, b } = pair;
    a.collect();
    b.collect();
    a.bev.write(pattern(5000));
    const pull = context.rejection(a.bev.read(1_000_000), 'a pull of an end whose base is gone');
    await context.within(a.bev.base[Symbol.asyncDispose](), 'disposal');
    const calls = [...a.log, ...b.log].length;
    assert.equal(a.bev.freed && b.bev.freed, true, 'B67: an end outlives its base');
    assert.equal((await pull).code, 'ERR_BUFFEREVENT_FREED');
    assert.equal((await context.within(a.bev.closed, 'closed')).kind, 'freed');
    await pair.settle();
    assert.equal([...a.log, ...b.log].length, calls, 'FR-1: called after disposal');
  }),

  defineCase(
    'FR-1, FR-2, FR-3, B62, B64: free is synchronous and idempotent, drops the output, and says so',
    async (context) => {
      const pair = await context.open();
      const { a, b } = pair;
      a.record();
      b.collect();
      const bytes = pattern(5000);
      a.bev.disable('write');
      a.bev.write(bytes);
      a.bev.free();
      assert.equal(a.bev.freed, true);
      a.bev.free();
      assert.deepEqual(await context.within(a.bev.closed, 'closed'), { kind: 'freed' });
      await pair.settle();
      assert.deepEqual(a.log, []);
      assert.equal(b.takenBytes, 0, 'FR-3: output that was held back left');
    },
  ),

  defineCase(
    'FR-1, CB-5, B6, B62: freeing at any moment of a transfer calls nothing afterwards and loses no order',
    async (context) => {
      const bytes = [pattern(3000, 1), pattern(3000, 2)] as const;
      for (let moment = 0; moment < 12; moment++) {
        const pair = await context.open();
        const { a, b } = pair;
        a.collect();
        b.collect();
        a.bev.write(bytes[0]);
        b.bev.write(bytes[1]);
        let steps = 0;
        // One turn, two turns, …: wherever the transfer is by then.
        await context.until(() => steps++ >= moment, 'the moment');
        a.bev.free();
        const calls = a.log.length;
        await pair.settle();
        assert.equal(a.log.length, calls, 'FR-1: called after free');
        expectPrefix(a.taken, bytes[1]);
        expectPrefix(b.taken, bytes[0]);
        b.bev.free();
      }
    },
  ),

  defineCase('FR-1, B62: both ends may be freed in either order, also back to back', async (context) => {
    for (const order of ['ab', 'ba'] as const) {
      const pair = await context.open();
      const { a, b } = pair;
      a.collect();
      b.collect();
      a.bev.write('from a');
      b.bev.write('from b');
      const [first, second] = order === 'ab' ? [a, b] : [b, a];
      first.bev.free();
      second.bev.free();
      await pair.settle();
      assert.deepEqual([...a.log, ...b.log], []);
    }
  }),

  defineCase('FR-5, B62: bytes moved out of the input stay valid after free', async (context) => {
    const pair = await context.open();
    const { a, b } = pair;
    const bytes = pattern(5000);
    const moved = new Evbuffer();
    b.bev.enable('read');
    a.bev.write(bytes);
    await context.until(() => b.bev.input.length === bytes.length, 'the bytes');
    b.bev.input.moveTo(moved, bytes.length);
    b.bev.free();
    a.bev.free();
    // Memory of the connection would be used for something else by now.
    const other = await context.open();
    other.b.collect();
    other.a.bev.write(pattern(5000, 9));
    await context.until(() => other.b.takenBytes === 5000, 'other bytes');
    expectBytes(moved.remove(bytes.length), bytes);
  }),

  defineCase('B61: free during end stops waiting and answers', async (context) => {
    const pair = await context.open();
    const { a } = pair;
    const ended = a.bev.end();
    await context.pending(pair, ended, 'end');
    a.bev.free();
    assert.equal((await context.within(ended, 'end after free')).kind, 'freed');
  }),
];
