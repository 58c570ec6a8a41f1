import assert from 'node:assert/strict';
import { AsyncLocalStorage } from 'node:async_hooks';
import { Evbuffer } from 'evbuffer';
import type { Bufferevent } from '../../bufferevent.js';
import type { BuffereventEvent, BuffereventHandlers } from '../../events.js';
import { pattern } from '../bytes.js';
import { type ComplianceCase, casesOf } from '../case.js';
import { turn } from '../context.js';
import { expectArgumentError, expectCode, untyped } from '../expect.js';
import { gatherUncaught } from '../uncaught.js';

const defineCase = casesOf('dispatch');

const cause = (message: string): BuffereventEvent => ({ kind: 'error', direction: 'read', error: new Error(message) });

/** What a user may do with an open connection, none of which may call a handler before it returns. */
const calls: Readonly<Record<string, (bev: Bufferevent) => unknown>> = {
  write: (bev) => bev.write(pattern(100)),
  'output.add': (bev) => bev.output.add(pattern(100)),
  'write of an Evbuffer': (bev) => bev.write(Evbuffer.from('moved')),
  'input.drain': (bev) => bev.input.drain(10),
  'input.prepend': (bev) => bev.input.prepend('in front'),
  setWatermarks: (bev) => bev.setWatermarks('read', { low: 1, high: 50 }),
  'setWatermarks to none': (bev) => bev.setWatermarks('read', { low: 0, high: 0 }),
  setTimeouts: (bev) => bev.setTimeouts({ readMs: 600_000, writeMs: 600_000 }),
  'disable both': (bev) => bev.disable('read', 'write'),
  'enable write': (bev) => bev.enable('write'),
  'enable read': (bev) => bev.enable('read'),
  'trigger read': (bev) => bev.trigger('read', { ignoreWatermarks: true }),
  'trigger write': (bev) => bev.trigger('write', { ignoreWatermarks: true }),
  triggerEvent: (bev) => bev.triggerEvent({ kind: 'connected' }),
  read: (bev) => bev.read(1).catch(() => null),
  drained: (bev) => bev.drained().catch(() => null),
  halfClose: (bev) => bev.halfClose(),
  end: (bev) => bev.end(),
  free: (bev) => bev.free(),
};

