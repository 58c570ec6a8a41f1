import assert from 'node:assert/strict';
import { ascii, pattern } from '../bytes.js';
import { type ComplianceCase, casesOf } from '../case.js';
import { expectBytes } from '../expect.js';

const defineCase = casesOf('pulling');
const halfClose = ['halfClose'] as const;

/** `read`, `readLine` and `for await`. */
export const pullingCases: readonly ComplianceCase[] = [
  defineCase(
    'B70, B73: read waits for bytes although reading is not enabled, and stops reading afterwards',
    async (context) => {
      const pair = await context.open();
      const { a, b } = pair;
      const pull = b.bev.read();
      await context.pending(pair, pull, 'a read of nothing');
      a.bev.write('first');
      const first = await context.within(pull, 'the read');
      assert.ok(first !== null && first.length > 0);
      assert.ok('first'.startsWith(ascii(first) as string));
      assert.deepEqual(b.bev.enabled, ['write']);
      await pair.settle();
      const rest = 5 - first.length - b.bev.input.length;
      if (rest > 0) await context.within(b.bev.read(5 - first.length), 'the rest');
      else b.bev.input.drain(b.bev.input.length);
      await pair.settle();
      a.bev.write('second');
      await pair.settle();
      assert.equal(b.bev.input.length, 0, 'B73: reading goes on although nobody waits');
    },
  ),

  defineCase('B70: read(n) gives exactly n bytes, across pieces', async (context) => {
    const pair = await context.open();
    const { a, b } = pair;
    const bytes = pattern(4000);
    const sizes = [1, 10, 999, 1000, 1990];
    const pulls = sizes.map((size) => b.bev.read(size));
    for (let at = 0; at < bytes.length; at += 333) a.bev.write(bytes.subarray(at, at + 333));
    const parts = await context.within(Promise.all(pulls), 'all reads');
    assert.deepEqual(
      parts.map((part) => part?.length),
      sizes,
    );
    expectBytes(Buffer.concat(parts as Uint8Array[]), bytes);
    assert.equal(b.bev.input.length, 0);
  }),

  defineCase(
    'B70: at the end read answers null; read(n) that gets fewer rejects and leaves them',
    async (context) => {
      const pair = await context.open();
      const { a, b } = pair;
      a.bev.write('abc');
      a.bev.halfClose();
      const error = await context.rejection(b.bev.read(4), 'a read across the end');
      assert.equal(error.code, 'ERR_BUFFEREVENT_UNEXPECTED_END');
      assert.equal(ascii(await context.within(b.bev.read(3), 'what is there')), 'abc');
      assert.equal(await context.within(b.bev.read(), 'a read at the end'), null);
      assert.equal(await context.within(b.bev.read(3), 'a read(n) at the end'), null);
      assert.equal(await context.within(b.bev.readLine(), 'a line at the end'), null);
    },
    halfClose,
  ),

  defineCase('B71: read(n) above the high mark lifts it for that read only', async (context) => {
    const pair = await context.open();
    const { a, b } = pair;
    const bytes = pattern(1000);
    b.bev.setWatermarks('read', { high: 16 });
    a.bev.write(bytes);
    const part = await context.within(b.bev.read(500), 'a read above the mark');
    expectBytes(part as Uint8Array, bytes.subarray(0, 500));
    b.bev.enable('read');
    await context.until(() => b.bev.input.length >= 16, 'the mark');
    await pair.settle();
    assert.equal(b.bev.input.length, 16, 'B71: the mark is still lifted');
  }),

  defineCase('B71: read(n) above maxBytes rejects at once', async (context) => {
    const pair = await context.open();
    const { b } = pair;
    const error = await context.rejection(b.bev.read(101, { maxBytes: 100 }), 'a read above the limit');
    assert.equal(error.code, 'ERR_BUFFEREVENT_READ_LIMIT');
    const limit = await context.rejection(b.bev.read(16 * 1024 * 1024 + 1), 'a read above the default limit');
    assert.equal(limit.code, 'ERR_BUFFEREVENT_READ_LIMIT');
  }),

  defineCase('B72: readLine gives lines without their terminator, in every style', async (context) => {
    const pair = await context.open();
    const { a, b } = pair;
    const line = (pull: Promise<string | null>) => context.within(pull, 'a line');
    a.bev.write('crlf\r\nlf only\nstrict\r\nnul\0any\n\r\nrest\n\n');
    assert.equal(await line(b.bev.readLine()), 'crlf');
    assert.equal(await line(b.bev.readLine()), 'lf only');
    assert.equal(await line(b.bev.readLine('crlf-strict')), 'strict');
    assert.equal(await line(b.bev.readLine('nul')), 'nul');
    assert.equal(await line(b.bev.readLine('lf')), 'any');
    assert.equal(await line(b.bev.readLine('crlf')), '');
    assert.equal(await line(b.bev.readLine('lf')), 'rest');
    assert.equal(await line(b.bev.readLine('lf')), '');
    a.bev.write('é\n');
    assert.equal(await line(b.bev.readLine('lf')), 'é');
    a.bev.write(Uint8Array.of(0xe9, 0x0a));
    assert.equal(await line(b.bev.readLine('lf', { encoding: 'latin1' })), 'é');
  }),

  defineCase('B72: a line that comes in pieces is found once it is whole', async (context) => {
    const pair = await context.open();
    const { a, b } = pair;
    const pull = b.bev.readLine();
    for (const piece of ['a ', 'line in ', 'pieces\r']) {
      a.bev.write(piece);
      await context.pending(pair, pull, 'half a line');
    }
    a.bev.write('\nnext');
    assert.equal(await context.within(pull, 'the line'), 'a line in pieces');
  }),

  defineCase(
    'B70, B72: a line is looked for anew when bytes are put in front or taken while it is waited for',
    async (context) => {
      const pair = await context.open();
      const { a, b } = pair;
      const first = b.bev.readLine('lf');
      a.bev.write('a long beginning of ');
      await context.pending(pair, first, 'half a line');
      b.bev.input.prepend('in front\n');
      assert.equal(await context.within(first, 'the line in front'), 'in front');
      const second = b.bev.readLine('lf');
      await context.pending(pair, second, 'half a line');
      b.bev.input.drain(17);
      a.bev.write('it\n');
      assert.equal(await context.within(second, 'the line'), 'of it');
    },
  ),

  defineCase(
    'B72: a line above maxBytes and a last line without terminator reject, and their bytes stay',
    async (context) => {
      const pair = await context.open();
      const { a, b } = pair;
      a.bev.write('0123456789');
      const limit = await context.rejection(b.bev.readLine('lf', { maxBytes: 5 }), 'a long line');
      assert.equal(limit.code, 'ERR_BUFFEREVENT_LINE_LIMIT');
      a.bev.halfClose();
      const end = await context.rejection(b.bev.readLine('lf'), 'a line without terminator');
      assert.equal(end.code, 'ERR_BUFFEREVENT_UNEXPECTED_END');
      assert.equal(ascii(await context.within(b.bev.read(10), 'the bytes')), '0123456789');
    },
    halfClose,
  ),

  defineCase('B73: pulls are served in their order, before onRead', async (context) => {
    const pair = await context.open();
    const { a, b } = pair;
    const order: string[] = [];
    b.record({ onRead: () => void order.push('onRead') });
    b.bev.enable('read');
    const note = (name: string) => (value: Uint8Array | string | null) => {
      order.push(`${name} ${typeof value === 'string' ? value : ascii(value)}`);
    };
    const pulls = [
      b.bev.read(3).then(note('first')),
      b.bev.readLine('lf').then(note('second')),
      b.bev.read(2).then(note('third')),
    ];
    a.bev.write('abcline\nxy');
    await context.within(Promise.all(pulls), 'all pulls');
    await pair.settle();
    assert.deepEqual(order, ['first abc', 'second line', 'third xy']);
    a.bev.write('z');
    await context.until(() => order.length > 3, 'onRead');
    assert.equal(b.lengths('read').at(-1), 1);
  }),

  defineCase(
    'B74: an aborted pull rejects with the reason and takes nothing; those behind it are served',
    async (context) => {
      const pair = await context.open();
      const { a, b } = pair;
      const controller = new AbortController();
      const reason = new Error('enough');
      const aborted = context.rejection(b.bev.read(1000, { signal: controller.signal }), 'an aborted pull');
      const behind = b.bev.read(5);
      a.bev.write('hello');
      await context.pending(pair, behind, 'a pull behind another');
      controller.abort(reason);
      assert.equal(await aborted, reason);
      assert.equal(ascii(await context.within(behind, 'the pull behind')), 'hello');
      assert.equal(
        await context.rejection(b.bev.read(1, { signal: controller.signal }), 'a pull aborted before'),
        reason,
      );
      assert.equal(
        await context.rejection(b.bev.readLine('lf', { signal: controller.signal }), 'a line aborted before'),
        reason,
      );
    },
  ),

  defineCase('B75, FR-1: free rejects the pulls that wait', async (context) => {
    const pair = await context.open();
    const { b } = pair;
    const pulls = [b.bev.read(), b.bev.read(10), b.bev.readLine()].map((pull) => context.rejection(pull, 'a pull'));
    await pair.settle();
    b.bev.free();
    for (const pull of pulls) assert.equal((await pull).code, 'ERR_BUFFEREVENT_FREED');
  }),

  defineCase('B75: a failure rejects the pulls that wait with its error', async (context) => {
    const pair = await context.open({ limits: { outputMaxBytes: 100, outputHighWatermark: 50 } });
    const { a } = pair;
    const pull = context.rejection(a.bev.read(), 'a pull of a failed connection');
    let thrown: unknown;
    try {
      a.bev.write(pattern(101));
    } catch (error) {
      thrown = error;
    }
    assert.equal(await pull, thrown);
  }),

  defineCase('B21, B73: what a pull leaves over while reading is disabled calls nobody', async (context) => {
    const pair = await context.open();
    const { a, b } = pair;
    b.record();
    const pull = b.bev.read(3);
    a.bev.write('abcde');
    assert.equal(ascii(await context.within(pull, 'the pull')), 'abc');
    await pair.settle();
    assert.deepEqual(b.log, []);
    assert.equal(ascii(await context.within(b.bev.read(2), 'the rest')), 'de');
    assert.deepEqual(b.log, []);
  }),

  defineCase(
    'B70: bytes put in front of the input are read first, and may be what a pull waits for',
    async (context) => {
      const pair = await context.open();
      const { a, b } = pair;
      const pull = b.bev.read(4);
      a.bev.write('yz');
      await context.pending(pair, pull, 'a pull of more than there is');
      b.bev.input.prepend('wx');
      assert.equal(ascii(await context.within(pull, 'the pull')), 'wxyz');
      b.bev.input.prepend('front\n');
      assert.equal(await context.within(b.bev.readLine('lf'), 'a line'), 'front');
    },
  ),

  defineCase('B71, B74: a pull that is aborted gives the mark back that it lifted', async (context) => {
    const pair = await context.open();
    const { a, b } = pair;
    const controller = new AbortController();
    b.bev.setWatermarks('read', { high: 16 });
    const aborted = context.rejection(b.bev.read(100, { signal: controller.signal }), 'an aborted pull');
    controller.abort();
    await aborted;
    b.bev.enable('read');
    a.bev.write(pattern(200));
    await context.until(() => b.bev.input.length >= 16, 'the mark');
    await pair.settle();
    assert.equal(b.bev.input.length, 16, 'B71: the mark is still lifted');
  }),

  defineCase('B73, B74: bytes that an aborted pull was waiting with go to the handler', async (context) => {
    const pair = await context.open();
    const { a, b } = pair;
    b.record();
    b.bev.enable('read');
    const controller = new AbortController();
    const aborted = context.rejection(b.bev.read(1000, { signal: controller.signal }), 'an aborted pull');
    a.bev.write('hello');
    await context.until(() => b.bev.input.length === 5, 'the bytes');
    await pair.settle();
    assert.deepEqual(b.log, [], 'B73: onRead sees the bytes of a pull');
    controller.abort();
    await aborted;
    await context.until(() => b.log.length > 0, 'onRead');
    await pair.settle();
    assert.deepEqual(b.log, ['read 5']);
  }),

  defineCase(
    'B61, B73: pulls that wait when end is called get what still comes, and null after it',
    async (context) => {
      const pair = await context.open();
      const { a, b } = pair;
      const first = context.within(a.bev.read(4), 'the first pull');
      const second = context.within(a.bev.readLine('lf'), 'the second pull');
      const third = context.within(a.bev.read(3), 'the pull at the end');
      const ended = a.bev.end();
      b.bev.write('fourline\n');
      void b.bev.end();
      assert.equal(ascii(await first), 'four');
      assert.equal(await second, 'line');
      assert.equal(await third, null);
      assert.equal((await context.within(ended, 'end')).kind, 'clean');
      assert.equal(await context.within(a.bev.read(), 'a pull after a clean end'), null);
    },
    halfClose,
  ),

  defineCase(
    'B76: for await gives all bytes and stops at the end',
    async (context) => {
      const pair = await context.open();
      const { a, b } = pair;
      const bytes = pattern(Math.min(context.bulkBytes, 100_000));
      a.bev.write(bytes);
      a.bev.halfClose();
      const chunks: Uint8Array[] = [];
      const loop = (async () => {
        for await (const chunk of b.bev) chunks.push(chunk);
      })();
      await context.within(loop, 'the loop');
      expectBytes(Buffer.concat(chunks), bytes);
    },
    halfClose,
  ),

  defineCase('B76: leaving a for await loop closes nothing and loses nothing', async (context) => {
    const pair = await context.open();
    const { a, b } = pair;
    a.bev.write('one');
    const loop = (async () => {
      for await (const chunk of b.bev) return chunk;
      return null;
    })();
    const first = await context.within(loop, 'the first chunk');
    a.bev.write(' two');
    const rest = await context.within(b.bev.read(7 - (first as Uint8Array).length), 'the rest');
    assert.equal(`${ascii(first)}${ascii(rest)}`, 'one two');
    assert.equal(b.bev.freed, false);
  }),
];
