import assert from 'node:assert/strict';
import { Errno, Operation } from 'bufferevent-backend';
import { pattern, sha256 } from '../bytes.js';
import { type ComplianceCase, complianceCase } from '../case.js';
import { Stream } from '../stream.js';
import { expectBackendError, expectBytes } from './expect.js';

/** C11 and C12: the end of a handle, and what keeps its successor apart from it. */
export const closingCases: readonly ComplianceCase[] = [
  complianceCase('C11: close cancels a recv in flight and completes after it', async (context) => {
    const { left } = await context.pair();
    left.port.recv(left.handle, 10);
    left.port.close(left.handle);
    await left.expectCanceled(Operation.recv);
    assert.equal((await left.next(Operation.close)).result, 0);
  }),

  complianceCase('C11: close with a recv, a send and a shutdown in flight completes last', async (context) => {
    const { left } = await context.pair();
    const order: Operation[] = [];
    left.driver.onBatch = (completions) => {
      for (const { handle, operation } of completions) if (handle === left.handle) order.push(operation);
    };
    left.port.recv(left.handle, 10);
    left.submitSend(pattern(8 * 1024 * 1024));
    left.port.shutdown(left.handle);
    left.port.close(left.handle);
    await left.next(Operation.close);
    assert.equal(order.length, 4);
    assert.equal(order.at(-1), Operation.close);
  }),

  complianceCase('C11: close of a stream that is still connecting ends the connect first', async (context) => {
    const { address } = await context.listen();
    const handle = context.left.port.connect(address);
    context.left.port.close(handle);
    await context.left.next(handle, Operation.close);
    assert.equal(context.left.untaken(handle, Operation.connect).length, 1);
  }),

  complianceCase('C11: close of a listener that is still binding ends the listen first', async (context) => {
    const handle = context.right.port.listen(context.harness.listenAddress());
    context.right.port.close(handle);
    await context.right.next(handle, Operation.close);
    assert.equal(context.right.untaken(handle, Operation.listen).length, 1);
  }),

  complianceCase('C11: nothing mentions a handle after its close, whatever the peer still does', async (context) => {
    for (const { left, right } of await context.pairs(10)) {
      left.port.recv(left.handle, 100);
      right.submitSend(pattern(50_000));
      left.port.close(left.handle);
      await left.next(Operation.close);
      await right.next(Operation.send);
      await right.close();
    }
    // The driver holds every later completion against the closed handles.
    await context.settle();
  }),

  complianceCase('C11: the peer of a closed stream sees the end after the bytes the system took', async (context) => {
    const { left, right } = await context.pair();
    const bytes = pattern(20_000);
    await left.sendAll(bytes);
    await left.close();
    assert.equal(sha256(await right.takeAll()), sha256(bytes));
  }),

  complianceCase('C11: a stream can be closed at every point of its life', async (context) => {
    const points: ((stream: Stream, peer: Stream) => Promise<void>)[] = [
      async () => undefined,
      async (stream) => void stream.port.recv(stream.handle, 1),
      async (stream) => void (await stream.send(pattern(100))),
      async (stream) => stream.submitSend(pattern(100)),
      async (stream) => void (await stream.shutdown()),
      async (stream) => stream.port.shutdown(stream.handle),
      async (_, peer) => void (await peer.sendAll(pattern(100))),
      async (stream, peer) => {
        await peer.sendAll(pattern(100));
        stream.driver.release(await stream.recv(10));
      },
      async (stream, peer) => {
        await peer.shutdown();
        await stream.recv();
      },
      async (_, peer) => void (await peer.close()),
      async (_, peer) => void (await peer.reset()),
      async (stream, peer) => {
        stream.port.recv(stream.handle, 10);
        await peer.reset();
        await stream.next(Operation.recv);
      },
    ];
    for (const point of points) {
      const { left, right } = await context.pair();
      await point(left, right);
      await left.close();
      assert.equal(context.left.port.stats().streams, 0);
    }
  }),

  complianceCase('C11: an accepted stream can be closed inside the sink that announced it', async (context) => {
    const { handle, address } = await context.listen();
    let closed = 0;
    context.right.onBatch = (completions) => {
      for (const { handle: on, operation, result } of completions) {
        if (on === handle && operation === Operation.accept && result > 0) context.right.port.close(result);
        if (operation === Operation.close) closed++;
      }
    };
    context.right.port.accept(handle, 5);
    for (let index = 0; index < 5; index++) context.left.port.connect(address);
    await context.until(() => closed === 5, 'close of every accepted stream');
    assert.equal(context.right.port.stats().streams, 0);
  }),

  complianceCase('C11: the handle of a failed connect must be closed, and can be', async (context) => {
    const handle = context.left.port.connect(await context.refusedAddress());
    assert.ok((await context.left.next(handle, Operation.connect)).result < 0);
    context.left.port.close(handle);
    assert.equal((await context.left.next(handle, Operation.close)).result, 0);
    assert.equal(context.left.port.stats().streams, 0);
  }),

  complianceCase(
    'C11: reset cancels what is in flight and completes last, with 0',
    async (context) => {
      const { left, right } = await context.pair();
      left.port.recv(left.handle, 10);
      left.port.reset(left.handle);
      await left.expectCanceled(Operation.recv);
      assert.equal((await left.next(Operation.reset)).result, 0);
      assert.equal(await right.takeError(), -Errno.ECONNRESET);
    },
    ['tcp'],
  ),

  complianceCase(
    'C11: a reset is not mistaken for an end by a recv in flight',
    async (context) => {
      for (const { left, right } of await context.pairs(5)) {
        right.port.recv(right.handle, 10);
        await context.settle(1);
        await left.reset();
        assert.equal((await right.next(Operation.recv)).result, -Errno.ECONNRESET);
      }
    },
    ['tcp'],
  ),

  complianceCase(
    'C11: a stream whose peer reset it can be closed, and leaves nothing',
    async (context) => {
      const { left, right } = await context.pair();
      await left.reset();
      await right.takeError();
      await right.close();
      assert.equal(context.right.port.stats().streams, 0);
    },
    ['tcp'],
  ),

  complianceCase(
    'C11: detach cancels a recv and gives the descriptor as the last word about its handle',
    async (context) => {
      const { left, right } = await context.pair();
      left.port.recv(left.handle, 10);
      left.port.detach(left.handle);
      await left.expectCanceled(Operation.recv);
      const { result: descriptor } = await left.next(Operation.detach);
      assert.ok(descriptor >= 0);
      expectBackendError('ERR_BACKEND_STALE_HANDLE', () => left.port.recv(left.handle, 10));
      const again = new Stream(left.driver, left.port.adopt(descriptor));
      await right.sendAll(pattern(100));
      expectBytes(await again.takeExactly(100), pattern(100));
    },
    ['descriptors'],
  ),

  complianceCase(
    'C11: detached descriptors keep the bytes that were not read',
    async (context) => {
      const { left, right } = await context.pair();
      await right.sendAll(pattern(1000));
      expectBytes(await left.takeExactly(10), pattern(1000).slice(0, 10));
      left.port.detach(left.handle);
      const { result: descriptor } = await left.next(Operation.detach);
      const other = context.driver();
      const moved = new Stream(other, other.port.adopt(descriptor));
      expectBytes(await moved.takeExactly(990), pattern(1000).slice(10));
    },
    ['descriptors'],
  ),

  complianceCase(
    'C11: an adopted pair of descriptors is a connection like any other',
    async (context) => {
      const [one, two] = context.socketPair();
      const left = new Stream(context.left, context.left.port.adopt(one));
      const right = new Stream(context.right, context.right.port.adopt(two));
      assert.equal(left.port.descriptor(left.handle), one);
      const sent = context.meanwhile(left.sendAll(pattern(100_000)).then(() => left.shutdown()));
      assert.equal(sha256(await right.takeAll()), sha256(pattern(100_000)));
      await sent;
      await right.close();
    },
    ['descriptors', 'socketPair'],
  ),

  complianceCase('C12: after close was submitted every verb refuses the handle', async (context) => {
    const { left } = await context.pair();
    const { port, handle } = left;
    port.close(handle);
    const verbs: (() => unknown)[] = [
      () => port.recv(handle, 10),
      () => port.lowerRecvMax(handle, 5),
      () => port.send(handle, [{ memory: pattern(1), start: 0, end: 1 }]),
      () => port.shutdown(handle),
      () => port.cancel(handle, Operation.recv),
      () => port.close(handle),
      () => port.reset(handle),
      () => port.accept(handle, 1),
      () => port.address(handle),
      () => port.ref(handle),
      () => port.unref(handle),
    ];
    const { supports } = context;
    for (const name of supports.streamOptions.slice(0, 1)) {
      if (name === 'noDelay') verbs.push(() => port.setOption(handle, name, true));
    }
    if (supports.peerClose) verbs.push(() => port.watchPeer(handle));
    if (supports.descriptors)
      verbs.push(
        () => port.detach(handle),
        () => port.descriptor(handle),
      );
    if (supports.sendFile) verbs.push(() => port.sendFile(handle, 0, 0, 1));
    for (const when of ['closing', 'closed']) {
      for (const verb of verbs) expectBackendError('ERR_BACKEND_STALE_HANDLE', verb);
      if (when === 'closing') await left.next(Operation.close);
    }
  }),

  complianceCase('C12: a handle that was never given out is refused', async (context) => {
    const { left } = await context.pair();
    const unknown = [left.handle + 1, left.handle + 2 ** 20, left.handle + 2 ** 32, 2 ** 52, Number.MAX_SAFE_INTEGER];
    for (const handle of unknown) {
      expectBackendError('ERR_BACKEND_STALE_HANDLE', () => left.port.recv(handle, 10));
      expectBackendError('ERR_BACKEND_STALE_HANDLE', () => left.port.close(handle));
    }
    for (const handle of [0, -1, 1.5, Number.NaN, Number.POSITIVE_INFINITY]) {
      assert.throws(() => left.port.recv(handle, 10), `handle ${handle} was accepted`);
    }
  }),

  complianceCase('C12: a listener is refused where a stream belongs, and the reverse', async (context) => {
    const { left } = await context.pair();
    const { handle } = await context.listen();
    assert.throws(() => context.right.port.recv(handle, 10), 'recv accepted a listener');
    assert.throws(() => context.right.port.shutdown(handle), 'shutdown accepted a listener');
    assert.throws(() => left.port.accept(left.handle, 1), 'accept accepted a stream');
    assert.equal(left.port.stats().pending, 0);
  }),

  complianceCase('C12: two thousand listeners after each other have two thousand handles', async (context) => {
    const seen = new Set<number>();
    let old = 0;
    for (let round = 0; round < 2000; round++) {
      const handle = context.right.port.listen(context.harness.listenAddress());
      assert.ok(!seen.has(handle), `handle ${handle} came back in round ${round}`);
      seen.add(handle);
      if (old > 0) expectBackendError('ERR_BACKEND_STALE_HANDLE', () => context.right.port.close(old));
      await context.right.next(handle, Operation.listen);
      context.right.port.close(handle);
      await context.right.next(handle, Operation.close);
      old = handle;
    }
  }),

  complianceCase(
    'C12: three hundred streams after each other never meet the completions of another',
    async (context) => {
      const listener = await context.listen();
      for (let round = 0; round < 300; round++) {
        const { left, right } = await context.pairAt(listener);
        left.port.recv(left.handle, 10);
        await right.sendAll(Uint8Array.of(round));
        assert.equal((await left.next(Operation.recv)).bytes[0], round & 0xff);
        left.port.recv(left.handle, 10);
        // The reset leaves no port of the system waiting, so that the case can run often.
        left.port.reset(left.handle);
        right.port.reset(right.handle);
        await Promise.all([left.next(Operation.reset), right.next(Operation.reset)]);
        for (const lease of left.driver.ledger.leases()) left.port.release(lease);
      }
    },
  ),

  complianceCase('C12: the handle of a closed stream stays refused when its slot is in use again', async (context) => {
    const first = await context.pair();
    await first.left.close();
    const next = await context.pairs(5);
    expectBackendError('ERR_BACKEND_STALE_HANDLE', () => first.left.port.recv(first.left.handle, 10));
    expectBackendError('ERR_BACKEND_STALE_HANDLE', () => first.left.port.close(first.left.handle));
    for (const { left, right } of next) {
      await left.sendAll(pattern(10));
      expectBytes(await right.takeExactly(10), pattern(10));
    }
  }),
];
