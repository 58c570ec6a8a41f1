import assert from 'node:assert/strict';
import { type Address, Errno, type Handle, Operation } from 'bufferevent-backend';
import { pattern } from '../bytes.js';
import { type ComplianceCase, complianceCase } from '../case.js';
import type { CaseContext } from '../context.js';
import { Stream } from '../stream.js';
import { expectBytes } from './expect.js';

async function connected(context: CaseContext, address: Address): Promise<Stream> {
  const handle = context.left.port.connect(address);
  assert.equal((await context.left.next(handle, Operation.connect)).result, 0);
  return new Stream(context.left, handle);
}

async function accepted(context: CaseContext, listener: Handle): Promise<Stream> {
  const { result } = await context.right.next(listener, Operation.accept);
  assert.ok(result > 0, `accept completed with ${result}`);
  return new Stream(context.right, result);
}

/** C2 and C6 for listeners: credits are used one by one, and what is left of them ends once. */
export const acceptCases: readonly ComplianceCase[] = [
  complianceCase('C2: each accepted connection uses one credit and completes with its own handle', async (context) => {
    const { handle, address } = await context.listen();
    context.right.port.accept(handle, 3);
    const handles = new Set<Handle>();
    for (let index = 0; index < 3; index++) {
      await connected(context, address);
      handles.add((await accepted(context, handle)).handle);
    }
    assert.equal(handles.size, 3);
    assert.equal(context.right.port.stats().pending, 0);
  }),

  complianceCase('C2: credits that are used up end without a completion of their own', async (context) => {
    const { handle, address } = await context.listen();
    context.right.port.accept(handle, 1);
    await connected(context, address);
    await accepted(context, handle);
    context.right.port.close(handle);
    await context.right.next(handle, Operation.close);
    assert.equal(context.right.untaken(handle, Operation.accept).length, 0);
  }),

  complianceCase('C2: cancelling an accept ends its remaining credits with one ECANCELED', async (context) => {
    const { handle, address } = await context.listen();
    context.right.port.accept(handle, 5);
    await connected(context, address);
    await accepted(context, handle);
    context.right.port.cancel(handle, Operation.accept);
    assert.equal((await context.right.next(handle, Operation.accept)).result, -Errno.ECANCELED);
    await context.settle();
    assert.equal(context.right.untaken(handle, Operation.accept).length, 0);
  }),

  complianceCase('C2: a listener accepts again after its accept was cancelled', async (context) => {
    const { handle, address } = await context.listen();
    for (let round = 0; round < 5; round++) {
      context.right.port.accept(handle, 3);
      context.right.port.cancel(handle, Operation.accept);
      assert.equal((await context.right.next(handle, Operation.accept)).result, -Errno.ECANCELED);
    }
    context.right.port.accept(handle, 1);
    const left = await connected(context, address);
    const right = await accepted(context, handle);
    await left.sendAll(pattern(10));
    expectBytes(await right.takeExactly(10), pattern(10));
  }),

  complianceCase(
    'C2: closing a listener ends its remaining credits with one ECANCELED before the close',
    async (context) => {
      const { handle } = await context.listen();
      context.right.port.accept(handle, 100);
      context.right.port.close(handle);
      await context.right.next(handle, Operation.close);
      const [ended, ...more] = context.right.untaken(handle, Operation.accept);
      assert.equal(ended?.result, -Errno.ECANCELED);
      assert.equal(more.length, 0);
    },
  ),

  complianceCase(
    'C2: a connection made while there are credits and one made before are both accepted',
    async (context) => {
      const { handle, address } = await context.listen();
      const early = context.left.port.connect(address);
      context.right.port.accept(handle, 2);
      const late = context.left.port.connect(address);
      await Promise.all([accepted(context, handle), accepted(context, handle)]);
      for (const client of [early, late]) {
        assert.equal((await context.left.next(client, Operation.connect)).result, 0);
      }
    },
  ),

  complianceCase(
    'C6: without credits nothing is accepted, and what waited is accepted with the next',
    async (context) => {
      const { handle, address } = await context.listen();
      const clients = [0, 1, 2, 3].map(() => context.left.port.connect(address));
      await context.settle();
      assert.equal(context.right.untaken(handle, Operation.accept).length, 0);
      context.right.port.accept(handle, 3);
      for (let index = 0; index < 3; index++) await accepted(context, handle);
      await context.settle();
      assert.equal(context.right.untaken(handle, Operation.accept).length, 0);
      context.right.port.accept(handle, 1);
      await accepted(context, handle);
      for (const client of clients) assert.equal((await context.left.next(client, Operation.connect)).result, 0);
    },
  ),

  complianceCase('C6: bytes that came before the connection was accepted are received after it', async (context) => {
    const { handle, address } = await context.listen();
    const client = new Stream(context.left, context.left.port.connect(address));
    // A backend whose connect waits for the accept sends later: the bytes are the same.
    const sent = context.meanwhile(client.next(Operation.connect).then(() => client.sendAll(pattern(500))));
    await context.settle();
    context.right.port.accept(handle, 1);
    const right = await accepted(context, handle);
    await sent;
    expectBytes(await right.takeExactly(500), pattern(500));
  }),

  complianceCase(
    'C6: with deferAccept a connection is accepted when its first bytes have come',
    async (context) => {
      const listening = context.listen(context.right, context.harness.listenAddress(), { deferAccept: true });
      const { handle, address } = await listening;
      context.right.port.accept(handle, 1);
      const left = await connected(context, address);
      await context.settle();
      assert.equal(context.right.untaken(handle, Operation.accept).length, 0);
      await left.sendAll(pattern(10));
      expectBytes(await (await accepted(context, handle)).takeExactly(10), pattern(10));
    },
    ['deferAccept', 'tcp'],
  ),

  complianceCase('C11: a listener that closes lets its accepted streams go on', async (context) => {
    const { handle, address } = await context.listen();
    context.right.port.accept(handle, 1);
    const left = await connected(context, address);
    const right = await accepted(context, handle);
    context.right.port.close(handle);
    await context.right.next(handle, Operation.close);
    await left.sendAll(pattern(100));
    expectBytes(await right.takeExactly(100), pattern(100));
  }),

  complianceCase('C11: a closed listener gives its address free', async (context) => {
    const { handle, address } = await context.listen();
    context.right.port.close(handle);
    await context.right.next(handle, Operation.close);
    const again = await context.listen(context.right, address);
    assert.deepEqual(again.address, address);
  }),

  complianceCase(
    'C20: a listener without descriptors reports it once and resumes when there are some again',
    async (context) => {
      const { handle, address } = await context.listen();
      await context.settle();
      const waiting = context.supports.acceptAhead + 2;
      const clients = Array.from({ length: waiting }, () => context.left.port.connect(address));
      await context.settle();
      const exhaustion = context.exhaustDescriptors();
      context.right.port.accept(handle, waiting);
      const results = await resultsUntilExhausted(context, handle);
      await context.settle(50);
      const repeated = context.right.untaken(handle, Operation.accept).filter(({ result }) => result < 0);
      assert.equal(repeated.length, 0, `running out was reported ${repeated.length + 1} times`);
      exhaustion.restore();
      // The report used no credit: every connection that waited still gets one.
      for (let left = waiting - results; left > 0; left--) await accepted(context, handle);
      for (const client of clients) assert.equal((await context.left.next(client, Operation.connect)).result, 0);
      assert.equal(context.right.port.stats().pending, 0);
    },
    ['acceptErrors', 'exhaustDescriptors'],
  ),

  complianceCase(
    'C20: each time that descriptors run out is reported by itself',
    async (context) => {
      const { handle, address } = await context.listen();
      await context.settle();
      for (let episode = 0; episode < 3; episode++) {
        const waiting = context.supports.acceptAhead + 1;
        for (let index = 0; index < waiting; index++) context.left.port.connect(address);
        await context.settle();
        const exhaustion = context.exhaustDescriptors();
        context.right.port.accept(handle, waiting);
        const before = await resultsUntilExhausted(context, handle);
        exhaustion.restore();
        for (let left = waiting - before; left > 0; left--) await accepted(context, handle);
      }
    },
    ['acceptErrors', 'exhaustDescriptors'],
  ),

  complianceCase(
    'C20: streams go on while their listener is out of descriptors',
    async (context) => {
      const { left, right } = await context.pair();
      const { handle, address } = await context.listen();
      await context.settle();
      for (let index = 0; index <= context.supports.acceptAhead; index++) context.left.port.connect(address);
      await context.settle();
      const exhaustion = context.exhaustDescriptors();
      context.right.port.accept(handle, context.supports.acceptAhead + 1);
      const before = await resultsUntilExhausted(context, handle);
      const sent = context.meanwhile(left.sendAll(pattern(100_000)));
      expectBytes(await right.takeExactly(100_000), pattern(100_000));
      await sent;
      exhaustion.restore();
      for (let due = context.supports.acceptAhead + 1 - before; due > 0; due--) await accepted(context, handle);
    },
    ['acceptErrors', 'exhaustDescriptors'],
  ),

  complianceCase(
    'C20: a listener that is out of descriptors can be cancelled and closed',
    async (context) => {
      const { handle, address } = await context.listen();
      await context.settle();
      for (let index = 0; index <= context.supports.acceptAhead; index++) context.left.port.connect(address);
      await context.settle();
      const exhaustion = context.exhaustDescriptors();
      context.right.port.accept(handle, 100);
      await resultsUntilExhausted(context, handle);
      context.right.port.cancel(handle, Operation.accept);
      assert.equal((await context.right.next(handle, Operation.accept)).result, -Errno.ECANCELED);
      context.right.port.close(handle);
      await context.right.next(handle, Operation.close);
      exhaustion.restore();
    },
    ['acceptErrors', 'exhaustDescriptors'],
  ),
];

/** Takes accept completions up to the report that descriptors ran out; answers how many connections came before. */
async function resultsUntilExhausted(context: CaseContext, listener: Handle): Promise<number> {
  for (let count = 0; ; count++) {
    const { result } = await context.right.next(listener, Operation.accept);
    if (result === -Errno.EMFILE || result === -Errno.ENFILE) return count;
    assert.ok(result > 0, `accept completed with ${result}, EMFILE was due`);
  }
}
