import assert from 'node:assert/strict';
import { ascii } from '../bytes.js';
import { type ComplianceCase, casesOf } from '../case.js';
import { turn } from '../context.js';

const defineCase = casesOf('connecting');

/** What the servers of libevent's cases about connecting say: 76 characters and a NUL. */
const greeting = `${'Now is the time for all good events to signal for the good of their protocol.'.slice(0, 76)}\0`;

/** From the call of `connect()` to its one outcome. */
export const connectingCases: readonly ComplianceCase[] = [
  defineCase(
    'EV-5, WR-8, B3, B34: connected comes later than the call, once, before every other callback, and is no write',
    async (context) => {
      const dialling = await context.dial('accepted');
      const { a } = dialling;
      a.record();
      a.bev.enable('read');
      dialling.connect();
      assert.deepEqual(a.log, [], 'EV-7: connected inside the call');
      const b = await dialling.accepted();
      b.bev.write('hello');
      await context.until(() => a.bev.input.length === 5, 'bytes');
      await dialling.settle();
      assert.equal(a.log[0], 'connected');
      assert.equal(a.count('connected'), 1);
      assert.equal(a.count('write'), 0);
    },
    ['dial'],
  ),

  defineCase(
    'WR-5, B31: what is written before connecting, with writing disabled, is sent when it is enabled after connected',
    async (context) => {
      const dialling = await context.dial('accepted');
      const { a } = dialling;
      a.bev.disable('write');
      a.bev.write('early');
      a.record();
      dialling.connect();
      const b = await dialling.accepted();
      b.collect();
      await context.until(() => a.events.length > 0, 'connected');
      await dialling.settle();
      assert.deepEqual(a.events, ['connected']);
      assert.equal(b.takenBytes, 0, 'WR-5: sent although writing is disabled');
      a.bev.enable('write');
      await context.until(() => b.takenBytes === 5, 'what was written early');
      assert.equal(ascii(b.taken), 'early');
    },
    ['dial'],
  ),

  defineCase(
    'EV-4, EV-5, RD-8 (regress B16, B17, B18, B19, B20): a client hears the whole greeting of a server that ends after it',
    async (context) => {
      const dialling = await context.dial('accepted');
      const a = dialling.a.record();
      a.bev.enable('read');
      dialling.connect();
      const b = await dialling.accepted();
      b.bev.write(greeting);
      b.bev.halfClose();
      await context.until(() => a.events.includes('eof'), 'the end');
      assert.equal(ascii(a.take()), greeting);
      assert.deepEqual(a.events, ['connected', 'eof']);
      assert.ok(a.count('read') >= 1);
    },
    ['dial', 'halfClose', 'abruptClose'],
  ),

  defineCase(
    'EV-1, EV-2, EV-7, B40, B43 (regress B21, B31, B32): a refused connection is one error event, later than the call, and no data callback',
    async (context) => {
      const dialling = await context.dial('refused');
      const { a } = dialling;
      a.record();
      a.bev.enable('read', 'write');
      a.bev.write('stays');
      dialling.connect();
      assert.deepEqual(a.log, [], 'EV-2: told inside the call');
      await context.until(() => a.events.length > 0, 'the error');
      await dialling.settle();
      assert.deepEqual(a.log, a.events, 'EV-1: a data callback for a connection that never was');
      assert.equal(a.events.length, 1, 'EV-1: more than one event');
      assert.match(a.events[0] as string, /^error connect /);
      assert.deepEqual(a.bev.enabled, ['read', 'write']);
      assert.equal(a.bev.output.length, 5);
    },
    ['dial'],
  ),

  defineCase(
    'FR-1, B62: an end that is freed while it connects calls nobody',
    async (context) => {
      for (const outcome of ['accepted', 'refused'] as const) {
        for (let turns = 0; turns < 3; turns++) {
          const dialling = await context.dial(outcome);
          const a = dialling.a.record();
          a.bev.write('never');
          dialling.connect();
          for (let passed = 0; passed < turns; passed++) await turn();
          const calls = a.log.length;
          a.bev.free();
          await dialling.settle();
          assert.equal(a.log.length, calls, 'FR-1: called after free');
          assert.equal((await context.within(a.bev.closed, 'closed')).kind === 'clean', false);
        }
      }
    },
    ['dial'],
  ),
];
