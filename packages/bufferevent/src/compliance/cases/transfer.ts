import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { Evbuffer } from 'evbuffer';
import { FileSegment } from 'evbuffer/file';
import { inPieces, pattern } from '../bytes.js';
import { type ComplianceCase, casesOf } from '../case.js';
import type { CaseContext, Pair } from '../context.js';
import { expectBytes } from '../expect.js';

const defineCase = casesOf('transfer');

/** As many as the cases of libevent's suite move. */
const SIMPLE_BYTES = 8333;
const MANY_BYTES = 65_000;
const oddSizes = [1, 2, 7, 100, 1000, 333, 4096, 16_385];

async function echo(context: CaseContext, pair: Pair, bytes: Uint8Array, sizes: readonly number[]): Promise<void> {
  const { a, b } = pair;
  a.collect();
  b.record({ onRead: (bev) => void bev.write(bev.input) });
  b.bev.enable('read');
  for (const piece of inPieces(bytes, sizes)) a.bev.write(piece);
  await context.until(() => a.takenBytes >= bytes.length, 'the echo');
  await pair.settle();
  expectBytes(a.taken, bytes);
  assert.deepEqual([...a.events, ...b.events], []);
}

/** Bytes arrive, all of them, in order. */
export const transferCases: readonly ComplianceCase[] = [
  defineCase(
    'B20, B30, WR-1 (regress B1, B2): 8333 bytes gather in the input; the reader moves them out, the writer hears of an empty output, nobody of an event',
    async (context) => {
      const pair = await context.open();
      const { a, b } = pair;
      const bytes = pattern(SIMPLE_BYTES);
      const moved = new Evbuffer();
      let successes = 0;
      const reader = b.handlers({
        onRead(bev) {
          if (bev.input.length < SIMPLE_BYTES) return;
          successes += 1;
          bev.input.moveTo(moved, SIMPLE_BYTES);
          bev.disable('read');
        },
      });
      b.bev.setHandlers(reader);
      assert.equal(b.bev.handlers, reader);
      b.bev.enable('read');
      assert.deepEqual(b.bev.enabled, ['read', 'write']);
      a.record();
      a.bev.disable('read');
      assert.deepEqual(a.bev.enabled, ['write']);
      assert.equal(a.bev.write(bytes), true);
      assert.equal(a.bev.output.length, SIMPLE_BYTES, 'WR-1: something was sent inside write');
      await context.until(() => moved.length === SIMPLE_BYTES, 'all bytes');
      await context.until(() => a.lengths('write').includes(0), 'the writer to hear of an empty output');
      await pair.settle();
      assert.equal(successes, 1);
      expectBytes(moved.remove(SIMPLE_BYTES), bytes);
      assert.deepEqual([...a.events, ...b.events], []);
      assert.deepEqual(b.bev.enabled, ['write']);
    },
  ),

  defineCase(
    'B20, B23, B30 (regress F2): with a receive in flight the input can be moved away whole, pinned by nobody; the next bytes land behind it, and what a send has left over stays in the output',
    async (context) => {
      const pair = await context.open();
      const { a, b } = pair;
      const chunkBytes = Math.min(1024, Math.floor(context.bulkBytes / 11));
      const halfBytes = Math.floor(chunkBytes / 2);
      const bytes = pattern(11 * chunkBytes);
      b.record();
      b.bev.maxSingleRead = 2 * chunkBytes;
      b.bev.enable('read');
      a.bev.write(bytes.subarray(0, chunkBytes));
      await context.until(() => b.bev.input.length === chunkBytes, 'the first chunk');
      await pair.settle();
      const moved = new Evbuffer();
      assert.equal(b.bev.input.moveTo(moved, chunkBytes), chunkBytes);
      assert.equal(b.bev.input.length, 0);
      moved.pin(chunkBytes);
      moved.unpin();
      b.bev.setWatermarks('read', { high: halfBytes });
      a.bev.maxSingleWrite = halfBytes;
      for (let at = chunkBytes; at < bytes.length; at += chunkBytes) {
        a.bev.output.addReference(bytes.subarray(at, at + chunkBytes));
      }
      await context.until(() => b.bev.input.length >= halfBytes, 'half a chunk');
      await pair.settle();
      assert.equal(b.bev.input.length, halfBytes);
      b.collect();
      b.take();
      await context.until(() => b.takenBytes >= bytes.length - chunkBytes, 'all other bytes');
      expectBytes(Buffer.concat([moved.remove(chunkBytes), b.taken]), bytes);
      assert.deepEqual([...a.events, ...b.events], []);
    },
  ),

  defineCase(
    'B20, B21, B30 (regress F3): a line with its zero byte is one call of a handler that disables reading in it',
    async (context) => {
      const pair = await context.open();
      const { a, b } = pair;
      const line = Buffer.from('Hello world\0');
      b.record({
        onRead(bev) {
          if (bev.input.length === line.length) bev.disable('read');
        },
      });
      b.bev.setWatermarks('read', { low: line.length });
      b.bev.enable('read');
      a.bev.write(line);
      await context.until(() => b.count('read') > 0, 'the line');
      await pair.settle();
      assert.deepEqual(b.log, [`read ${line.length}`]);
      assert.deepEqual(b.bev.enabled, ['write']);
      expectBytes(b.bev.input.remove(line.length), line);
      assert.deepEqual(a.events, []);
    },
  ),

  defineCase('B30 (regress B1): 8333 bytes written in odd pieces come back from an echo', async (context) => {
    await echo(context, await context.open(), pattern(SIMPLE_BYTES), oddSizes);
  }),

  defineCase('B30: 65,000 bytes written in odd pieces come back from an echo', async (context) => {
    await echo(context, await context.open(), pattern(Math.min(MANY_BYTES, context.bulkBytes), 2), oddSizes);
  }),

  defineCase('B30: a thousand single bytes come back from an echo', async (context) => {
    await echo(context, await context.open(), pattern(1000, 3), [1]);
  }),

  defineCase(
    'B30: an Evbuffer that is written is moved: it is empty afterwards and can be used again',
    async (context) => {
      const pair = await context.open();
      const { a, b } = pair;
      b.collect();
      const source = new Evbuffer();
      const parts = [10, 5000, 1, 2000].map((length, index) => pattern(length, index + 1));
      a.bev.write('head ');
      for (const part of parts) {
        source.add(part);
        a.bev.write(source);
        assert.equal(source.length, 0, 'B30: the source keeps what it gave');
      }
      a.bev.write(' tail');
      const expected = Buffer.concat([Buffer.from('head '), ...parts, Buffer.from(' tail')]);
      await context.until(() => b.takenBytes >= expected.length, 'all bytes');
      expectBytes(b.taken, expected);
    },
  ),

  defineCase(
    'B30: bytes are copied by write: what the caller does to them afterwards does not show',
    async (context) => {
      const pair = await context.open();
      const { a, b } = pair;
      b.collect();
      const bytes = pattern(5000);
      const sent = Uint8Array.from(bytes);
      a.bev.write(sent);
      sent.fill(0);
      await context.until(() => b.takenBytes >= bytes.length, 'all bytes');
      expectBytes(b.taken, bytes);
    },
  ),

  defineCase('B30: strings are written in the encoding that is asked for', async (context) => {
    const pair = await context.open();
    const { a, b } = pair;
    b.collect();
    a.bev.write('é');
    a.bev.write('é', 'latin1');
    a.bev.write('c3a9', 'hex');
    await context.until(() => b.takenBytes >= 5, 'all bytes');
    expectBytes(b.taken, Uint8Array.of(0xc3, 0xa9, 0xe9, 0xc3, 0xa9));
  }),

  defineCase('B30, WR-1: adding to the output is the same as writing', async (context) => {
    const pair = await context.open();
    const { a, b } = pair;
    b.collect();
    const bytes = pattern(3000);
    a.bev.output.add(bytes.subarray(0, 1000));
    a.bev.write(bytes.subarray(1000, 2000));
    a.bev.output.add(bytes.subarray(2000));
    await context.until(() => b.takenBytes >= bytes.length, 'all bytes');
    expectBytes(b.taken, bytes);
  }),

  defineCase('B30 (regress I: write of empty): writing nothing sends nothing and calls nobody', async (context) => {
    const pair = await context.open();
    const { a, b } = pair;
    b.collect();
    a.record();
    assert.equal(a.bev.write(''), true);
    assert.equal(a.bev.write(new Uint8Array(0)), true);
    assert.equal(a.bev.write(new Evbuffer()), true);
    await pair.settle();
    assert.deepEqual([...a.log, ...b.log], []);
  }),

  defineCase(
    'B39: bytes of a file leave in their place in the order',
    async (context) => {
      const pair = await context.open();
      const { a, b } = pair;
      b.collect();
      // Any file will do.
      const file = new URL(import.meta.url);
      const bytes = readFileSync(file);
      const length = Math.min(bytes.length, context.bulkBytes);
      const segment = await FileSegment.open(file);
      a.bev.write('before ');
      a.bev.output.addFileSegment(segment, 0, length);
      a.bev.write(' after');
      segment.close();
      const expected = Buffer.concat([Buffer.from('before '), bytes.subarray(0, length), Buffer.from(' after')]);
      await context.until(() => b.takenBytes >= expected.length, 'all bytes');
      expectBytes(b.taken, expected);
    },
    ['files'],
  ),

  defineCase('B30: connections side by side keep their bytes apart', async (context) => {
    const pairs = await Promise.all(Array.from({ length: 4 }, () => context.open()));
    const sent = pairs.map((_, index) => pattern(3000, index + 1));
    for (const { b } of pairs) b.collect();
    for (let at = 0; at < 3000; at += 250) {
      for (const [index, { a }] of pairs.entries()) a.bev.write((sent[index] as Uint8Array).subarray(at, at + 250));
    }
    await context.until(() => pairs.every(({ b }) => b.takenBytes >= 3000), 'all bytes');
    for (const [index, { b }] of pairs.entries()) expectBytes(b.taken, sent[index] as Uint8Array);
  }),

  defineCase('RD-4, B23, B32: large amounts both ways at once are exact under small marks', async (context) => {
    const pair = await context.open();
    const ends = [pair.a, pair.b] as const;
    const total = context.bulkBytes;
    const high = Math.min(4096, Math.ceil(total / 16));
    const sources = ends.map((_, index) => pattern(total, index + 1));
    const offsets = [0, 0];
    for (const [index, end] of ends.entries()) {
      const source = sources[index] as Uint8Array;
      const fill = (): void => {
        while (end.bev.output.length < high && (offsets[index] as number) < total) {
          const at = offsets[index] as number;
          offsets[index] = Math.min(total, at + 1777);
          end.bev.write(source.subarray(at, offsets[index]));
        }
      };
      end.bev.setWatermarks('read', { low: 1, high });
      end.bev.setWatermarks('write', { low: high / 2, high });
      end.collect({ onWrite: fill });
      fill();
    }
    await context.until(() => ends.every(({ takenBytes }) => takenBytes >= total), 'all bytes both ways');
    await pair.settle();
    expectBytes(pair.a.taken, sources[1] as Uint8Array);
    expectBytes(pair.b.taken, sources[0] as Uint8Array);
    for (const end of ends) {
      const most = Math.max(...end.lengths('read'));
      assert.ok(most <= high, `RD-4: ${most} bytes in an input with a mark of ${high}`);
      assert.deepEqual(end.events, []);
    }
  }),
];
