import assert from 'node:assert/strict';
import { Operation } from 'bufferevent-backend';
import { pattern } from '../bytes.js';
import { type ComplianceCase, complianceCase } from '../case.js';
import { turn } from '../context.js';
import { Stream, segmentOf } from '../stream.js';
import { expectBackendError, expectBytes } from './expect.js';

/** C1 and C3: when the sink runs, and what may be in flight together. */
export const submissionCases: readonly ComplianceCase[] = [
  complianceCase('C1: no verb of a whole connection calls the sink before it returns', async (context) => {
    const { left, right } = await context.pair();
    left.port.recv(left.handle, 100);
    await left.sendAll(pattern(1000));
    await right.takeExactly(1000);
    right.port.send(right.handle, [segmentOf(pattern(50))]);
    await right.next(Operation.send);
    left.driver.release(await left.next(Operation.recv));
    await left.shutdown();
    await right.takeAll();
    left.port.recv(left.handle, 10);
    left.port.cancel(left.handle, Operation.recv);
    await left.next(Operation.recv);
    await left.close();
    await right.reset();
  }),

  complianceCase('C1: a recv for bytes that are there already completes after recv returned', async (context) => {
    const { left, right } = await context.pair();
    await left.sendAll(pattern(3000));
    right.driver.release(await right.recv(1));
    await context.settle();
    right.port.recv(right.handle, 100);
    assert.equal(right.driver.untaken(right.handle, Operation.recv).length, 0);
    right.driver.release(await right.next(Operation.recv));
  }),

  complianceCase('C1: a recv after the end of the stream completes after recv returned', async (context) => {
    const { left, right } = await context.pair();
    await left.shutdown();
    assert.equal((await right.recv()).result, 0);
    right.port.recv(right.handle, 100);
    assert.equal(right.driver.untaken(right.handle, Operation.recv).length, 0);
    assert.equal((await right.next(Operation.recv)).result, 0);
  }),

  complianceCase('C1: what is submitted inside the sink completes in a later call of the sink', async (context) => {
    const { left, right } = await context.pair();
    let rounds = 0;
    // An echo that lives inside the sink: each completion submits the next operation.
    right.driver.onBatch = (completions) => {
      for (const { operation, handle, bytes, lease } of completions) {
        if (handle !== right.handle || operation !== Operation.recv || lease === null) continue;
        rounds++;
        right.port.send(handle, [segmentOf(bytes.slice())]);
        right.port.release(lease);
        if (rounds < 50) right.port.recv(handle, 100);
      }
    };
    right.port.recv(right.handle, 100);
    for (let round = 0; round < 50; round++) {
      await left.sendAll(Uint8Array.of(round));
      assert.equal((await left.takeExactly(1))[0], round);
    }
    assert.equal(rounds, 50);
  }),

  complianceCase(
    'C1: what has finished meanwhile waits for its own call of the sink, whatever verb comes first',
    async (context) => {
      const [busy, other] = await context.pairs(2);
      assert.ok(busy && other);
      const one = Uint8Array.of(1);
      for (let round = 0; round < 200; round++) {
        busy.right.port.recv(busy.right.handle, 1);
        busy.left.submitSend(one);
        // Verbs on the same port in every turn, also in the one between the end of an operation and its delivery.
        while (busy.right.driver.untaken(busy.right.handle).length === 0) {
          if (!other.right.driver.ledger.inFlight(other.right.handle, Operation.send)) other.right.submitSend(one);
          other.right.port.recv(other.right.handle, 1);
          other.right.port.cancel(other.right.handle, Operation.recv);
          await other.right.next(Operation.recv);
          await turn();
        }
        busy.right.driver.release(await busy.right.next(Operation.recv));
        await busy.left.next(Operation.send);
      }
    },
  ),

  complianceCase('C1: cancel, close and reset do not call the sink before they return', async (context) => {
    const [one, two, three] = await context.pairs(3);
    assert.ok(one && two && three);
    for (const { left } of [one, two, three]) left.port.recv(left.handle, 10);
    one.left.port.cancel(one.left.handle, Operation.recv);
    two.left.port.close(two.left.handle);
    three.left.port.reset(three.left.handle);
    for (const { left } of [one, two, three]) assert.equal(left.driver.untaken(left.handle).length, 0);
    await one.left.expectCanceled(Operation.recv);
    await two.left.next(Operation.close);
    await three.left.next(Operation.reset);
  }),

  complianceCase('C1: flush hands over what was submitted and does not call the sink', async (context) => {
    const { left, right } = await context.pair();
    right.port.recv(right.handle, 100);
    left.submitSend(pattern(10));
    left.port.flush();
    right.port.flush();
    assert.equal(left.driver.untaken(left.handle).length, 0);
    await left.next(Operation.send);
    assert.ok((await right.next(Operation.recv)).result > 0);
  }),

  complianceCase('C3: a second recv is refused as busy and the first goes on', async (context) => {
    const { left, right } = await context.pair();
    right.port.recv(right.handle, 100);
    expectBackendError('ERR_BACKEND_BUSY', () => right.port.recv(right.handle, 100));
    await left.sendAll(pattern(10));
    const completion = await right.next(Operation.recv);
    assert.ok(completion.result > 0 && completion.result <= 10);
    await context.settle();
    assert.equal(right.driver.untaken(right.handle).length, 0);
  }),

  complianceCase('C3: a second send is refused as busy and the first goes on', async (context) => {
    const { left, right } = await context.pair();
    const bytes = pattern(100);
    left.submitSend(bytes);
    expectBackendError('ERR_BACKEND_BUSY', () => left.submitSend(pattern(100, 2)));
    const { result } = await left.next(Operation.send);
    expectBytes(await right.takeExactly(result), bytes.slice(0, result));
    await left.shutdown();
    assert.equal((await right.takeAll()).length, 0);
  }),

  complianceCase('C3: a second accept is refused as busy and the first keeps its credits', async (context) => {
    const { handle, address } = await context.listen();
    context.right.port.accept(handle, 2);
    expectBackendError('ERR_BACKEND_BUSY', () => context.right.port.accept(handle, 2));
    for (let index = 0; index < 2; index++) {
      const connected = context.left.port.connect(address);
      assert.equal((await context.left.next(connected, Operation.connect)).result, 0);
      assert.ok((await context.right.next(handle, Operation.accept)).result > 0);
    }
    context.right.port.accept(handle, 1);
  }),

  complianceCase('C3: a second shutdown is refused as busy while one is in flight', async (context) => {
    const { left } = await context.pair();
    left.port.shutdown(left.handle);
    expectBackendError('ERR_BACKEND_BUSY', () => left.port.shutdown(left.handle));
    assert.equal((await left.next(Operation.shutdown)).result, 0);
  }),

  complianceCase(
    'C3: a second watchPeer is refused as busy',
    async (context) => {
      const { left } = await context.pair();
      left.port.watchPeer(left.handle);
      expectBackendError('ERR_BACKEND_BUSY', () => left.port.watchPeer(left.handle));
    },
    ['peerClose'],
  ),

  complianceCase(
    'C3: sendFile and send share one place in flight',
    async (context) => {
      const { left } = await context.pair();
      const file = context.openFile(pattern(1000));
      left.submitSend(pattern(100));
      expectBackendError('ERR_BACKEND_BUSY', () => left.port.sendFile(left.handle, file.descriptor, 0, 10));
      await left.next(Operation.send);
      left.port.sendFile(left.handle, file.descriptor, 0, 10);
      expectBackendError('ERR_BACKEND_BUSY', () => left.submitSend(pattern(100)));
      await left.next(Operation.sendFile);
    },
    ['sendFile', 'openFile'],
  ),

  complianceCase('C3: a recv, a send and a shutdown are in flight together on one stream', async (context) => {
    const { left, right } = await context.pair();
    const bytes = pattern(100);
    left.port.recv(left.handle, 100);
    left.submitSend(bytes);
    left.port.shutdown(left.handle);
    const { result } = await left.next(Operation.send);
    assert.equal((await left.next(Operation.shutdown)).result, 0);
    expectBytes(await right.takeAll(), bytes.slice(0, result));
    await right.sendAll(bytes);
    assert.ok((await left.next(Operation.recv)).result > 0);
  }),

  complianceCase('C3: a kind is free again as soon as the sink sees its completion', async (context) => {
    const { left, right } = await context.pair();
    const wanted = 20;
    let received = 0;
    right.driver.onBatch = (completions) => {
      for (const { handle, operation, result } of completions) {
        if (handle !== right.handle || operation !== Operation.recv || result <= 0) continue;
        received += result;
        if (received < wanted) right.port.recv(handle, 1);
      }
    };
    right.port.recv(right.handle, 1);
    await left.sendAll(pattern(wanted));
    await context.until(() => received === wanted, 'chain of recvs');
  }),

  complianceCase('C3: streams do not share their places in flight', async (context) => {
    const pairs = await context.pairs(20);
    for (const { left } of pairs) left.port.recv(left.handle, 10);
    for (const { left } of pairs) left.submitSend(pattern(10));
    await Promise.all(pairs.map(({ left }) => left.next(Operation.send)));
    const chosen = pairs[7];
    assert.ok(chosen);
    await chosen.right.sendAll(Uint8Array.of(42));
    assert.deepEqual([...(await new Stream(chosen.left.driver, chosen.left.handle).next(Operation.recv)).bytes], [42]);
    for (const pair of pairs) {
      if (pair !== chosen) assert.equal(pair.left.driver.untaken(pair.left.handle).length, 0);
    }
  }),
];
