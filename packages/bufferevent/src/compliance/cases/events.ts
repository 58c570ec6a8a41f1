import assert from 'node:assert/strict';
import { ascii, pattern } from '../bytes.js';
import { type ComplianceCase, casesOf } from '../case.js';
import { expectBytes, expectCode } from '../expect.js';

const defineCase = casesOf('events');

/** Ends and failures, and what they leave. */
export const eventCases: readonly ComplianceCase[] = [
  defineCase(
    'EV-4, B41: the end of the peer disables reading and nothing else; writing goes on',
    async (context) => {
      const pair = await context.open();
      const { a, b } = pair;
      a.collect();
      b.record();
      b.bev.enable('read');
      a.bev.write('question');
      a.bev.halfClose();
      await context.until(() => b.events.length > 0, 'the end');
      assert.deepEqual(b.events, ['eof']);
      assert.deepEqual(b.bev.enabled, ['write']);
      assert.equal(b.bev.freed, false, 'EV-4: the end freed the connection');
      assert.equal(b.bev.readEnded, true);
      assert.equal(ascii(b.take()), 'question');
      const answer = pattern(8333);
      b.bev.write(answer);
      await context.until(() => a.takenBytes >= answer.length, 'the answer after the end');
      expectBytes(a.taken, answer);
      await pair.settle();
      assert.deepEqual(b.events, ['eof'], 'EV-4: the end was told twice');
    },
    ['halfClose'],
  ),

  defineCase(
    'EV-4: enabling reading after the end tells the end again',
    async (context) => {
      const pair = await context.open();
      const { a, b } = pair;
      b.record();
      b.bev.enable('read');
      a.bev.halfClose();
      await context.until(() => b.events.length === 1, 'the end');
      await pair.settle();
      b.bev.enable('read');
      await context.until(() => b.events.length === 2, 'the end again');
      await pair.settle();
      assert.deepEqual(b.events, ['eof', 'eof']);
      assert.deepEqual(b.bev.enabled, ['write']);
    },
    ['halfClose'],
  ),

  defineCase(
    'FR-3, EV-4: the peer of a freed end is told so by one event, after the bytes that were sent',
    async (context) => {
      const pair = await context.open();
      const { a, b } = pair;
      b.collect();
      a.bev.write('sent');
      await context.within(a.bev.drained(), 'drained');
      a.bev.free();
      await context.until(() => b.events.length > 0, 'the peer to be told');
      await pair.settle();
      assert.equal(b.events.length, 1);
      assert.match(b.events[0] as string, /^(?:eof|error read)/);
      assert.equal(ascii(b.taken), 'sent');
      assert.equal(b.bev.freed, false, 'EV-4: the event freed the connection');
      assert.ok(!b.bev.enabled.includes('read'), 'EV-4: reading stays enabled after the end');
    },
    ['abruptClose'],
  ),

  defineCase(
    'EV-1, B33, B40: the peer of a connection that is given up hears one terminal event, and bytes before it are a prefix',
    async (context) => {
      const pair = await context.open({ limits: { outputMaxBytes: 1000, outputHighWatermark: 500 } });
      const { a, b } = pair;
      b.collect();
      a.record();
      const bytes = pattern(900);
      a.bev.write(bytes);
      expectCode('ERR_BUFFEREVENT_OUTPUT_LIMIT', () => a.bev.write(pattern(200)));
      await context.until(() => b.events.length > 0, 'the peer to be told');
      await pair.settle();
      assert.equal(b.events.length, 1, `EV-1: ${b.events.join(', ')}`);
      assert.match(b.events[0] as string, /^(?:eof|error)/);
      expectBytes(b.taken, bytes.subarray(0, b.takenBytes));
      assert.equal(b.bev.freed, false);
    },
    ['abruptClose'],
  ),

  defineCase(
    'EV-1, EV-4, B40: writing to a peer that is gone ends in at most one error, and nothing is called after it',
    async (context) => {
      const pair = await context.open();
      const { a, b } = pair;
      b.record();
      b.bev.enable('read');
      a.bev.free();
      await context.until(() => b.events.length > 0, 'the peer to be told');
      for (let round = 0; round < 3; round++) {
        b.bev.write(pattern(1000));
        await pair.settle();
      }
      const errors = b.events.filter((event) => event.startsWith('error'));
      assert.ok(errors.length <= 1, `EV-1: ${b.events.join(', ')}`);
      assert.equal(b.bev.freed, false);
      b.bev.free();
    },
    ['abruptClose'],
  ),
];
