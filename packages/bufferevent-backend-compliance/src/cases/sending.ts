import assert from 'node:assert/strict';
import { Errno, Operation, type Segment } from 'bufferevent-backend';
import { concat, newHash, pattern, sha256 } from '../bytes.js';
import { type ComplianceCase, complianceCase } from '../case.js';
import type { CaseContext, Pair } from '../context.js';
import { segmentOf } from '../stream.js';
import { expectBytes } from './expect.js';

/** More than any system buffers for one connection. */
const MOST_BUFFERED = 256 * 1024 * 1024;

/** A pair whose left side has a send in flight that cannot finish, because nobody reads. */
async function blockedPair(context: CaseContext): Promise<Pair & { readonly sent: number }> {
  const pair = await context.pair();
  const chunk = pattern(1024 * 1024);
  await context.settle(1);
  for (let sent = 0; ; ) {
    pair.left.submitSend(chunk);
    // What could complete has completed after these round trips on another stream of the same ports.
    await context.settle(6);
    if (pair.left.driver.untaken(pair.left.handle, Operation.send).length === 0) return { ...pair, sent };
    sent += (await pair.left.next(Operation.send)).result;
    assert.ok(sent < MOST_BUFFERED, `C6: ${sent} bytes were taken for a stream that nobody reads`);
  }
}

