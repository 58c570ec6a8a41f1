import { Evbuffer, EvbufferError } from 'evbuffer';
import { expect, test } from 'vitest';
import { bytes, expectRefused, pieces } from './support/check.js';

const KIND = 'ERR_EVBUFFER_INVALID_ARGUMENT';
const RANGE = 'ERR_EVBUFFER_OUT_OF_RANGE';
const ENCODING = 'ERR_EVBUFFER_UNKNOWN_ENCODING';
const owner = { release: () => undefined };

/** What a caller without types may pass: everything goes through `as never`. */
const wrong = (value: unknown): never => value as never;

const MISTAKES: readonly [string, string, (buffer: Evbuffer, other: Evbuffer) => unknown][] = [
  ['add of a number', KIND, (b) => b.add(wrong(5))],
  ['add of nothing at all', KIND, (b) => b.add(wrong(undefined))],
  ['add of an ArrayBuffer', KIND, (b) => b.add(wrong(new ArrayBuffer(3)))],
  ['add of a Uint16Array', KIND, (b) => b.add(wrong(new Uint16Array(3)))],
  ['add in an unknown encoding', ENCODING, (b) => b.add('x', wrong('utf16le'))],
  ['add of an empty string in an unknown encoding', ENCODING, (b) => b.add('', wrong('utf-7'))],
  ['add of odd hex', KIND, (b) => b.add('abc', 'hex')],
  ['add of what is not hex', KIND, (b) => b.add('zz', 'hex')],
  ['add of what is not base64', KIND, (b) => b.add('a*==', 'base64')],
  ['addVector with a bad second part', KIND, (b) => b.addVector(['ok', wrong(7)])],
  ['addVector of a number', KIND, (b) => b.addVector(wrong(5))],
  ['addVector of null', KIND, (b) => b.addVector(wrong(null))],
  ['peek with a number', KIND, (b) => b.peek(wrong(5))],
  ['peek with null', KIND, (b) => b.peek(wrong(null))],
  ['peekInto an object', KIND, (b) => b.peekInto(wrong({}), 1)],
  ['addReference of a string', KIND, (b) => b.addReference(wrong('x'))],
  ['addReference with a callback that is none', KIND, (b) => b.addReference(bytes('x'), wrong({}))],
  ['addLeased of no memory', KIND, (b) => b.addLeased(wrong(null), 0, 0, owner, 1)],
  ['addLeased without an owner', KIND, (b) => b.addLeased(bytes('x'), 0, 1, wrong(null), 1)],
  ['addLeased without a lease', KIND, (b) => b.addLeased(bytes('x'), 0, 1, owner, wrong('1'))],
  ['addLeased beyond its memory', RANGE, (b) => b.addLeased(bytes('x'), 0, 2, owner, 1)],
  ['addLeased from a fraction', RANGE, (b) => b.addLeased(bytes('x'), 0.5, 1, owner, 1)],
  ['addBuffer of bytes', KIND, (b) => b.addBuffer(wrong(bytes('x')))],
  ['addBuffer of null', KIND, (b) => b.addBuffer(wrong(null))],
  ['prependBuffer of an object', KIND, (b) => b.prependBuffer(wrong({}))],
  ['moveTo nowhere', KIND, (b) => b.moveTo(wrong(undefined), 1)],
  ['moveTo of −1', RANGE, (b, o) => b.moveTo(o, -1)],
  ['moveTo of a string', KIND, (b, o) => b.moveTo(o, wrong('1'))],
  ['prepend of a number', KIND, (b) => b.prepend(wrong(1))],
  ['prepend in an unknown encoding', ENCODING, (b) => b.prepend('x', wrong('klingon'))],
  ['remove(−1)', RANGE, (b) => b.remove(-1)],
  ['remove(NaN)', RANGE, (b) => b.remove(Number.NaN)],
  ['remove(1.5)', RANGE, (b) => b.remove(1.5)],
  ['remove(null)', KIND, (b) => b.remove(wrong(null))],
  ['copyOut into a string', KIND, (b) => b.copyOut(wrong('abc'))],
  ['copyOut from beyond the end', RANGE, (b) => b.copyOut(new Uint8Array(1), 7)],
  ['copyOut from −1', RANGE, (b) => b.copyOut(new Uint8Array(1), -1)],
  ['drain(−1)', RANGE, (b) => b.drain(-1)],
  ['drain of a string', KIND, (b) => b.drain(wrong('all'))],
  ['pullup(−1)', RANGE, (b) => b.pullup(-1)],
  ['pullup(0.1)', RANGE, (b) => b.pullup(0.1)],
  ['peek from beyond the end', RANGE, (b) => b.peek({ start: 7 })],
  ['peek of a negative length', RANGE, (b) => b.peek({ length: -1 })],
  ['peek of a negative number of segments', RANGE, (b) => b.peek({ maxSegments: -1 })],
  ['peekInto of NaN bytes', RANGE, (b) => b.peekInto([], Number.NaN)],
  ['peekInto of a negative number of segments', RANGE, (b) => b.peekInto([], 1, -1)],
  ['reserve(−1)', RANGE, (b) => b.reserve(-1)],
  ['reserve of everything', RANGE, (b) => b.reserve(Number.POSITIVE_INFINITY)],
  ['reserve in no piece', RANGE, (b) => b.reserve(1, 0)],
  ['ensureSpace(−1)', RANGE, (b) => b.ensureSpace(-1)],
  ['commit(−1)', RANGE, (b) => b.reserve(5).commit(-1)],
  ['readLine in an unknown style', KIND, (b) => b.readLine(wrong('cr'))],
  ['readLine in an unknown encoding', ENCODING, (b) => b.readLine('lf', wrong('ebcdic'))],
  ['indexOfEol in an unknown style', KIND, (b) => b.indexOfEol(wrong('cr'))],
  ['indexOfEol from beyond the end', RANGE, (b) => b.indexOfEol('lf', 7)],
  ['indexOf of a number', KIND, (b) => b.indexOf(wrong(10))],
  ['indexOf from beyond the end', RANGE, (b) => b.indexOf('a', 7)],
  ['indexOf to −1', RANGE, (b) => b.indexOf('a', 0, -1)],
  ['pin(−1)', RANGE, (b) => b.pin(-1)],
  ['pin of more than there is', RANGE, (b) => b.pin(7)],
  ['freeze of the middle', KIND, (b) => b.freeze(wrong('middle'))],
  ['unfreeze of nothing', KIND, (b) => b.unfreeze(wrong(undefined))],
  ['isFrozen of nothing', KIND, (b) => b.isFrozen(wrong(''))],
  ['watch without a function', KIND, (b) => b.watch(wrong(null))],
];

