import assert from 'node:assert/strict';
import { Operation } from 'bufferevent-backend';
import { pattern } from '../bytes.js';
import { type ComplianceCase, complianceCase } from '../case.js';
import { arrayBufferBytes } from '../memory-use.js';
import type { Stream } from '../stream.js';

const STREAMS = 300;
/** For what a port allocates once, and for the objects of the streams themselves. */
const SLACK = 4 * 1024 * 1024;

/** C15: streams that wait cost no receive memory beyond what the manifest says. */
export const idleCases: readonly ComplianceCase[] = [
  complianceCase(
    'C15: streams with a recv in flight and no bytes pin no more than supports.idleMemory',
    async (context) => {
      const pairs = await context.pairs(STREAMS);
      await context.settle();
      const before = arrayBufferBytes();
      for (const { right } of pairs) right.port.recv(right.handle, 65_536);
      await context.settle();
      const grown = arrayBufferBytes() - before;
      const bound = STREAMS * context.supports.idleMemory + SLACK;
      assert.ok(grown <= bound, `C15: ${STREAMS} idle streams cost ${grown} bytes (bound ${bound})`);
      await wakeOne(pairs[17]?.left, pairs[17]?.right);
    },
  ),

  complianceCase('C15: the largest possible recv pins no memory while it waits', async (context) => {
    const pairs = await context.pairs(20);
    await context.settle();
    const before = arrayBufferBytes();
    for (const { right } of pairs) right.port.recv(right.handle, 0x7fff_ffff);
    await context.settle();
    const grown = arrayBufferBytes() - before;
    const bound = 20 * context.supports.idleMemory + SLACK;
    assert.ok(grown <= bound, `C15: 20 waiting streams cost ${grown} bytes (bound ${bound})`);
    await wakeOne(pairs[3]?.left, pairs[3]?.right);
  }),

  complianceCase('C15: streams that were busy and are idle again hold no lease and no more memory', async (context) => {
    const pairs = await context.pairs(STREAMS);
    await context.settle();
    const before = arrayBufferBytes();
    for (const { left, right } of pairs) {
      await left.sendAll(pattern(1000));
      await right.takeExactly(1000);
      right.port.recv(right.handle, 65_536);
    }
    await context.settle();
    const grown = arrayBufferBytes() - before;
    // What was received and sent here is garbage by now, and may not have been collected yet.
    const garbage = STREAMS * 8 * 1000;
    const bound = STREAMS * context.supports.idleMemory + SLACK + garbage;
    assert.equal(context.right.port.stats().leases, 0);
    assert.ok(grown <= bound, `C15: ${STREAMS} idle streams cost ${grown} bytes (bound ${bound})`);
  }),

  complianceCase(
    'C15: an available backend says in bytes what an idle stream pins and what is read ahead',
    async (context) => {
      const { idleMemory, readAhead, acceptAhead } = context.supports;
      for (const [name, value] of Object.entries({ idleMemory, readAhead, acceptAhead })) {
        assert.ok(Number.isSafeInteger(value) && value >= 0, `supports.${name} is ${value}`);
      }
      const { backend } = context.harness;
      assert.ok(backend.isAvailable() && backend.unavailabilityReason() === null);
      assert.equal(context.left.port.backend, backend);
    },
  ),
];

async function wakeOne(left: Stream | undefined, right: Stream | undefined): Promise<void> {
  assert.ok(left && right);
  await left.sendAll(pattern(10));
  assert.ok((await right.next(Operation.recv)).result > 0);
}
