import assert from 'node:assert/strict';
import { Operation } from 'bufferevent-backend';
import { pattern } from '../bytes.js';
import { type ComplianceCase, complianceCase } from '../case.js';
import { type CaseContext, turn } from '../context.js';
import { expectBytes } from './expect.js';

/**
 * Takes uncaught exceptions for the rest of the case. The capture callback goes before the `uncaughtException`
 * listeners of every runner, and only one may exist, so a runner that uses it fails loudly here.
 */
function captureUncaught(context: CaseContext): readonly unknown[] {
  const caught: unknown[] = [];
  process.setUncaughtExceptionCaptureCallback((error) => void caught.push(error));
  context.defer(() => process.setUncaughtExceptionCaptureCallback(null));
  return caught;
}

/** Throws in the sink, once for each time it is armed. */
class Boom extends Error {}

/** C19: a sink that throws is its owner's mistake, and nobody else's loss. */
export const sinkCases: readonly ComplianceCase[] = [
  complianceCase('C19: an exception of the sink surfaces as uncaught, once, as it was thrown', async (context) => {
    const { left, right } = await context.pair();
    const caught = captureUncaught(context);
    const boom = new Boom('in the sink');
    let armed = true;
    right.driver.onBatch = () => {
      if (!armed) return;
      armed = false;
      throw boom;
    };
    right.port.recv(right.handle, 10);
    await left.sendAll(pattern(1));
    await right.next(Operation.recv);
    await context.until(() => caught.length > 0, 'uncaught exception');
    await context.settle();
    assert.deepEqual(caught, [boom]);
  }),

  complianceCase('C19: after a sink has thrown, the completions of other streams are delivered', async (context) => {
    const pairs = await context.pairs(20);
    const caught = captureUncaught(context);
    let armed = true;
    const driver = context.right;
    driver.onBatch = () => {
      if (!armed) return;
      armed = false;
      throw new Boom('in the sink');
    };
    for (const { right } of pairs) right.port.recv(right.handle, 100);
    for (const { left } of pairs) left.submitSend(pattern(100));
    for (const { right } of pairs) assert.ok((await right.next(Operation.recv)).result > 0);
    await context.until(() => caught.length > 0, 'uncaught exception');
    assert.equal(caught.length, 1);
  }),

  complianceCase('C19: what a throwing sink had not come to in its batch is delivered again', async (context) => {
    const pairs = await context.pairs(30);
    const caught = captureUncaught(context);
    const driver = context.right;
    let seen = 0;
    driver.stepwise = true;
    driver.onBatch = () => {
      seen++;
      if (seen % 4 === 0) throw new Boom(`after completion ${seen}`);
    };
    for (const { right } of pairs) right.port.recv(right.handle, 100);
    for (const { left } of pairs) left.submitSend(pattern(100));
    for (const { right } of pairs) assert.ok((await right.next(Operation.recv)).result > 0);
    driver.onBatch = null;
    await context.until(() => caught.length === Math.floor(seen / 4), 'uncaught exception for each');
  }),

  complianceCase('C19: a sink that throws every time still gets every completion', async (context) => {
    const pairs = await context.pairs(10);
    const caught = captureUncaught(context);
    let calls = 0;
    context.right.onBatch = () => {
      calls++;
      throw new Boom(`call ${calls}`);
    };
    await Promise.all(
      pairs.map(async ({ left, right }, index) => {
        const sent = context.meanwhile(left.sendAll(pattern(2000, index + 1)));
        expectBytes(await right.takeExactly(2000, 300), pattern(2000, index + 1));
        await sent;
      }),
    );
    await context.until(() => caught.length === calls, 'uncaught exception for every call');
    context.right.onBatch = null;
    await turn();
    assert.ok(caught.every((error) => error instanceof Boom));
  }),

  complianceCase(
    'C19: verbs work after a sink has thrown, also those it had submitted before throwing',
    async (context) => {
      const { left, right } = await context.pair();
      const caught = captureUncaught(context);
      let armed = true;
      right.driver.onBatch = (completions) => {
        if (!armed || !completions.some(({ operation }) => operation === Operation.recv)) return;
        armed = false;
        right.port.recv(right.handle, 100);
        throw new Boom('after submitting');
      };
      right.port.recv(right.handle, 5);
      await left.sendAll(pattern(5));
      assert.ok((await right.next(Operation.recv)).result > 0);
      await left.sendAll(pattern(5, 2));
      assert.ok((await right.next(Operation.recv)).result > 0);
      await right.sendAll(pattern(3));
      expectBytes(await left.takeExactly(3), pattern(3));
      assert.equal(caught.length, 1);
    },
  ),

  complianceCase('C19: a sink that throws during disposal does not keep the port from ending', async (context) => {
    const pairs = await context.pairs(5);
    const caught = captureUncaught(context);
    for (const { right } of pairs) right.port.recv(right.handle, 10);
    context.right.onBatch = () => {
      throw new Boom('at the end');
    };
    await context.right.dispose();
    await context.until(() => caught.length > 0, 'uncaught exception');
    context.right.onBatch = null;
    assert.deepEqual(context.right.ledger.unsettled(), []);
  }),
];
