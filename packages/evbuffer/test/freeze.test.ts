import { Evbuffer } from 'evbuffer';
import { addNumber, prependNumber, readFramed, readNumber, setNumber, takeFramed } from 'evbuffer/framing';
import { expect, test } from 'vitest';
import { bytes, expectRefused, expectText, pieces, text } from './support/check.js';
import { MemoryFile } from './support/memory-file.js';

const FRONT = 'ERR_EVBUFFER_FROZEN_FRONT';
const BACK = 'ERR_EVBUFFER_FROZEN_BACK';
const noOwner = { release: () => undefined };

interface Row {
  readonly name: string;
  /** Outcome with the front frozen and empty, front frozen and not empty, back frozen (and not empty). */
  readonly expected: readonly [string | null, string | null, string | null];
  readonly act: (buffer: Evbuffer, filled: Evbuffer, empty: Evbuffer) => unknown;
  /** What an allowed call gives for a buffer that held `was`; bytes and buffers as text. Not looked at when absent. */
  readonly gives?: (was: string) => unknown;
  /** What the buffer, and the others, hold after an allowed call; what is absent is unchanged. */
  readonly leaves?: (was: string) => readonly string[];
}

// The freeze matrix of api-evbuffer §1.2 (regress A37, A38, regress I: freeze on empty buffers, regress I: drain(0) and copyOut on frozen). Where libevent answers −1 or null this throws, except for copyOut, which is allowed.
const MATRIX: readonly Row[] = [
  {
    name: 'drain(1)',
    expected: [null, FRONT, null],
    act: (b) => b.drain(1),
    gives: (was) => Math.min(1, was.length),
    leaves: (was) => [was.slice(1)],
  },
  {
    name: 'drain(3)',
    expected: [null, FRONT, null],
    act: (b) => b.drain(3),
    gives: (was) => Math.min(3, was.length),
    leaves: (was) => [was.slice(3)],
  },
  { name: 'drain(0)', expected: [null, FRONT, null], act: (b) => b.drain(0), gives: () => 0 },
  {
    name: 'drain()',
    expected: [null, FRONT, null],
    act: (b) => b.drain(),
    gives: (was) => was.length,
    leaves: () => [''],
  },
  { name: 'clear()', expected: [null, FRONT, null], act: (b) => b.clear(), leaves: () => [''] },
  {
    name: 'remove(1)',
    expected: [null, FRONT, null],
    act: (b) => b.remove(1),
    gives: (was) => was.slice(0, 1),
    leaves: (was) => [was.slice(1)],
  },
  { name: 'remove(0)', expected: [null, null, null], act: (b) => b.remove(0), gives: () => '' },
  {
    name: 'remove(into)',
    expected: [null, FRONT, null],
    act: (b) => b.remove(new Uint8Array(2)),
    gives: (was) => Math.min(2, was.length),
    leaves: (was) => [was.slice(2)],
  },
  {
    name: 'remove(into nothing)',
    expected: [null, null, null],
    act: (b) => b.remove(new Uint8Array(0)),
    gives: () => 0,
  },
  {
    name: 'copyOut (differs)',
    expected: [null, null, null],
    act: (b) => b.copyOut(new Uint8Array(2)),
    gives: (was) => Math.min(2, was.length),
  },
  {
    name: 'readLine',
    expected: [null, FRONT, null],
    act: (b) => b.readLine(),
    gives: (was) => (was === '' ? null : 'a'),
    leaves: (was) => [was.slice(2)],
  },
  {
    name: 'moveTo as source, n > 0',
    expected: [FRONT, FRONT, null],
    act: (b, _, e) => b.moveTo(e, 3),
    gives: () => 3,
    leaves: (was) => [was.slice(3), 'filled', was.slice(0, 3)],
  },
  { name: 'moveTo as source, n = 0', expected: [null, null, null], act: (b, _, e) => b.moveTo(e, 0), gives: () => 0 },
  {
    name: 'moveTo as target, n > 0',
    expected: [null, null, BACK],
    act: (b, f) => f.moveTo(b, 1),
    gives: () => 1,
    leaves: (was) => [`${was}f`, 'illed'],
  },
  {
    name: 'moveTo as target of an empty one, n > 0',
    expected: [null, null, BACK],
    act: (b, _, e) => e.moveTo(b, 1),
    gives: () => 0,
  },
  { name: 'moveTo as target, n = 0', expected: [null, null, null], act: (b, f) => f.moveTo(b, 0), gives: () => 0 },
  { name: 'moveTo itself', expected: [null, null, null], act: (b) => b.moveTo(b, 3), gives: () => 0 },
  {
    name: 'addBuffer as source',
    expected: [null, FRONT, null],
    act: (b, _, e) => e.addBuffer(b),
    leaves: (was) => ['', 'filled', was],
  },
  {
    name: 'prependBuffer as source',
    expected: [null, FRONT, null],
    act: (b, _, e) => e.prependBuffer(b),
    leaves: (was) => ['', 'filled', was],
  },
  {
    name: 'addBuffer as target',
    expected: [null, null, BACK],
    act: (b, f) => b.addBuffer(f),
    leaves: (was) => [`${was}filled`, ''],
  },
  { name: 'addBuffer as target of an empty one', expected: [null, null, null], act: (b, _, e) => b.addBuffer(e) },
  { name: 'addBuffer of itself', expected: [null, null, null], act: (b) => b.addBuffer(b) },
  {
    name: 'prependBuffer as target',
    expected: [FRONT, FRONT, null],
    act: (b, f) => b.prependBuffer(f),
    leaves: (was) => [`filled${was}`, ''],
  },
  {
    name: 'prependBuffer as target of an empty one',
    expected: [null, null, null],
    act: (b, _, e) => b.prependBuffer(e),
  },
  { name: 'prepend of nothing', expected: [null, null, null], act: (b) => b.prepend('') },
  { name: 'prepend', expected: [FRONT, FRONT, null], act: (b) => b.prepend('x'), leaves: (was) => [`x${was}`] },
  { name: 'pullup', expected: [null, null, null], act: (b) => b.pullup(), gives: (was) => was || null },
  { name: 'peek', expected: [null, null, null], act: (b) => b.peek() },
  {
    name: 'peekInto',
    expected: [null, null, null],
    act: (b) => b.peekInto([], 5),
    gives: (was) => (was === '' ? 0 : 2),
  },
  { name: 'indexOf', expected: [null, null, null], act: (b) => b.indexOf('b'), gives: (was) => was.indexOf('b') },
  {
    name: 'indexOfEol',
    expected: [null, null, null],
    act: (b) => b.indexOfEol('lf'),
    gives: (was) => (was === '' ? null : { index: 1, length: 1 }),
  },
  { name: 'add', expected: [null, null, BACK], act: (b) => b.add('x'), leaves: (was) => [`${was}x`] },
  { name: 'add of nothing', expected: [null, null, BACK], act: (b) => b.add(new Uint8Array(0)) },
  { name: 'add of an empty string', expected: [null, null, BACK], act: (b) => b.add('') },
  {
    name: 'addVector',
    expected: [null, null, BACK],
    act: (b) => b.addVector(['x', 'y']),
    gives: () => 2,
    leaves: (was) => [`${was}xy`],
  },
  { name: 'addVector of nothing', expected: [null, null, BACK], act: (b) => b.addVector([]), gives: () => 0 },
  {
    name: 'reserve and commit in one piece',
    expected: [null, null, BACK],
    act: (b) => b.reserve(10).commit(5),
    leaves: (was) => [`${was}${'\0'.repeat(5)}`],
  },
  {
    name: 'reserve and commit in two pieces',
    expected: [null, null, BACK],
    act: (b) => b.reserve(10, 2).commit(5),
    leaves: (was) => [`${was}${'\0'.repeat(5)}`],
  },
  {
    name: 'addReference',
    expected: [null, null, BACK],
    act: (b) => b.addReference(bytes('x')),
    leaves: (was) => [`${was}x`],
  },
  {
    name: 'addLeased',
    expected: [null, null, BACK],
    act: (b) => b.addLeased(bytes('x'), 0, 1, noOwner, 1),
    leaves: (was) => [`${was}x`],
  },
  {
    name: 'addFileSegment',
    expected: [null, null, BACK],
    act: (b) => b.addFileSegment(new MemoryFile(bytes('x'))),
    leaves: (was) => [`${was}x`],
  },
  {
    name: 'addBufferReference as source',
    expected: [null, null, null],
    act: (b, _, e) => e.addBufferReference(b),
    leaves: (was) => [was, 'filled', was],
  },
  {
    name: 'addBufferReference as target',
    expected: [null, null, BACK],
    act: (b, f) => b.addBufferReference(f),
    leaves: (was) => [`${was}filled`],
  },
  {
    name: 'addBufferReference as target of an empty one',
    expected: [null, null, null],
    act: (b, _, e) => b.addBufferReference(e),
  },
  {
    name: 'take(1)',
    expected: [FRONT, FRONT, null],
    act: (b) => b.take(1),
    gives: (was) => was.slice(0, 1),
    leaves: (was) => [was.slice(1)],
  },
  { name: 'take(0)', expected: [null, null, null], act: (b) => b.take(0), gives: () => '' },
  {
    name: 'readLines',
    expected: [null, FRONT, null],
    act: (b) => b.readLines(5),
    gives: (was) => (was === '' ? [] : ['a']),
    leaves: (was) => [was.slice(2)],
  },
  {
    name: 'readNumber',
    expected: [null, FRONT, null],
    act: (b) => b.length > 0 && readNumber(b, 'u8'),
    gives: (was) => was !== '' && 0x61,
    leaves: (was) => [was.slice(1)],
  },
  {
    name: 'readFramed',
    expected: [null, FRONT, null],
    act: (b) => readFramed(b, { format: 'u8', adjust: -94 }),
    gives: (was) => (was === '' ? null : was.slice(1)),
    leaves: () => [''],
  },
  {
    name: 'takeFramed',
    expected: [null, FRONT, null],
    act: (b) => takeFramed(b, { format: 'u8', adjust: -94 }),
    gives: (was) => (was === '' ? null : was.slice(1)),
    leaves: () => [''],
  },
  {
    name: 'addNumber',
    expected: [null, null, BACK],
    act: (b) => addNumber(b, 'u8', 1),
    leaves: (was) => [`${was}\x01`],
  },
  {
    name: 'prependNumber',
    expected: [FRONT, FRONT, null],
    act: (b) => prependNumber(b, 'u8', 1),
    leaves: (was) => [`\x01${was}`],
  },
  {
    name: 'setNumber',
    expected: [null, null, null],
    act: (b) => b.length > 0 && setNumber(b, 0, 'u8', 1),
    leaves: (was) => [was && `\x01${was.slice(1)}`],
  },
  { name: 'position, advance', expected: [null, null, null], act: (b) => b.advance(b.position(0), 0) },
  { name: 'toString, toUint8Array', expected: [null, null, null], act: (b) => [b.toString(), b.toUint8Array()] },
  { name: 'peekFile', expected: [null, null, null], act: (b) => b.peekFile() },
  { name: 'pin, unpin', expected: [null, null, null], act: (b) => [b.pin(b.length), b.unpin()] },
  { name: 'watch', expected: [null, null, null], act: (b) => b.watch(() => undefined) },
  { name: 'dispose', expected: [null, null, null], act: (b) => b[Symbol.dispose](), leaves: () => [''] },
  { name: 'ensureSpace', expected: [null, null, null], act: (b) => b.ensureSpace(5000) },
];

