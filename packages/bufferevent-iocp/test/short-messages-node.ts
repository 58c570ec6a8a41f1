// Streams on which short messages come wait with room for one, in memory of the port.
import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { setImmediate } from 'node:timers/promises';
import { type CompletionSink, Errno, type Handle, Operation, type Port } from 'bufferevent-backend';
import { type CaseContext, type ComplianceCase, runCase, Stream } from 'bufferevent-backend-compliance';
import { Stage } from 'bufferevent-backend-compliance/life-cycle';
import { createIocpBackend, type IocpPort, iocpBackend } from 'bufferevent-iocp';
import { binding } from './binding.js';
import { iocpHarness, ipv4 } from './harness.js';

const MESSAGE_BYTES = 448;
const ROOM_BYTES = 512;
/** Asking for less means to be held back. */
const PLENTY = 64 * 1024;

/** Memory of ports that bytes are received in. */
const slabs: ArrayBuffer[] = [];
globalThis.Uint8Array = new Proxy(Uint8Array, {
  construct(target, words, proxy) {
    const made = Reflect.construct(target, words, proxy) as Uint8Array<ArrayBuffer>;
    if (words[0] === 8 * 1024 || words[0] === 64 * 1024) slabs.push(made.buffer);
    return made;
  },
});

interface Peers {
  readonly left: Stream;
  /** Has had a short message, and has a recv of plenty in flight. */
  readonly right: Stream;
}

function peersTest(title: ComplianceCase['title'], run: (peers: Peers, context: CaseContext) => Promise<void>): void {
  const [rule] = title.split(':') as [ComplianceCase['rule']];
  const scene = async (context: CaseContext): Promise<void> => {
    const { left, right } = await context.pair();
    await left.sendAll(message(10));
    assert.equal((await right.take(PLENTY)).length, 10);
    right.port.recv(right.handle, PLENTY);
    await context.settle();
    await run({ left, right }, context);
  };
  for (const threads of [1, 4]) {
    const harness = iocpHarness(ipv4, createIocpBackend({ threads }));
    it(`${title} (threads: ${threads})`, () => runCase({ rule, title, requires: [], run: scene }, harness));
  }
}

const message = (length: number, seed = 1): Buffer =>
  Buffer.alloc(length).map((_, index) => index * 7 + (index >> 8) + seed) as Buffer;

/** What the recv in flight brings, and then what is still missing of so many bytes. */
async function takeRest({ right }: Peers, length: number): Promise<Buffer> {
  const completion = await right.next(Operation.recv);
  right.expectSuccess(completion);
  const first = Buffer.from(completion.bytes);
  right.driver.release(completion);
  if (first.length === length) return first;
  return Buffer.concat([first, await right.takeExactly(length - first.length, PLENTY)]);
}

const reads = ({ right }: Peers): number => (right.port as IocpPort).stats().systemCalls.reads;
const controls = ({ right }: Peers): number => (right.port as IocpPort).stats().systemCalls.controls;