for (const [what, code, act] of MISTAKES) {
  test(`${what} is refused with ${code} and changes nothing`, () => {
    const buffer = pieces('abc', 'd\nf');
    const other = pieces('x');
    expectRefused(code, [buffer, other], () => act(buffer, other));
    let thrown: unknown;
    try {
      act(buffer, other);
    } catch (error) {
      thrown = error;
    }
    expect(thrown).toBeInstanceOf(code === RANGE ? RangeError : TypeError);
    expect(thrown).not.toBeInstanceOf(EvbufferError);
  });
}

test('mistakes are found in an empty buffer too', () => {
  const buffer = new Evbuffer();
  expect(() => buffer.readLine(wrong('cr'))).toThrow(expect.objectContaining({ code: KIND }));
  expect(() => buffer.drain(-1)).toThrow(expect.objectContaining({ code: RANGE }));
  expect(() => buffer.copyOut(new Uint8Array(1), 1)).toThrow(expect.objectContaining({ code: RANGE }));
});

test('errors are recognised by their brand, across copies of the package', () => {
  const foreign = { [Symbol.for('evbuffer.EvbufferError')]: true };
  expect(foreign instanceof EvbufferError).toBe(true);
  expect(new Error('x') instanceof EvbufferError).toBe(false);
  expect((null as unknown) instanceof EvbufferError).toBe(false);
  const own = new EvbufferError('ERR_EVBUFFER_PINNED', 'why', { cause: 1 });
  expect([own.name, own.code, own.message, own.cause]).toEqual(['EvbufferError', 'ERR_EVBUFFER_PINNED', 'why', 1]);
  const lookalike = { [Symbol.for('evbuffer.Evbuffer')]: true };
  expect(() => new Evbuffer().addBuffer(wrong(lookalike))).toThrow('same copy');
});
