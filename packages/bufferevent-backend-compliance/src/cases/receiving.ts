import assert from 'node:assert/strict';
import { Errno, Operation } from 'bufferevent-backend';
import { concat, newHash, pattern, sha256 } from '../bytes.js';
import { type ComplianceCase, complianceCase } from '../case.js';
import { type CaseContext, turn } from '../context.js';
import { arrayBufferBytes } from '../memory-use.js';
import type { Stream } from '../stream.js';
import { expectBytes } from './expect.js';

const DEFAULT_SYSTEM_BUFFERS = 32 * 1024 * 1024;
const CHUNK = 256 * 1024;

/** Sends until a send no longer completes while everything else does; answers how many bytes were taken. */
async function flood(context: CaseContext, stream: Stream, chunk: Uint8Array): Promise<number> {
  const limit = (context.harness.systemBufferBytes ?? DEFAULT_SYSTEM_BUFFERS) + context.supports.readAhead;
  await context.settle(1);
  for (let taken = 0; ; ) {
    stream.submitSend(chunk);
    // Round trips on another stream of the same two ports: what could complete has done so.
    await context.settle(6);
    const [completion] = stream.driver.untaken(stream.handle, Operation.send);
    if (completion === undefined) return taken;
    await stream.next(Operation.send);
    stream.expectSuccess(completion);
    taken += completion.result;
    assert.ok(taken <= limit, `C6: ${taken} bytes were taken for a stream that nobody reads (bound ${limit})`);
  }
}