/** When handlers run, in which order, and what they survive. */
export const dispatchCases: readonly ComplianceCase[] = [
  defineCase('CB-1, CB-6, B1: no handler runs inside a call of the user', async (context) => {
    const pair = await context.open();
    const { a, b } = pair;
    let inside = '';
    const inner: string[] = [];
    const note = (what: string) => (): void => {
      if (inside !== '') inner.push(`CB-1: ${what} inside ${inside}`);
    };
    const watching: BuffereventHandlers = {
      onRead: note('onRead'),
      onWrite: note('onWrite'),
      onEvent: note('onEvent'),
    };
    a.record(watching);
    b.record(watching);
    a.bev.enable('read');
    b.bev.enable('read');
    b.bev.write(pattern(200, 2));
    await context.until(() => a.bev.input.length >= 100, 'bytes to arrive');
    for (const [name, call] of Object.entries(calls)) {
      inside = name;
      void call(a.bev);
      inside = '';
      await turn();
      await turn();
    }
    await pair.settle();
    assert.deepEqual(inner, []);
  }),

  defineCase('CB-2, B2: any number of triggers before a turn is one callback', async (context) => {
    const pair = await context.open();
    const a = pair.a.record();
    for (let index = 0; index < 5; index++) {
      a.bev.trigger('read');
      a.bev.trigger('write');
    }
    await pair.settle();
    assert.deepEqual(a.log, ['read 0', 'write 0']);
  }),

  defineCase(
    'CB-2, CB-4, CB-8, EV-5, B3: connected comes first, then the read and write callbacks, then the other events singly',
    async (context) => {
      const pair = await context.open();
      const seen: unknown[] = [];
      pair.a.bev.setHandlers({
        onRead: () => void seen.push('read'),
        onWrite: () => void seen.push('write'),
        onEvent: (_, event) => void seen.push(event),
      });
      const events: BuffereventEvent[] = [
        cause('first'),
        cause('second'),
        { kind: 'eof', direction: 'read' },
        cause('third'),
      ];
      const connected: BuffereventEvent = { kind: 'connected' };
      pair.a.bev.trigger('write');
      for (const event of events) pair.a.bev.triggerEvent(event);
      pair.a.bev.trigger('read');
      pair.a.bev.triggerEvent(connected);
      await pair.settle();
      assert.deepEqual(seen, [connected, 'read', 'write', ...events]);
    },
  ),

  defineCase('CB-3, B5: a trigger without a handler for it does nothing', async (context) => {
    const pair = await context.open();
    const { a } = pair;
    a.bev.setHandlers(null);
    a.bev.trigger('read');
    a.bev.trigger('write');
    a.bev.triggerEvent(cause('nobody'));
    a.record();
    await pair.settle();
    assert.deepEqual(a.log, []);
  }),

  defineCase('CB-3, B5: what is queued when its handler is taken away runs with the next run', async (context) => {
    const pair = await context.open();
    const { a } = pair;
    const event = cause('kept');
    const seen: BuffereventEvent[] = [];
    a.bev.setHandlers({ onEvent: (_, one) => void seen.push(one) });
    a.bev.triggerEvent(event);
    a.bev.setHandlers(null);
    await pair.settle();
    assert.equal(seen.length, 0);
    a.bev.setHandlers({ onRead: () => undefined, onEvent: (_, one) => void seen.push(one) });
    a.bev.trigger('read');
    await pair.settle();
    assert.equal(seen.length, 1, 'the event was lost');
    assert.equal(seen[0], event);
  }),

  defineCase('CB-5, FR-1, B6: what is queued before free is dropped', async (context) => {
    const pair = await context.open();
    const a = pair.a.record();
    const b = pair.b.record();
    b.bev.enable('read');
    a.bev.write(pattern(100));
    b.bev.write(pattern(100));
    a.bev.trigger('read');
    a.bev.trigger('write');
    a.bev.triggerEvent({ kind: 'connected' });
    a.bev.free();
    await pair.settle();
    assert.deepEqual(a.log, []);
  }),

  defineCase('CB-5, FR-1, B6: free inside a handler drops the callbacks queued behind it', async (context) => {
    const pair = await context.open();
    const a = pair.a.record({ onRead: (bev) => bev.free() });
    a.bev.triggerEvent(cause('never told'));
    a.bev.trigger('write');
    a.bev.trigger('read');
    await pair.settle();
    assert.deepEqual(a.log, ['read 0']);
  }),

  defineCase('RD-3, B7: new handlers get what is delivered from then on', async (context) => {
    const pair = await context.open();
    const { a } = pair;
    let old = 0;
    a.bev.setHandlers({
      onRead: () => {
        old += 1;
      },
    });
    a.bev.trigger('read');
    const handlers = a.handlers();
    a.bev.setHandlers(handlers);
    assert.equal(a.bev.handlers, handlers);
    await pair.settle();
    assert.equal(old, 0, 'B7: the old handler is called');
    assert.deepEqual(a.log, ['read 0']);
    a.bev.setHandlers(null);
    assert.equal(a.bev.handlers, null);
  }),

  defineCase('B7, B11: handlers that change the handlers are obeyed in the same run', async (context) => {
    const pair = await context.open();
    const { a } = pair;
    const seen: string[] = [];
    a.bev.setHandlers({
      onRead: (bev) => {
        seen.push('first read');
        bev.setHandlers({
          onWrite: () => void seen.push('second write'),
          onEvent: () => void seen.push('second event'),
        });
      },
      onWrite: () => void seen.push('first write'),
      onEvent: () => void seen.push('first event'),
    });
    a.bev.trigger('read');
    a.bev.trigger('write');
    a.bev.triggerEvent(cause('told'));
    await pair.settle();
    assert.deepEqual(seen, ['first read', 'second write', 'second event']);
  }),

  defineCase('B8: handlers run in the asynchronous context in which they were set', async (context) => {
    const pair = await context.open();
    const { a, b } = pair;
    const storage = new AsyncLocalStorage<string>();
    const seen: (string | undefined)[] = [];
    const note = (): void => void seen.push(storage.getStore());
    storage.run('of a', () => a.bev.setHandlers({ onRead: note, onWrite: note, onEvent: note }));
    storage.run('of b', () => b.bev.setHandlers({ onRead: note }));
    storage.run('elsewhere', () => {
      a.bev.triggerEvent({ kind: 'connected' });
      a.bev.trigger('read');
      a.bev.trigger('write');
      b.bev.trigger('read');
    });
    await pair.settle();
    assert.deepEqual(seen, ['of a', 'of a', 'of a', 'of b']);
  }),

  defineCase('B10: what handlers throw surfaces once each, and the others are served', async (context) => {
    const pair = await context.open();
    const { a, b } = pair;
    const errors = [new Error('of onRead'), new Error('of onWrite'), new Error('of onEvent')] as const;
    const surfaced = await gatherUncaught(async (soFar) => {
      a.record({
        onRead() {
          throw errors[0];
        },
        onWrite() {
          throw errors[1];
        },
        onEvent() {
          throw errors[2];
        },
      });
      b.record();
      a.bev.trigger('read');
      a.bev.trigger('write');
      a.bev.triggerEvent({ kind: 'connected' });
      b.bev.trigger('read');
      await context.until(() => soFar.length >= errors.length, 'the exceptions to surface');
      await pair.settle();
    });
    assert.deepEqual(new Set(surfaced), new Set(errors));
    assert.equal(surfaced.length, errors.length, 'B10: an exception surfaced more than once');
    assert.deepEqual(b.log, ['read 0']);
    // The connection stays as it was.
    assert.deepEqual(a.bev.enabled, ['write']);
    a.record();
    const bytes = pattern(100);
    b.collect();
    a.bev.write(bytes);
    await context.until(() => b.takenBytes === bytes.length, 'bytes after the exceptions');
  }),

  defineCase('CB-9, B12: trigger honours the low marks unless it is told to ignore them', async (context) => {
    const pair = await context.open();
    const { a } = pair;
    a.bev.disable('write');
    a.bev.write(pattern(20));
    a.record();
    a.bev.setWatermarks('read', { low: 1 });
    a.bev.setWatermarks('write', { low: 10 });
    a.bev.trigger('read');
    a.bev.trigger('write');
    await pair.settle();
    assert.deepEqual(a.log, []);
    a.bev.trigger('read', { ignoreWatermarks: true });
    a.bev.trigger('write', { ignoreWatermarks: true });
    await pair.settle();
    assert.deepEqual(a.log, ['read 0', 'write 20']);
  }),

  defineCase(
    'CB-9, B12 (regress B26, B27, B28, B29): inside onRead a trigger below the mark calls nobody; one that ignores the marks calls later; triggerEvent delivers its very object',
    async (context) => {
      const pair = await context.open();
      const { a, b } = pair;
      const event = cause('mine');
      const seen: unknown[] = [];
      let inside = false;
      b.bev.setHandlers({
        onRead(bev) {
          seen.push(inside ? 'CB-1: onRead inside a handler' : 'read');
          inside = true;
          if (seen.length === 1) {
            bev.setWatermarks('read', { low: bev.input.length + 1 });
            bev.trigger('read');
            bev.trigger('read', { ignoreWatermarks: true });
          } else bev.triggerEvent(event);
          inside = false;
        },
        onEvent(_, one) {
          seen.push(inside ? 'CB-1: onEvent inside a handler' : one);
        },
      });
      b.bev.enable('read');
      a.bev.write('x');
      await context.until(() => seen.length >= 3, 'two reads and the event');
      await pair.settle();
      assert.deepEqual(seen, ['read', 'read', event]);
      assert.equal(seen[2], event);
    },
  ),

  defineCase('B13: a mistake in the arguments throws and changes nothing', async (context) => {
    const pair = await context.open();
    const { bev } = pair.a;
    const marks = bev.getWatermarks('read');
    expectArgumentError('enable of no direction', () => bev.enable(untyped('both')));
    expectArgumentError('disable of no direction', () => bev.disable(untyped(3)));
    expectArgumentError('a mark that is no number', () => bev.setWatermarks('read', { low: untyped('1') }));
    expectArgumentError('a negative mark', () => bev.setWatermarks('read', { high: -1 }));
    expectArgumentError('a time-out that is no number', () => bev.setTimeouts({ readMs: untyped('1') }));
    expectArgumentError('a time-out of an unknown name', () => bev.setTimeouts(untyped({ reedMs: 1 })));
    expectArgumentError('writing a number', () => bev.write(untyped(1)));
    expectArgumentError('handlers that are no functions', () => bev.setHandlers(untyped({ onRead: 1 })));
    expectArgumentError('trigger of no direction', () => bev.trigger(untyped('up')));
    expectArgumentError('an event that is none', () => bev.triggerEvent(untyped(null)));
    await expectRefusal('a read of nothing', () => bev.read(0));
    await expectRefusal('a line of an unknown style', () => bev.readLine(untyped('cr')));
    await expectRefusal('a signal that is none', () => bev.drained({ signal: untyped(1) }));
    assert.deepEqual(bev.enabled, ['write']);
    assert.deepEqual(bev.getWatermarks('read'), marks);
    assert.equal(bev.handlers, null);
    assert.equal(bev.output.length, 0);
  }),

  defineCase('B66: a freed object refuses its methods and still answers its getters', async (context) => {
    const pair = await context.open();
    const { bev } = pair.a;
    bev.free();
    bev.free();
    const refused: Readonly<Record<string, () => unknown>> = {
      write: () => bev.write('x'),
      enable: () => bev.enable('read'),
      disable: () => bev.disable('write'),
      setHandlers: () => bev.setHandlers(null),
      setWatermarks: () => bev.setWatermarks('read', { low: 0 }),
      setTimeouts: () => bev.setTimeouts({ readMs: 1 }),
      trigger: () => bev.trigger('read'),
      triggerEvent: () => bev.triggerEvent({ kind: 'connected' }),
      halfClose: () => bev.halfClose(),
    };
    for (const call of Object.values(refused)) expectCode('ERR_BUFFEREVENT_FREED', call);
    const waiting = [bev.read(), bev.readLine(), bev.drained()];
    for (const rejection of waiting.map((promise) => context.rejection(promise, 'a method of a freed object'))) {
      assert.equal((await rejection).code, 'ERR_BUFFEREVENT_FREED');
    }
    assert.equal(bev.freed, true);
    assert.deepEqual(bev.enabled, []);
    assert.equal(bev.input.length, 0);
    assert.equal((await context.within(bev.closed, 'closed')).kind, 'freed');
    assert.equal((await context.within(bev.end(), 'end of a freed object')).kind, 'freed');
  }),
];

/** As {@link expectArgumentError}, for what may throw or reject. */
async function expectRefusal(what: string, body: () => Promise<unknown>): Promise<void> {
  let thrown: unknown;
  try {
    await body();
  } catch (error) {
    thrown = error;
  }
  expectArgumentError(what, () => {
    if (thrown instanceof Error) throw thrown;
  });
}