test('BU-1: the matrix has a row for every method', () => {
  const methods = Reflect.ownKeys(Evbuffer.prototype).filter(
    (key) => typeof Object.getOwnPropertyDescriptor(Evbuffer.prototype, key)?.value === 'function',
  );
  const rows = MATRIX.map(({ name, act }) => `${name} ${act}`).join('\n');
  const covered = new Set([...rows.matchAll(/\w+/g)].map(([word]) => word));
  const others = ['constructor', 'freeze', 'unfreeze', 'isFrozen'];
  const missing = methods.filter((key) => typeof key === 'string' && !others.includes(key) && !covered.has(key));
  expect(missing).toEqual([]);
});

/** Bytes and buffers as text, the rest as it is. */
function shown(result: unknown): unknown {
  if (result instanceof Evbuffer) return result.toString('latin1');
  return result instanceof Uint8Array ? text(result) : result;
}

for (const { name, expected, act, gives, leaves } of MATRIX) {
  for (const [column, code] of expected.entries()) {
    const state = ['its front is frozen and it is empty', 'its front is frozen', 'its back is frozen'][column];
    test(`BU-1: ${name} ${code === null ? 'is allowed' : 'is refused'} while ${state}`, () => {
      const was = column === 0 ? '' : 'a\nbc';
      const buffer = column === 0 ? new Evbuffer() : pieces('a\nb', 'c');
      const filled = pieces('filled');
      const empty = new Evbuffer();
      buffer.freeze(column === 2 ? 'back' : 'front');
      const attempt = (): unknown => act(buffer, filled, empty);
      if (code !== null) {
        expectRefused(code, [buffer, filled, empty], attempt);
        return;
      }
      const result = attempt();
      if (gives !== undefined) expect(shown(result)).toEqual(gives(was));
      const [mine = was, second = 'filled', third = ''] = leaves?.(was) ?? [];
      expectText(buffer, mine);
      expectText(filled, second);
      expectText(empty, third);
    });
  }
}