/** C9 and C10: sending, ending, and going on in the other direction. */
export const sendingCases: readonly ComplianceCase[] = [
  complianceCase('C9: a send says how many bytes it moved, and exactly those arrive', async (context) => {
    const { left, right } = await context.pair();
    const bytes = pattern(context.bulkBytes);
    const hash = newHash();
    left.submitSend(bytes);
    const reading = context.meanwhile(right.takeAll());
    const { result } = await left.next(Operation.send);
    assert.ok(result >= 1 && result <= bytes.length);
    await left.shutdown();
    hash.update(await reading);
    assert.equal(hash.digest('hex'), sha256(bytes.subarray(0, result)));
  }),

  complianceCase(
    'C9: a short send is resumed where it stopped, over megabytes under back-pressure',
    async (context) => {
      const { left, right } = await context.pair();
      const bytes = pattern(context.bulkBytes * 2);
      const hash = newHash();
      const sent = context.meanwhile(left.sendAll(bytes).then(() => left.shutdown()));
      for (let round = 0; ; round++) {
        const part = await right.take(100_000);
        if (part.length === 0) break;
        hash.update(part);
        // The reader falls behind at times, so that the sender meets full buffers.
        if (round % 40 === 0) await context.settle(2);
      }
      await sent;
      assert.equal(hash.digest('hex'), sha256(bytes));
    },
  ),

  complianceCase('C9: the segments of a send are gathered in order', async (context) => {
    const { left, right } = await context.pair();
    const parts = Array.from({ length: 30 }, (_, index) => pattern(1 + index * 11, index + 1));
    left.port.send(left.handle, parts.map(segmentOf));
    const { result } = await left.next(Operation.send);
    expectBytes(await right.takeExactly(result), concat(parts).slice(0, result));
  }),

  complianceCase('C9: segments without bytes count for nothing', async (context) => {
    const { left, right } = await context.pair();
    const memory = pattern(100);
    const nothing: Segment = { memory, start: 50, end: 50 };
    const segments = [
      nothing,
      { memory, start: 0, end: 30 },
      nothing,
      nothing,
      { memory, start: 30, end: 100 },
      nothing,
    ];
    left.port.send(left.handle, [...segments, segmentOf(new Uint8Array(0))]);
    const { result } = await left.next(Operation.send);
    expectBytes(await right.takeExactly(result), memory.slice(0, result));
    await left.shutdown();
    assert.equal((await right.takeAll()).length, 0);
  }),

  complianceCase(
    'C9: three thousand segments in one send are more than a system call takes, and go well',
    async (context) => {
      const { left, right } = await context.pair();
      const bytes = pattern(9000);
      const sent = context.meanwhile(
        (async () => {
          for (let at = 0; at < bytes.length; ) {
            const segments: Segment[] = [];
            for (let start = at; start < bytes.length; start += 3) {
              segments.push({ memory: bytes, start, end: Math.min(start + 3, bytes.length) });
            }
            left.port.send(left.handle, segments);
            const completion = await left.next(Operation.send);
            left.expectSuccess(completion);
            at += completion.result;
          }
        })(),
      );
      expectBytes(await right.takeExactly(bytes.length), bytes);
      await sent;
    },
  ),

  complianceCase('C9: only the first count segments are sent', async (context) => {
    const { left, right } = await context.pair();
    const bytes = pattern(100);
    const segments = Array.from({ length: 10 }, (_, index) => ({
      memory: bytes,
      start: index * 10,
      end: index * 10 + 10,
    }));
    left.port.send(left.handle, segments, 3);
    const { result } = await left.next(Operation.send);
    assert.ok(result <= 30);
    await left.shutdown();
    expectBytes(await right.takeAll(), bytes.slice(0, result));
  }),

  complianceCase('C9: a shutdown submitted while a send is in flight acts after it', async (context) => {
    const { left, right } = await context.pair();
    const bytes = pattern(3 * 1024 * 1024);
    left.submitSend(bytes);
    left.port.shutdown(left.handle);
    const reading = context.meanwhile(right.takeAll());
    const { result } = await left.next(Operation.send);
    assert.ok(result >= 1);
    assert.equal((await left.next(Operation.shutdown)).result, 0);
    assert.equal(sha256(await reading), sha256(bytes.subarray(0, result)));
  }),

  complianceCase('C9: a shutdown waits for as long as the send before it cannot finish', async (context) => {
    const { left, right, sent } = await blockedPair(context);
    left.port.shutdown(left.handle);
    await context.settle();
    assert.equal(left.driver.untaken(left.handle, Operation.shutdown).length, 0);
    const reading = context.meanwhile(right.takeAll());
    const { result } = await left.next(Operation.send);
    left.expectSuccess(await left.next(Operation.shutdown));
    assert.equal((await reading).length, sent + result);
  }),

  complianceCase('C9: a shutdown fails with the send that it waited for', async (context) => {
    const { left, right } = await blockedPair(context);
    left.port.shutdown(left.handle);
    await right.reset();
    const send = await left.next(Operation.send);
    // What moved before the reset still counts; then the shutdown meets the broken connection itself.
    if (send.result < 0) {
      assert.ok((await left.next(Operation.shutdown)).result < 0, 'the shutdown succeeded after its send had failed');
    } else await left.next(Operation.shutdown);
  }),

  complianceCase('C9: a send after our own shutdown fails with EPIPE', async (context) => {
    const { left, right } = await context.pair();
    await left.shutdown();
    assert.equal((await left.send(pattern(10))).result, -Errno.EPIPE);
    assert.equal((await right.takeAll()).length, 0);
  }),

  complianceCase('C9: a send and a shutdown in one turn lose no byte', async (context) => {
    for (const { left, right } of await context.pairs(20)) {
      left.submitSend(pattern(5000));
      left.port.shutdown(left.handle);
      const { result } = await left.next(Operation.send);
      expectBytes(await right.takeAll(), pattern(5000).slice(0, result));
      left.expectSuccess(await left.next(Operation.shutdown));
    }
  }),

  complianceCase(
    'C9: sendFile sends a part of a file from its offset',
    async (context) => {
      const { left, right } = await context.pair();
      const bytes = pattern(500_000);
      const file = context.openFile(bytes);
      const sent = context.meanwhile(
        (async () => {
          for (let at = 1000; at < 401_000; ) {
            left.port.sendFile(left.handle, file.descriptor, at, 401_000 - at);
            const completion = await left.next(Operation.sendFile);
            left.expectSuccess(completion);
            assert.ok(completion.result > 0);
            at += completion.result;
          }
          await left.shutdown();
        })(),
      );
      assert.equal(sha256(await right.takeAll()), sha256(bytes.subarray(1000, 401_000)));
      await sent;
    },
    ['sendFile', 'openFile'],
  ),

  complianceCase(
    'C9: sendFile past the end of the file sends what there is, and then 0',
    async (context) => {
      const { left, right } = await context.pair();
      const file = context.openFile(pattern(1000));
      left.port.sendFile(left.handle, file.descriptor, 900, 5000);
      assert.ok((await left.next(Operation.sendFile)).result <= 100);
      left.port.sendFile(left.handle, file.descriptor, 1000, 5000);
      assert.equal((await left.next(Operation.sendFile)).result, 0);
      await left.shutdown();
      const received = await right.takeAll();
      expectBytes(received, pattern(1000).slice(900, 900 + received.length));
    },
    ['sendFile', 'openFile'],
  ),

  complianceCase(
    'C9: sendFile takes offsets beyond two and four gibibytes',
    async (context) => {
      const { left, right } = await context.pair();
      for (const at of [2 ** 31 + 5, 2 ** 32 + 7]) {
        const file = context.openSparseFile(pattern(100, 3), at);
        left.port.sendFile(left.handle, file.descriptor, at, 100);
        const { result } = await left.next(Operation.sendFile);
        assert.ok(result > 0);
        expectBytes(await right.takeExactly(result), pattern(100, 3).slice(0, result));
      }
    },
    ['sendFile', 'openSparseFile'],
  ),

  complianceCase(
    'C9: a shutdown submitted while a sendFile is in flight acts after it',
    async (context) => {
      const { left, right } = await context.pair();
      const bytes = pattern(2_000_000);
      const file = context.openFile(bytes);
      left.port.sendFile(left.handle, file.descriptor, 0, bytes.length);
      left.port.shutdown(left.handle);
      const reading = context.meanwhile(right.takeAll());
      const { result } = await left.next(Operation.sendFile);
      left.expectSuccess(await left.next(Operation.shutdown));
      assert.equal(sha256(await reading), sha256(bytes.subarray(0, result)));
    },
    ['sendFile', 'openFile'],
  ),

  complianceCase('C10: after the end of the peer, sending goes on', async (context) => {
    const { left, right } = await context.pair();
    await left.shutdown();
    assert.equal((await right.recv()).result, 0);
    await context.settle();
    const bytes = pattern(context.bulkBytes / 2);
    const sent = context.meanwhile(right.sendAll(bytes).then(() => right.shutdown()));
    assert.equal(sha256(await left.takeAll()), sha256(bytes));
    await sent;
  }),

  complianceCase('C10: after our own shutdown, receiving goes on', async (context) => {
    const { left, right } = await context.pair();
    await left.shutdown();
    await context.settle();
    for (let round = 0; round < 5; round++) {
      await right.sendAll(pattern(1000, round + 1));
      expectBytes(await left.takeExactly(1000), pattern(1000, round + 1));
    }
  }),

  complianceCase('C10: a recv in flight survives our own shutdown', async (context) => {
    const { left, right } = await context.pair();
    left.port.recv(left.handle, 100);
    await left.shutdown();
    await context.settle();
    await right.sendAll(pattern(10));
    const completion = await left.next(Operation.recv);
    assert.ok(completion.result >= 1);
  }),

  complianceCase('C10: an answer that starts after the end of the question arrives whole', async (context) => {
    const { left, right } = await context.pair();
    const question = pattern(300_000, 5);
    const asked = context.meanwhile(left.sendAll(question).then(() => left.shutdown()));
    const heard = await right.takeAll();
    const answered = context.meanwhile(right.sendAll(heard).then(() => right.shutdown()));
    assert.equal(sha256(await left.takeAll()), sha256(question));
    await Promise.all([asked, answered]);
  }),

  complianceCase('C10: both sides end, each in its own time, and both see it', async (context) => {
    const { left, right } = await context.pair();
    await Promise.all([left.shutdown(), right.shutdown()]);
    assert.equal((await left.recv()).result, 0);
    assert.equal((await right.recv()).result, 0);
    // Ended in both directions is still open: the handle stays valid until it is closed.
    left.port.address(left.handle);
    await left.close();
    await right.close();
  }),
];