describe('short messages', () => {
  peersTest('C7: each costs one receive', async (peers) => {
    const { left, right } = peers;
    const before = reads(peers);
    for (let round = 0; round <= 50; round++) {
      if (round > 0) right.port.recv(right.handle, PLENTY);
      await left.sendAll(message(100, round));
      assert.ok((await takeRest(peers, 100)).equals(message(100, round)));
    }
    assert.equal(reads(peers) - before, 50);
  });

  for (const length of [1, ROOM_BYTES - 1, ROOM_BYTES, ROOM_BYTES + 1, 2 * ROOM_BYTES, 100_000]) {
    peersTest(`C8: ${length} bytes after a short message come whole`, async (peers) => {
      const { left } = peers;
      const [whole] = await Promise.all([takeRest(peers, length), left.sendAll(message(length, 3))]);
      assert.ok(whole.equals(message(length, 3)));
    });
  }

  peersTest('C7: who asks for less, or has had longer ones, waits with no room', async (peers) => {
    const { left, right } = peers;
    await left.sendAll(message(10));
    await takeRest(peers, 10);
    for (const [length, max, hasRoom] of [
      [10, PLENTY, true],
      [10, PLENTY - 1, false],
      [MESSAGE_BYTES, PLENTY, true],
      [MESSAGE_BYTES + 1, PLENTY, false],
    ] as const) {
      await left.sendAll(message(length));
      for (let due: number = length; due > 0; due -= (await right.take(PLENTY)).length);
      const before = controls(peers);
      right.port.recv(right.handle, max);
      right.port.cancel(right.handle, Operation.recv);
      await right.expectCanceled(Operation.recv);
      // Only what has room has to be taken back from the system.
      assert.equal(controls(peers) - before, hasRoom ? 1 : 0, `${length} bytes, at most ${max}`);
      // The wait that is left over.
      if (hasRoom) continue;
      await left.sendAll(message(10));
      assert.equal((await right.take(PLENTY)).length, 10);
    }
  });

  peersTest('C7: a maximum that is lowered holds for what has not come', async (peers, context) => {
    const { left, right } = peers;
    for (let round = 0; round < 20; round++) {
      right.port.lowerRecvMax(right.handle, 5);
      if (round % 2 === 0) await context.settle(round % 3);
      const bytes = message(100, round);
      await left.sendAll(bytes);
      const completion = await right.next(Operation.recv);
      assert.ok(completion.result >= 1 && completion.result <= 5, `${completion.result} bytes`);
      const first = Buffer.from(completion.bytes);
      right.driver.release(completion);
      const rest = await right.takeExactly(100 - first.length);
      assert.ok(Buffer.concat([first, rest]).equals(bytes));
      right.port.recv(right.handle, PLENTY);
      await context.settle(1);
    }
  });

  peersTest('C7: a maximum is lowered, and then the recv is cancelled', async ({ left, right }) => {
    right.port.lowerRecvMax(right.handle, 5);
    right.port.cancel(right.handle, Operation.recv);
    await right.expectCanceled(Operation.recv);
    await left.sendAll(message(100));
    assert.equal((await right.takeExactly(100)).length, 100);
  });

  peersTest(
    'C17: a recv that is cancelled takes nothing, whatever comes before the next one',
    async (peers, context) => {
      const { left, right } = peers;
      right.port.cancel(right.handle, Operation.recv);
      await right.expectCanceled(Operation.recv);
      await left.sendAll(message(100));
      await context.settle();
      assert.equal(right.port.stats().leases, 0);
      assert.ok(message(100).equals(await right.takeExactly(100)));
    },
  );

  peersTest('C8: the end comes to the waiting recv, and again to the next', async ({ left, right }) => {
    await left.shutdown();
    assert.equal((await right.next(Operation.recv)).result, 0);
    assert.equal((await right.recv(PLENTY)).result, 0);
  });

  peersTest('C13: a reset comes to the waiting recv', async ({ left, right }) => {
    await left.reset();
    assert.equal((await right.next(Operation.recv)).result, -Errno.ECONNRESET);
  });

  peersTest('C11: detaching cancels the waiting recv, and takes nothing along', async ({ left, right }) => {
    right.port.detach(right.handle);
    await right.expectCanceled(Operation.recv);
    const { result: descriptor } = await right.next(Operation.detach);
    await left.sendAll(message(100));
    const again = new Stream(right.driver, right.port.adopt(descriptor));
    assert.ok(message(100).equals(await again.takeExactly(100)));
  });

  peersTest('C11: closing cancels the waiting recv with one call', async (peers) => {
    const { right } = peers;
    const before = controls(peers);
    right.port.close(right.handle);
    await right.expectCanceled(Operation.recv);
    assert.equal((await right.next(Operation.close)).result, 0);
    assert.equal(controls(peers) - before, 1);
  });

  peersTest('C5: they come whole where what has come is held, and memory has to be brought', async (peers) => {
    const { left, right } = peers;
    const held: { bytes: Uint8Array; seed: number }[] = [];
    for (let seed = 0; seed < 3000; seed++) {
      await left.sendAll(message(300, seed));
      const { result, bytes } = await right.next(Operation.recv);
      assert.equal(result, 300);
      held.push({ bytes, seed });
      right.port.recv(right.handle, PLENTY);
    }
    for (const { bytes, seed } of held) assert.ok(message(300, seed).equals(bytes));
  });

  peersTest('C5: one that has come waits while no memory is left for it', async (peers) => {
    assert.ok(slabs.length > 0);
    // By somebody who had all of it at some time.
    structuredClone(null, { transfer: slabs.splice(0) });
    await peers.left.sendAll(message(300));
    assert.ok((await takeRest(peers, 300)).equals(message(300)));
  });
});

describe('messages that have come, and of which nobody has heard', () => {
  /** Each gives up the recv in flight; the rest of what it has not brought can be received from the handle that it returns. */
  const scenes: Record<string, (stage: Stage, right: Handle) => Promise<Handle | null>> = {
    async 'C7: a recv that is lowered too late brings them'(stage, right) {
      stage.port.lowerRecvMax(right, 5);
      return right;
    },
    async 'C17: a recv that is cancelled too late brings them'(stage, right) {
      stage.port.cancel(right, Operation.recv);
      return right;
    },
    async 'C17: a recv that ends with its stream brings them'(stage, right) {
      stage.port.close(right);
      assert.equal(await stage.taken(right, Operation.close), 0);
      return null;
    },
    async 'C17: detaching loses none of them'(stage, right) {
      stage.port.detach(right);
      return stage.port.adopt(await stage.taken(right, Operation.detach));
    },
  };
  for (const [title, giveUp] of Object.entries(scenes)) {
    it(title, async () => {
      const [sender, stage] = [new Stage(createPort), new Stage(createPort)];
      stage.keepsReceived = false;
      const listener = await stage.listening();
      let brought = 0;
      for (let round = 0; round < 10; round++) {
        stage.port.accept(listener, 1);
        const left = sender.port.connect(stage.addressOf(listener));
        const right = await stage.taken(listener, Operation.accept);
        await sender.taken(left, Operation.connect);
        await sendWhereItWaits(sender, left, stage, right);
        assert.equal(await stage.taken(right, Operation.recv), 100);
        await sender.taken(left, Operation.send);
        await sendWhereItWaits(sender, left, stage, right);
        // Nobody hears of what comes while this thread is busy. So many calls of the system, and it has come.
        for (let count = 0; count < 300; count++) binding.openHandles();
        const received = stage.taken(right, Operation.recv);
        const rest = await giveUp(stage, right);
        let got = Math.max(0, await received);
        if (got === 100) brought++;
        if (rest === null) continue;
        for (; got < 100; got += await stage.taken(rest, Operation.recv)) stage.port.recv(rest, PLENTY);
        assert.equal(got, 100);
      }
      assert.ok(brought > 0);
      for (const { port } of [sender, stage]) await port[Symbol.asyncDispose]();
    });
  }
});

const createPort = (sink: CompletionSink): Port => iocpBackend.createPort(sink);

/** Sends a message in a turn of the loop in which the recv for it waits already. */
async function sendWhereItWaits(sender: Stage, left: Handle, stage: Stage, right: Handle): Promise<void> {
  stage.port.recv(right, PLENTY);
  await stage.turn();
  await setImmediate();
  const memory = message(100);
  sender.port.send(left, [{ memory, start: 0, end: memory.length }]);
  sender.port.flush();
}
