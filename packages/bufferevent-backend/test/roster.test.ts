import { type Listed, Roster } from 'bufferevent-backend';
import fc from 'fast-check';
import { expect, it } from 'vitest';

class Item implements Listed {
  place = -1;
}

it('whatever comes and goes, and however often it is said, those are there that would be in a set', () => {
  fc.assert(
    fc.property(fc.array(fc.record({ index: fc.nat(9), adds: fc.boolean() })), (steps) => {
      const items = Array.from({ length: 10 }, () => new Item());
      const roster = new Roster<Item>();
      const model = new Set<Item>();
      for (const { index, adds } of steps) {
        const item = items[index] as Item;
        if (adds) {
          roster.add(item);
          model.add(item);
        } else {
          roster.delete(item);
          model.delete(item);
        }
        expect(roster.size).toBe(model.size);
        expect(new Set(roster.all())).toEqual(model);
        expect(items.filter(({ place }) => place >= 0)).toEqual(items.filter((each) => model.has(each)));
      }
    }),
  );
});

it('who leaves while all are gone through is still gone through', () => {
  const roster = new Roster<Item>();
  const items = [new Item(), new Item(), new Item()];
  for (const item of items) roster.add(item);
  const seen: Item[] = [];
  for (const item of roster.all()) {
    seen.push(item);
    roster.delete(item);
  }
  expect(seen).toEqual(items);
  expect(roster.size).toBe(0);
});
