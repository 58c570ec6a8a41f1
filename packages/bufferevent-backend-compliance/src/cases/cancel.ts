import assert from 'node:assert/strict';
import { Errno, Operation } from 'bufferevent-backend';
import { concat, newHash, pattern, sha256 } from '../bytes.js';
import { type ComplianceCase, complianceCase } from '../case.js';
import { turn } from '../context.js';
import { expectBackendError, expectBytes } from './expect.js';

/** C17: cancelling ends an operation early and loses nothing. */
export const cancelCases: readonly ComplianceCase[] = [
  complianceCase('C17: a cancelled recv without bytes completes with ECANCELED', async (context) => {
    const { right } = await context.pair();
    right.port.recv(right.handle, 100);
    await context.settle(2);
    right.port.cancel(right.handle, Operation.recv);
    await right.expectCanceled(Operation.recv);
  }),

  complianceCase('C17: bytes that come after a cancelled recv belong to the next one', async (context) => {
    const { left, right } = await context.pair();
    right.port.recv(right.handle, 100);
    right.port.cancel(right.handle, Operation.recv);
    await right.expectCanceled(Operation.recv);
    await left.sendAll(pattern(1000));
    await context.settle();
    expectBytes(await right.takeExactly(1000), pattern(1000));
  }),

  complianceCase('C17: cancelling recv again and again while bytes flow loses none of them', async (context) => {
    const { left, right } = await context.pair();
    const bytes = pattern(context.bulkBytes / 2);
    const sent = context.meanwhile(left.sendAll(bytes).then(() => left.shutdown()));
    const hash = newHash();
    let cancelled = 0;
    for (let round = 0; ; round++) {
      right.port.recv(right.handle, 20_000);
      // Cancelled at once, a turn later, or not at all: before, during and after the bytes come.
      if (round % 4 === 1) await turn();
      if (round % 4 < 3) right.port.cancel(right.handle, Operation.recv);
      const completion = await right.next(Operation.recv);
      if (completion.result === 0) break;
      if (completion.result === -Errno.ECANCELED) {
        cancelled++;
        continue;
      }
      right.expectSuccess(completion);
      hash.update(completion.bytes);
      right.driver.release(completion);
    }
    await sent;
    assert.ok(cancelled > 0, 'no recv was cancelled in time: the case showed nothing');
    assert.equal(hash.digest('hex'), sha256(bytes));
  }),

  complianceCase('C17: cancelling recv while the end is on its way does not lose the end', async (context) => {
    for (const { left, right } of await context.pairs(20)) {
      right.port.recv(right.handle, 100);
      left.port.shutdown(left.handle);
      right.port.cancel(right.handle, Operation.recv);
      const { result } = await right.next(Operation.recv);
      assert.ok(result === 0 || result === -Errno.ECANCELED);
      assert.equal((await right.recv()).result, 0);
      await left.next(Operation.shutdown);
    }
  }),

  complianceCase('C17: cancelling one stream does not touch the recv of another', async (context) => {
    const [one, two] = await context.pairs(2);
    assert.ok(one && two);
    one.right.port.recv(one.right.handle, 10);
    two.right.port.recv(two.right.handle, 10);
    one.right.port.cancel(one.right.handle, Operation.recv);
    await one.right.expectCanceled(Operation.recv);
    await two.left.sendAll(pattern(10));
    assert.ok((await two.right.next(Operation.recv)).result > 0);
  }),

  complianceCase('C17: a recv submitted in the sink that saw the cancellation gets the bytes', async (context) => {
    const { left, right } = await context.pair();
    let again = false;
    right.driver.onBatch = (completions) => {
      for (const { handle, operation, result } of completions) {
        if (handle !== right.handle || operation !== Operation.recv || result !== -Errno.ECANCELED) continue;
        again = true;
        right.port.recv(handle, 100);
      }
    };
    right.port.recv(right.handle, 100);
    right.port.cancel(right.handle, Operation.recv);
    await right.expectCanceled(Operation.recv);
    assert.ok(again);
    await left.sendAll(pattern(50));
    const first = await right.next(Operation.recv);
    assert.ok(first.result > 0);
    expectBytes(concat([first.bytes, await right.takeExactly(50 - first.result)]), pattern(50));
  }),

  complianceCase('C17: a cancelled connect completes once, and its handle can be closed', async (context) => {
    const { address } = await context.listen();
    const handle = context.left.port.connect(address);
    context.left.port.cancel(handle, Operation.connect);
    const { result } = await context.left.next(handle, Operation.connect);
    // A mechanism may have connected before it heard of the cancellation.
    assert.ok(result === -Errno.ECANCELED || result === 0, `connect completed with ${result}`);
    context.left.port.close(handle);
    await context.left.next(handle, Operation.close);
    assert.equal(context.left.port.stats().streams, 0);
  }),

  complianceCase(
    'C17: a cancelled watchPeer completes with ECANCELED and can be submitted again',
    async (context) => {
      const { left, right } = await context.pair();
      right.port.watchPeer(right.handle);
      right.port.cancel(right.handle, Operation.watchPeer);
      await right.expectCanceled(Operation.watchPeer);
      right.port.watchPeer(right.handle);
      await left.close();
      assert.equal((await right.next(Operation.watchPeer)).result, 0);
    },
    ['peerClose'],
  ),

  complianceCase(
    'C17: a cancelled send completes with the bytes it moved, and exactly those arrive',
    async (context) => {
      const { left, right } = await context.pair();
      const bytes = pattern(8 * 1024 * 1024);
      const hash = newHash();
      let moved = 0;
      await context.settle(1);
      for (let round = 0; round < 3; round++) {
        left.submitSend(bytes.subarray(moved));
        if (round > 0) await context.settle(5);
        left.port.cancel(left.handle, Operation.send);
        const { result } = await left.next(Operation.send);
        assert.ok(result > 0 || result === -Errno.ECANCELED, `send completed with ${result}`);
        moved += Math.max(result, 0);
      }
      const reading = context.meanwhile(right.takeAll());
      await left.shutdown();
      hash.update(await reading);
      assert.equal(hash.digest('hex'), sha256(bytes.subarray(0, moved)));
    },
    ['cancelSend'],
  ),

  complianceCase(
    'C17: where a send cannot be cancelled, asking for it throws and the send goes on',
    async (context) => {
      const { left, right } = await context.pair();
      left.submitSend(pattern(1000));
      expectBackendError('ERR_BACKEND_UNSUPPORTED', () => left.port.cancel(left.handle, Operation.send));
      const { result } = await left.next(Operation.send);
      expectBytes(await right.takeExactly(result), pattern(1000).slice(0, result));
    },
    ['!cancelSend'],
  ),

  complianceCase('C17: a recv that is lowered, cancelled and submitted again sees each byte once', async (context) => {
    const { left, right } = await context.pair();
    const bytes = pattern(30_000);
    const sent = context.meanwhile(left.sendAll(bytes).then(() => left.shutdown()));
    const parts: Uint8Array[] = [];
    for (let round = 0; ; round++) {
      right.port.recv(right.handle, 5000);
      if (round % 2 === 0) right.port.lowerRecvMax(right.handle, 37);
      if (round % 3 === 0) right.port.cancel(right.handle, Operation.recv);
      const completion = await right.next(Operation.recv);
      if (completion.result === 0) break;
      if (completion.result === -Errno.ECANCELED) continue;
      right.expectSuccess(completion);
      parts.push(completion.bytes.slice());
      right.driver.release(completion);
    }
    await sent;
    expectBytes(concat(parts), bytes);
  }),

  complianceCase(
    'C17: short messages to a recv of plenty that is cancelled at any time are each seen once',
    async (context) => {
      const { left, right } = await context.pair();
      const messages = Array.from({ length: 200 }, (_, index) => pattern(1 + ((index * 37) % 600), index + 1));
      const parts: Uint8Array[] = [];
      let due = 0;
      for (const [round, message] of messages.entries()) {
        right.port.recv(right.handle, 100_000);
        await context.settle(round % 3);
        if (round % 7 === 0 && due === 0) {
          right.port.cancel(right.handle, Operation.recv);
          await right.expectCanceled(Operation.recv);
          right.port.recv(right.handle, 100_000);
        }
        const sent = context.meanwhile(left.sendAll(message));
        await context.settle(round % 2);
        right.port.cancel(right.handle, Operation.recv);
        await sent;
        due += message.length;
        const completion = await right.next(Operation.recv);
        if (completion.result !== -Errno.ECANCELED) {
          right.expectSuccess(completion);
          parts.push(completion.bytes.slice());
          right.driver.release(completion);
          due -= completion.result;
        }
        // Now and then what is left waits for the next round.
        if (round % 5 === 0) continue;
        if (due > 0) parts.push(await right.takeExactly(due, 100_000));
        due = 0;
      }
      if (due > 0) parts.push(await right.takeExactly(due));
      expectBytes(concat(parts), concat(messages));
    },
  ),
];