/** C6, C7 and C8: receiving as much as was asked for, in order, to the end. */
export const receivingCases: readonly ComplianceCase[] = [
  complianceCase(
    'C6: a flood to a stream that nobody reads stops within the read-ahead and system buffers',
    async (context) => {
      const { left } = await context.pair();
      await flood(context, left, new Uint8Array(CHUNK * 4).fill(1));
      left.port.close(left.handle);
    },
  ),

  complianceCase('C6: a flood that was stopped goes on, whole, when it is read', async (context) => {
    const { left, right } = await context.pair();
    const chunk = pattern(CHUNK);
    const taken = await flood(context, left, chunk);
    const hash = newHash();
    let received = 0;
    const reading = context.meanwhile(
      (async () => {
        for (;;) {
          const part = await right.take();
          if (part.length === 0) return;
          received += part.length;
          hash.update(part);
        }
      })(),
    );
    const last = await left.next(Operation.send);
    left.expectSuccess(last);
    await left.shutdown();
    await reading;
    assert.equal(received, taken + last.result);
    assert.ok(received > 0);
  }),

  complianceCase(
    'C6: a flood costs the port that does not read no more memory than its read-ahead',
    async (context) => {
      const pairs = await context.pairs(4);
      const before = arrayBufferBytes();
      // Too large for the driver to keep a copy of, which would be measured too.
      const chunk = new Uint8Array(CHUNK * 8);
      let taken = 0;
      for (const { left } of pairs) taken += await flood(context, left, chunk);
      const grown = arrayBufferBytes() - before;
      const system = context.harness.systemBufferBytes ?? DEFAULT_SYSTEM_BUFFERS;
      // The sending port may keep a copy of what it could not hand over.
      const bound = 4 * (context.supports.readAhead + system + chunk.length) + 8 * 1024 * 1024;
      assert.ok(grown <= bound, `C6: ${taken} bytes that nobody reads cost ${grown} bytes of memory (bound ${bound})`);
      for (const { left, right } of pairs) {
        left.port.reset(left.handle);
        right.port.reset(right.handle);
      }
    },
  ),

  complianceCase('C6: one stream that nobody reads does not stop its neighbours', async (context) => {
    const [stuck, free] = await context.pairs(2);
    assert.ok(stuck && free);
    await flood(context, stuck.left, new Uint8Array(CHUNK));
    const bytes = pattern(500_000);
    const [received] = await Promise.all([free.right.takeExactly(bytes.length), free.left.sendAll(bytes)]);
    expectBytes(received, bytes);
    stuck.left.port.reset(stuck.left.handle);
  }),

  complianceCase('C7: a recv never yields more than it asked for, and the rest stays', async (context) => {
    const { left, right } = await context.pair();
    const bytes = pattern(20_000);
    const sent = context.meanwhile(left.sendAll(bytes));
    const parts: Uint8Array[] = [];
    const sizes = [1, 2, 7, 100, 1000, 4095, 4096, 4097];
    for (let index = 0, due = bytes.length; due > 0; index++) {
      const max = Math.min(due, sizes[index % sizes.length] as number);
      const part = await right.take(max);
      assert.ok(part.length >= 1 && part.length <= max);
      parts.push(part);
      due -= part.length;
    }
    await sent;
    expectBytes(concat(parts), bytes);
  }),

  complianceCase('C7: bytes taken one at a time are all of them', async (context) => {
    const { left, right } = await context.pair();
    const bytes = pattern(500);
    const sent = context.meanwhile(left.sendAll(bytes));
    expectBytes(await right.takeExactly(bytes.length, 1), bytes);
    await sent;
    await left.shutdown();
    assert.equal((await right.recv(1)).result, 0);
  }),

  complianceCase('C7: a recv completes with what is there, without waiting for its maximum', async (context) => {
    const { left, right } = await context.pair();
    right.port.recv(right.handle, 1_000_000);
    await left.sendAll(pattern(3));
    const { result } = await right.next(Operation.recv);
    assert.ok(result >= 1 && result <= 3);
  }),

  complianceCase('C7: the largest maximum that a caller may have is accepted', async (context) => {
    const { left, right } = await context.pair();
    right.port.recv(right.handle, 0x7fff_ffff);
    await left.sendAll(pattern(30));
    assert.ok((await right.next(Operation.recv)).result <= 30);
  }),

  complianceCase('C7: a maximum that is lowered while the recv is in flight holds at once', async (context) => {
    const { left, right } = await context.pair();
    for (let round = 0; round < 20; round++) {
      right.port.recv(right.handle, 10_000);
      // Lowered before the bytes come in even rounds, while they are on their way in odd ones.
      if (round % 2 === 0) right.port.lowerRecvMax(right.handle, 5);
      left.submitSend(pattern(1000, round + 1));
      if (round % 2 === 1) right.port.lowerRecvMax(right.handle, 5);
      const { result: sent } = await left.next(Operation.send);
      const first = await right.next(Operation.recv);
      assert.ok(first.result >= 1 && first.result <= 5, `C7: ${first.result} bytes came after lowering to 5`);
      const head = first.bytes.slice();
      right.driver.release(first);
      const rest = await right.takeExactly(sent - first.result);
      expectBytes(concat([head, rest]), pattern(1000, round + 1).slice(0, sent));
    }
  }),

  complianceCase('C7: a larger maximum and an idle stream are left alone by lowerRecvMax', async (context) => {
    const { left, right } = await context.pair();
    right.port.lowerRecvMax(right.handle, 1);
    right.port.recv(right.handle, 10);
    right.port.lowerRecvMax(right.handle, 1000);
    await left.sendAll(pattern(100));
    const first = await right.next(Operation.recv);
    assert.ok(first.result <= 10);
    // The recv that is in flight next is not bound by what was said before it.
    const rest = await right.takeExactly(100 - first.result);
    expectBytes(concat([first.bytes, rest]), pattern(100));
  }),

  complianceCase('C8: megabytes arrive whole and in order, whatever sizes are asked for', async (context) => {
    const { left, right } = await context.pair();
    const bytes = pattern(context.bulkBytes);
    const hash = newHash();
    const sent = context.meanwhile(left.sendAll(bytes).then(() => left.shutdown()));
    let round = 0;
    for (;;) {
      const part = await right.take(1 + ((round++ * 7919) % 65_536));
      if (part.length === 0) break;
      hash.update(part);
    }
    await sent;
    assert.equal(hash.digest('hex'), sha256(bytes));
  }),

  complianceCase('C8: both directions carry megabytes at once', async (context) => {
    const { left, right } = await context.pair();
    const there = pattern(context.bulkBytes / 2, 1);
    const back = pattern(context.bulkBytes / 2, 2);
    const [atRight, atLeft] = await Promise.all([
      right.takeExactly(there.length),
      left.takeExactly(back.length),
      left.sendAll(there),
      right.sendAll(back),
    ]);
    assert.equal(sha256(atRight), sha256(there));
    assert.equal(sha256(atLeft), sha256(back));
  }),

  complianceCase('C8: an end of the stream does not overtake bytes that were not read', async (context) => {
    const { left, right } = await context.pair();
    const bytes = pattern(30_000);
    const [sent] = await Promise.all([left.sendAll(bytes).then(() => left.shutdown()), context.settle()]);
    assert.equal(sent, undefined);
    expectBytes(await right.takeAll(1000), bytes);
  }),

  complianceCase('C8: an end of the stream does not overtake bytes when the peer has closed', async (context) => {
    const { left, right } = await context.pair();
    const bytes = pattern(30_000);
    await left.sendAll(bytes);
    await left.close();
    await context.settle();
    expectBytes(await right.takeAll(777), bytes);
  }),

  complianceCase('C8: after the end every recv answers 0 again', async (context) => {
    const { left, right } = await context.pair();
    await left.sendAll(pattern(10));
    await left.shutdown();
    await right.takeExactly(10);
    for (let round = 0; round < 10; round++) assert.equal((await right.recv()).result, 0);
  }),

  complianceCase('C8: a recv in flight sees an end without bytes', async (context) => {
    const { left, right } = await context.pair();
    right.port.recv(right.handle, 100);
    await context.settle(3);
    await left.shutdown();
    assert.equal((await right.next(Operation.recv)).result, 0);
  }),

  complianceCase('C8: many small sends arrive in the order in which they were sent', async (context) => {
    const { left, right } = await context.pair();
    const pieces = Array.from({ length: 300 }, (_, index) => pattern(1 + (index % 13), index + 1));
    const sent = context.meanwhile(
      (async () => {
        for (const piece of pieces) await left.sendAll(piece);
      })(),
    );
    const expected = concat(pieces);
    expectBytes(await right.takeExactly(expected.length), expected);
    await sent;
  }),

  complianceCase(
    'C8: watchPeer completes when the peer closes, and leaves unread bytes where they are',
    async (context) => {
      const { left, right } = await context.pair();
      right.port.watchPeer(right.handle);
      await left.sendAll(pattern(2000));
      await context.settle();
      assert.equal(right.driver.untaken(right.handle).length, 0);
      await left.close();
      assert.equal((await right.next(Operation.watchPeer)).result, 0);
      expectBytes(await right.takeAll(), pattern(2000));
    },
    ['peerClose'],
  ),

  complianceCase(
    'C8: watchPeer on a stream whose peer has closed already completes',
    async (context) => {
      const { left, right } = await context.pair();
      await left.sendAll(pattern(10));
      await left.shutdown();
      await context.settle();
      right.port.watchPeer(right.handle);
      assert.equal((await right.next(Operation.watchPeer)).result, 0);
      expectBytes(await right.takeAll(), pattern(10));
    },
    ['peerClose'],
  ),

  complianceCase(
    'C13: watchPeer completes with ECONNRESET when the peer resets',
    async (context) => {
      const { left, right } = await context.pair();
      right.port.watchPeer(right.handle);
      await context.settle(2);
      await left.reset();
      assert.equal((await right.next(Operation.watchPeer)).result, -Errno.ECONNRESET);
    },
    ['peerClose', 'tcp'],
  ),

  complianceCase('C8: a thousand streams at once keep their bytes apart', async (context) => {
    const count = context.harness.maxStreams ?? 1000;
    const pairs = await context.pairs(count);
    await Promise.all(
      pairs.map(async ({ left, right }, index) => {
        const bytes = pattern(300, index + 1);
        const sent = context.meanwhile(left.sendAll(bytes).then(() => left.shutdown()));
        expectBytes(await right.takeAll(), bytes);
        await sent;
      }),
    );
    await turn();
    for (const { left, right } of pairs) {
      left.port.reset(left.handle);
      right.port.reset(right.handle);
    }
  }),
];
