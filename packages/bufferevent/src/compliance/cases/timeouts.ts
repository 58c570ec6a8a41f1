import assert from 'node:assert/strict';
import { pattern } from '../bytes.js';
import { type ComplianceCase, casesOf } from '../case.js';
import type { CaseContext, Pair } from '../context.js';

const defineCase = casesOf('time-outs');
const clock = ['clock'] as const;

/** Queues more than the path holds, to a peer that takes nothing: what is left can't be sent. */
async function block(context: CaseContext, pair: Pair): Promise<void> {
  pair.a.bev.write(new Uint8Array(context.transitBytes + 1000).fill(1));
  let left = Infinity;
  while (pair.a.bev.output.length < left) {
    left = pair.a.bev.output.length;
    await pair.settle();
  }
  assert.ok(left > 0, 'transitBytes of the flavour is too low');
}

/** Time-outs, with time that passes by hand. */
export const timeoutCases: readonly ComplianceCase[] = [
  defineCase(
    'TO-1, TO-4, B50, B53: a read time-out comes once, disables reading, keeps the connection, and counts anew when enabled',
    async (context) => {
      const pair = await context.open();
      const { a, b } = pair;
      b.record();
      b.bev.setTimeouts({ readMs: 50 });
      b.bev.enable('read');
      await pair.advance(49);
      assert.deepEqual(b.log, []);
      await pair.advance(1);
      assert.deepEqual(b.log, ['timeout read']);
      assert.deepEqual(b.bev.enabled, ['write'], 'TO-4: the time-out leaves reading enabled');
      await pair.advance(500);
      assert.deepEqual(b.log, ['timeout read'], 'TO-4: the time-out repeats');
      b.bev.enable('read');
      await pair.advance(50);
      assert.deepEqual(b.log, ['timeout read', 'timeout read']);
      b.bev.enable('read');
      a.bev.write('still there');
      await context.until(() => b.bev.input.length > 0, 'bytes after a time-out');
    },
    clock,
  ),

  defineCase(
    'TO-1, B50: the read timer runs only while reading is enabled',
    async (context) => {
      const pair = await context.open();
      const { b } = pair;
      b.record();
      b.bev.setTimeouts({ readMs: 50 });
      await pair.advance(500);
      assert.deepEqual(b.log, []);
      b.bev.enable('read');
      await pair.advance(40);
      b.bev.disable('read');
      await pair.advance(500);
      assert.deepEqual(b.log, []);
      b.bev.enable('read');
      await pair.advance(49);
      assert.deepEqual(b.log, []);
      await pair.advance(1);
      assert.deepEqual(b.log, ['timeout read']);
    },
    clock,
  ),

  defineCase(
    'TO-1, B50: a full input stops the read timer, and draining it starts the timer from zero',
    async (context) => {
      const pair = await context.open();
      const { a, b } = pair;
      b.record();
      b.bev.setTimeouts({ readMs: 50 });
      b.bev.setWatermarks('read', { high: 10 });
      b.bev.enable('read');
      a.bev.write(pattern(10));
      await context.until(() => b.bev.input.length === 10, 'a full input');
      await pair.advance(150);
      assert.deepEqual(b.events, [], 'TO-1: timed out while the input was full');
      b.bev.input.drain(10);
      await pair.advance(49);
      assert.deepEqual(b.events, [], 'TO-1: the timer did not start from zero');
      await pair.advance(1);
      assert.deepEqual(b.events, ['timeout read']);
    },
    clock,
  ),

  defineCase(
    'TO-2, B51: received bytes start the read timer anew',
    async (context) => {
      const pair = await context.open();
      const { a, b } = pair;
      b.collect();
      b.bev.setTimeouts({ readMs: 50 });
      for (let round = 1; round <= 3; round++) {
        await pair.advance(30);
        a.bev.write('.');
        await context.until(() => b.takenBytes === round, 'a byte');
      }
      await pair.advance(49);
      assert.deepEqual(b.events, [], 'TO-2: bytes did not restart the timer');
      await pair.advance(1);
      assert.deepEqual(b.events, ['timeout read']);
    },
    clock,
  ),

  defineCase(
    'TO-2, B51: enable and setTimeouts start the read timer anew',
    async (context) => {
      const pair = await context.open();
      const { b } = pair;
      b.record();
      b.bev.setTimeouts({ readMs: 50 });
      b.bev.enable('read');
      await pair.advance(30);
      b.bev.enable('read');
      await pair.advance(30);
      assert.deepEqual(b.log, [], 'TO-2: enable did not restart the timer');
      b.bev.setTimeouts({ readMs: 40 });
      await pair.advance(39);
      assert.deepEqual(b.log, [], 'TO-2: setTimeouts did not restart the timer');
      await pair.advance(1);
      assert.deepEqual(b.log, ['timeout read']);
    },
    clock,
  ),

  defineCase(
    'TO-3, TO-6, B52: a connection with nothing to write never times out in writing',
    async (context) => {
      const pair = await context.open();
      const { a, b } = pair;
      b.collect();
      a.record();
      a.bev.setTimeouts({ writeMs: 50 });
      a.bev.enable('write');
      await pair.advance(500);
      a.bev.write('sent at once');
      await context.until(() => b.takenBytes === 12, 'the bytes');
      await pair.advance(500);
      assert.deepEqual(a.events, []);
      a.bev.disable('write');
      a.bev.write('held');
      await pair.advance(500);
      assert.deepEqual(a.events, [], 'TO-3: timed out while writing was disabled');
    },
    clock,
  ),

  defineCase(
    'TO-3, TO-4, B52, B53: a peer that takes nothing is one write time-out; the output stays and goes on when enabled',
    async (context) => {
      const pair = await context.open();
      const { a, b } = pair;
      a.record();
      a.bev.setTimeouts({ writeMs: 50 });
      await block(context, pair);
      await pair.advance(49);
      assert.deepEqual(a.events, []);
      const left = a.bev.output.length;
      await pair.advance(1);
      assert.deepEqual(a.events, ['timeout write']);
      assert.deepEqual(a.bev.enabled, [], 'TO-4: the time-out leaves writing enabled');
      assert.equal(a.bev.output.length, left, 'TO-3: the time-out took from the output');
      await pair.advance(500);
      assert.deepEqual(a.events, ['timeout write'], 'TO-4: the time-out repeats');
      let taken = 0;
      b.record({
        onRead(bev) {
          taken += bev.input.length;
          bev.input.drain(bev.input.length);
        },
      });
      b.bev.enable('read');
      a.bev.enable('write');
      await context.until(() => taken === context.transitBytes + 1000, 'everything to arrive');
    },
    clock,
  ),

  defineCase(
    'TO-8, TO-4 (regress B22): read 150 ms and write 100 ms with a peer that neither sends nor takes: one of each, nothing else',
    async (context) => {
      const pair = await context.open();
      const { a, b } = pair;
      await block(context, pair);
      a.record();
      b.record();
      a.bev.setTimeouts({ readMs: 150, writeMs: 100 });
      a.bev.enable('read', 'write');
      // Nothing to write and not reading: where libevent has a write time-out here, there is none (TO-6).
      b.bev.setTimeouts({ readMs: 100, writeMs: 200 });
      await pair.advance(99);
      assert.deepEqual(a.log, []);
      await pair.advance(1);
      assert.deepEqual(a.log, ['timeout write']);
      await pair.advance(49);
      assert.deepEqual(a.log, ['timeout write']);
      await pair.advance(1);
      assert.deepEqual(a.log, ['timeout write', 'timeout read']);
      await pair.advance(350);
      assert.deepEqual(a.log, ['timeout write', 'timeout read']);
      assert.deepEqual(a.bev.enabled, []);
      assert.deepEqual(b.log, []);
    },
    clock,
  ),

  defineCase(
    'TO-7, B54: a cleared time-out never fires, and one left out stays',
    async (context) => {
      const pair = await context.open();
      const { b } = pair;
      b.record();
      b.bev.enable('read');
      for (const readMs of [0, null]) {
        b.bev.setTimeouts({ readMs: 50 });
        await pair.advance(40);
        b.bev.setTimeouts({ readMs });
        await pair.advance(500);
        assert.deepEqual(b.log, []);
      }
      b.bev.setTimeouts({ readMs: 50 });
      b.bev.setTimeouts({ writeMs: 10 });
      await pair.advance(50);
      assert.deepEqual(b.log, ['timeout read']);
    },
    clock,
  ),

  defineCase(
    'TO-7, FR-1, B54: after free no timer is set and none fires',
    async (context) => {
      const pair = await context.open();
      const { a, b } = pair;
      for (const end of [a, b]) {
        end.record();
        end.bev.setTimeouts({ readMs: 50, writeMs: 50, idleMs: 50 });
        end.bev.enable('read');
      }
      await pair.advance(10);
      a.bev.free();
      b.bev.free();
      assert.equal(pair.timers(), 0, 'TO-7: a timer is left after free');
      await pair.advance(500);
      assert.deepEqual([...a.log, ...b.log], []);
    },
    clock,
  ),

  defineCase(
    'TO-4, B44: the idle time-out comes once when nothing moved either way, and disables nothing',
    async (context) => {
      const pair = await context.open();
      const { a, b } = pair;
      a.collect();
      b.collect();
      b.bev.setTimeouts({ idleMs: 50 });
      await pair.advance(40);
      a.bev.write('.');
      await context.until(() => b.takenBytes === 1, 'a byte');
      await pair.advance(40);
      b.bev.write('.');
      await context.within(b.bev.drained(), 'drained');
      await pair.advance(49);
      assert.deepEqual(b.events, [], 'B44: a byte did not restart the idle timer');
      await pair.advance(1);
      assert.deepEqual(b.events, ['timeout idle']);
      assert.deepEqual(b.bev.enabled, ['read', 'write']);
      await pair.advance(500);
      assert.deepEqual(b.events, ['timeout idle'], 'TO-4: the idle time-out repeats');
    },
    clock,
  ),

  defineCase(
    'TO-4, B53: enabling inside the time-out event arms it again',
    async (context) => {
      const pair = await context.open();
      const b = pair.b.record({ onEvent: (bev) => bev.enable('read') });
      b.bev.setTimeouts({ readMs: 50 });
      b.bev.enable('read');
      for (let times = 1; times <= 3; times++) {
        await pair.advance(50);
        assert.equal(b.events.length, times);
        assert.deepEqual(b.bev.enabled, ['read', 'write']);
      }
    },
    clock,
  ),

  defineCase(
    'B53: a read time-out rejects the pulls that wait, and a later pull waits again',
    async (context) => {
      const pair = await context.open();
      const { a, b } = pair;
      b.bev.setTimeouts({ readMs: 50 });
      const pulls = [b.bev.read(), b.bev.readLine()].map((pull) => context.rejection(pull, 'a pull that timed out'));
      await pair.advance(50);
      for (const pull of pulls) {
        const error = await pull;
        assert.equal(error.code, 'ERR_BUFFEREVENT_TIMEOUT');
        assert.equal((error as { timeout?: string }).timeout, 'read');
      }
      const later = b.bev.read();
      a.bev.write('late');
      assert.notEqual(await context.within(later, 'a later pull'), null);
    },
    clock,
  ),

  defineCase(
    'EV-6, B55, B61: an end that the peer never answers is over after closeMs, with the cause',
    async (context) => {
      const pair = await context.open();
      const { a } = pair;
      a.record();
      a.bev.setTimeouts({ closeMs: 100 });
      a.bev.write('last');
      const ended = a.bev.end();
      await context.pending(pair, ended, 'end');
      await pair.advance(99);
      assert.equal(a.bev.freed, false);
      await pair.advance(1);
      const cause = await context.within(ended, 'end after its time-out');
      assert.equal(cause.kind, 'timeout');
      assert.equal(cause.kind === 'timeout' && cause.timeout, 'close');
      assert.equal(a.bev.freed, true);
      assert.deepEqual(a.events, ['timeout close']);
    },
    ['clock', 'halfClose'],
  ),
];
