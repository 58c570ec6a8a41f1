import { HandleTable } from 'bufferevent-backend';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';

describe('HandleTable', () => {
  it('C12: a handle that was removed never names a value again, whatever is added and removed', () => {
    const step = fc.oneof(
      fc.record({ kind: fc.constant('add' as const), value: fc.integer() }),
      fc.record({ kind: fc.constant('remove' as const), at: fc.nat() }),
      fc.record({ kind: fc.constant('remove stale' as const), at: fc.nat() }),
    );
    fc.assert(
      fc.property(fc.array(step, { maxLength: 200 }), (steps) => {
        const table = new HandleTable<{ value: number }>();
        const live = new Map<number, { value: number }>();
        const stale: number[] = [];
        for (const one of steps) {
          if (one.kind === 'add') {
            const value = { value: one.value };
            const handle = table.add(value);
            expect(Number.isSafeInteger(handle) && handle > 0).toBe(true);
            expect(live.has(handle) || stale.includes(handle)).toBe(false);
            live.set(handle, value);
          } else if (one.kind === 'remove' && live.size > 0) {
            const handle = [...live.keys()][one.at % live.size] as number;
            expect(table.remove(handle)).toBe(live.get(handle));
            live.delete(handle);
            stale.push(handle);
          } else if (stale.length > 0) {
            expect(table.remove(stale[one.at % stale.length] as number)).toBeUndefined();
          }
          expect(table.size).toBe(live.size);
          for (const [handle, value] of live) expect(table.get(handle)).toBe(value);
          for (const handle of stale) expect(table.get(handle)).toBeUndefined();
        }
        expect(new Set(table.values())).toEqual(new Set(live.values()));
      }),
      { numRuns: 200 },
    );
  });

  it('C12: a slot that is reused a hundred thousand times gives a hundred thousand different handles', () => {
    const table = new HandleTable<object>();
    const seen = new Set<number>();
    const value = {};
    for (let round = 0; round < 100_000; round++) {
      const handle = table.add(value);
      seen.add(handle);
      table.remove(handle);
    }
    expect(seen.size).toBe(100_000);
  });

  it('the slot freed last is reused first, so that the table stays as small as its fullest moment', () => {
    const table = new HandleTable<string>();
    const [first, second] = [table.add('a'), table.add('b')];
    table.remove(first);
    const third = table.add('c');
    expect(third % 2 ** 20).toBe(first % 2 ** 20);
    expect(third).not.toBe(first);
    expect(table.get(second)).toBe('b');
  });

  it.each([0, -1, 1, 1.5, Number.NaN, Number.POSITIVE_INFINITY, 2 ** 53])(
    '%s, which nobody gave out, names nothing',
    (handle) => {
      const table = new HandleTable<string>();
      table.add('a');
      expect(table.get(handle)).toBeUndefined();
      expect(table.remove(handle)).toBeUndefined();
      expect(table.size).toBe(1);
    },
  );
});
