// Urgency among the callbacks of one base (api row 8 and 9).
import { createPair, EventBase, type PairBufferevent } from 'bufferevent';
import { afterEach, describe, expect, it } from 'vitest';
import { turns } from './support/wait.js';

describe('priority', () => {
  let base: EventBase;
  afterEach(() => base[Symbol.asyncDispose]());

  function readers(count: number, called: (index: number) => void): PairBufferevent[] {
    return Array.from({ length: count }, (_, index) => {
      const [writer, reader] = createPair(base, { handlers: [undefined, { onRead: () => called(index) }] });
      reader.enable('read');
      writer.write('x');
      return reader;
    });
  }

  it('runs the callbacks of urgent connections first, and in order among equals', async () => {
    base = new EventBase({ priorities: 3 });
    const order: number[] = [];
    const bevs = readers(6, (index) => order.push(index));
    for (const [index, bev] of bevs.entries()) bev.priority = 2 - (index % 3);
    await turns();
    expect(order).toEqual([2, 5, 1, 4, 0, 3]);
  });

  it('lets the less urgent wait for the next turn when the budget is used up, and starves nobody (CB-7)', async () => {
    base = new EventBase({ priorities: 2, callbacksPerTurn: 2 });
    const order: number[] = [];
    const bevs = readers(5, (index) => order.push(index));
    for (const [index, bev] of bevs.entries()) bev.priority = index === 0 ? 1 : 0;
    await turns();
    expect(order).toEqual([1, 2, 3, 4, 0]);
  });

  it('is in the middle unless set, and refuses levels that there are not', () => {
    base = new EventBase({ priorities: 4 });
    const [bev] = createPair(base);
    expect(bev.priority).toBe(2);
    expect(() => {
      bev.priority = 4;
    }).toThrow(RangeError);
    expect(() => {
      bev.priority = -1;
    }).toThrow(RangeError);
    expect(bev.priority).toBe(2);
    expect(() => new EventBase({ priorities: 0 })).toThrow(RangeError);
  });

  it('B115: has at most 256 levels, each of which takes memory', async () => {
    base = new EventBase({ priorities: 256 });
    expect(base.priorities).toBe(256);
    for (const priorities of [257, 1e5, Number.MAX_SAFE_INTEGER]) {
      expect(() => new EventBase({ priorities })).toThrow(
        expect.objectContaining({ name: 'RangeError', code: 'ERR_OUT_OF_RANGE' }),
      );
    }
  });

  it('works on every kind, one by one: a level is of one connection', () => {
    base = new EventBase({ priorities: 2 });
    const [a, b] = createPair(base);
    a.priority = 0;
    expect(b.priority).toBe(1);
  });
});
