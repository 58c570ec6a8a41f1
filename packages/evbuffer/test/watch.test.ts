import { Evbuffer, type EvbufferChange, type EvbufferWatch } from 'evbuffer';
import { expect, test } from 'vitest';
import { bytes, expectText, pieces } from './support/check.js';

const log = (to: string[], name = ''): ((buffer: Evbuffer, change: EvbufferChange) => void) => {
  return (_, { originalLength, added, removed }) => {
    to.push(`${name}${originalLength}->${originalLength + added - removed}`);
  };
};

test('BU-4: each change is reported once to each enabled watcher (regress A27)', () => {
  const buffer = new Evbuffer();
  const first: string[] = [];
  const second: string[] = [];
  const one = buffer.watch(log(first));
  const two = buffer.watch(log(second));
  buffer.add('x'.repeat(36));
  two.enabled = false;
  buffer.drain(10);
  buffer.prepend('12345');
  two.enabled = true;
  buffer.addReference(bytes('Goodbye'));
  one.dispose();
  buffer.drain();
  buffer.add('x');
  two[Symbol.dispose]();
  buffer.add('y');
  expect(first).toEqual(['0->36', '36->26', '26->31', '31->38']);
  expect(second).toEqual(['0->36', '31->38', '38->0', '0->1']);
});

test('BU-4: watchers run in order of registration, and nothing is reported when nothing changed', () => {
  const buffer = pieces('ab');
  const seen: string[] = [];
  buffer.watch(() => seen.push('a'));
  buffer.watch(() => seen.push('b'));
  buffer.add('');
  buffer.drain(0);
  buffer.remove(0);
  buffer.prepend('');
  buffer.pullup();
  buffer.peek();
  buffer.ensureSpace(100);
  buffer.reserve(10).commit(0);
  buffer.addBuffer(new Evbuffer());
  buffer.moveTo(new Evbuffer(), 0);
  buffer.readLine();
  new Evbuffer().clear();
  expect(seen).toEqual([]);
  buffer.add('x');
  expect(seen).toEqual(['a', 'b']);
});

test('BU-4: a change made by a watcher is reported nested, by itself; then the outer report goes on as it was', () => {
  const buffer = pieces('ab');
  const seen: string[] = [];
  buffer.watch((_, change) => {
    seen.push(`drainer ${change.originalLength} +${change.added} -${change.removed}`);
    if (change.added > 0) buffer.drain();
  });
  buffer.watch((_, change) => seen.push(`A ${change.originalLength} +${change.added} -${change.removed}`));
  buffer.add('cde');
  expect(seen).toEqual(['drainer 2 +3 -0', 'drainer 5 +0 -5', 'A 5 +0 -5', 'A 2 +3 -0']);
});

test('BU-4: a watcher may remove itself, its neighbours and add others while a change is reported', () => {
  const buffer = new Evbuffer();
  const seen: string[] = [];
  const watches: EvbufferWatch[] = [];
  watches.push(buffer.watch(() => seen.push('a')));
  watches.push(
    buffer.watch(() => {
      seen.push('b');
      for (const watch of watches) watch.dispose();
      buffer.watch(() => seen.push('d'));
    }),
  );
  watches.push(buffer.watch(() => seen.push('c')));
  buffer.add('x');
  expect(seen).toEqual(['a', 'b']);
  buffer.add('x');
  expect(seen).toEqual(['a', 'b', 'd']);
});

test('BU-4: a watcher that was disposed of stays so, also when it is enabled again in the same report', () => {
  const buffer = new Evbuffer();
  const seen: string[] = [];
  const watches: EvbufferWatch[] = [];
  buffer.watch(() => {
    for (const watch of watches) {
      watch.dispose();
      watch.enabled = true;
    }
  });
  watches.push(buffer.watch(() => seen.push('disposed of')));
  buffer.add('x');
  buffer.add('x');
  expect(seen).toEqual([]);
});

test('BU-4: a removal is reported with the length before it, whatever a release callback did to the buffer meanwhile', () => {
  const buffer = new Evbuffer();
  buffer.addReference(bytes('abc'), () => buffer.add('xy'));
  buffer.add('d');
  const changes: EvbufferChange[] = [];
  buffer.watch((_, change) => changes.push({ ...change }));
  buffer.drain(3);
  expect(changes).toEqual([
    { originalLength: 1, added: 2, removed: 0 },
    { originalLength: 4, added: 0, removed: 3 },
  ]);
});

test('BU-4: a watcher that throws does not silence the others; the change has happened', () => {
  const buffer = new Evbuffer();
  let called = 0;
  buffer.watch(() => {
    throw new Error('mine');
  });
  buffer.watch(() => called++);
  expect(() => buffer.add('abc')).toThrow('mine');
  expect(called).toBe(1);
  expectText(buffer, 'abc');
  expect(() => buffer.drain(1)).toThrow('mine');
  expect(called).toBe(2);
});

test('BU-4: moving everything reports to the source first, a part to the target first (api-evbuffer §7.7)', () => {
  const source = pieces('abcdef');
  const target = pieces('x');
  const seen: string[] = [];
  source.watch(log(seen, 'source '));
  target.watch(log(seen, 'target '));
  source.moveTo(target, 2);
  expect(seen.splice(0)).toEqual(['target 1->3', 'source 6->4']);
  source.moveTo(target, 4);
  expect(seen.splice(0)).toEqual(['source 4->0', 'target 3->7']);
  source.add('y');
  seen.length = 0;
  target.addBuffer(source);
  expect(seen.splice(0)).toEqual(['source 1->0', 'target 7->8']);
  source.add('z');
  seen.length = 0;
  target.prependBuffer(source);
  expect(seen).toEqual(['source 1->0', 'target 8->9']);
});

test('BU-4: the change object is reused, so that watching allocates nothing', () => {
  const buffer = new Evbuffer();
  const seen = new Set<EvbufferChange>();
  buffer.watch((_, change) => seen.add(change));
  buffer.add('a');
  buffer.add('b');
  expect(seen.size).toBe(1);
});

test('BU-4: a watcher that throws inside a nested change leaves the reports in order', () => {
  const buffer = new Evbuffer();
  const seen: string[] = [];
  let depth = 0;
  buffer.watch(() => {
    if (depth++ === 0) expect(() => buffer.add('nested')).toThrow('inner');
    else throw new Error('inner');
  });
  buffer.watch(log(seen));
  buffer.add('ab');
  expect(seen).toEqual(['2->8', '0->2']);
});