test('BU-1, BU-5: memory refused by a frozen back stays the caller’s', () => {
  const buffer = new Evbuffer();
  buffer.freeze('back');
  let released = 0;
  const owner = { release: () => released++ };
  expectRefused(BACK, [buffer], () => buffer.addReference(bytes('x'), () => released++));
  expectRefused(BACK, [buffer], () => buffer.addReference(new Uint8Array(0), () => released++));
  expectRefused(BACK, [buffer], () => buffer.addLeased(bytes('x'), 0, 1, owner, 1));
  expectRefused(BACK, [buffer], () => buffer.addLeased(bytes('x'), 1, 1, owner, 1));
  const file = new MemoryFile(bytes('file'));
  expectRefused(BACK, [buffer], () => buffer.addFileSegment(file));
  buffer[Symbol.dispose]();
  expect(released).toBe(0);
  expect(file.users).toBe(1);
});

test('BU-1: room reserved before the back froze cannot be committed, not even 0 bytes of it', () => {
  const buffer = pieces('ab');
  const reservation = buffer.reserve(10);
  buffer.freeze('back');
  expectRefused(BACK, [buffer], () => reservation.commit(0));
  expectRefused(BACK, [buffer], () => reservation.commit(1));
  buffer.unfreeze('back');
  reservation.commit(1);
  expectText(buffer, 'ab\0');
});

test('BU-1: freezing is a state, not a count, and the ends are independent (regress A37, A38)', () => {
  const buffer = pieces('abc');
  buffer.freeze('front');
  buffer.freeze('front');
  buffer.add('d');
  buffer.unfreeze('front');
  expect(buffer.isFrozen('front')).toBe(false);
  buffer.freeze('back');
  expect(buffer.isFrozen('back')).toBe(true);
  buffer.prepend('_');
  expect(buffer.drain(2)).toBe(2);
  expectText(buffer, 'bcd');
});
