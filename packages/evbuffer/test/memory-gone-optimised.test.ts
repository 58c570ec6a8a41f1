// In a file, and so a process, of its own: what is tested is code that V8 has optimised for what the warm-up showed it.
import { Evbuffer } from 'evbuffer';
import { describe as describeBuffer, validate } from 'evbuffer/debug';
import { EvbufferReader, getNumber, readFramed, readNumber, setNumber, takeFramed } from 'evbuffer/framing';
import { describe, expect, test } from 'vitest';

/** `ArrayBuffer` as of ES2024, which the sources' own language level lacks. */
const ResizableArrayBuffer = ArrayBuffer as unknown as new (
  bytes: number,
  options: { maxByteLength: number },
) => ArrayBuffer & { resize(to: number): void };

const BYTES = 128;
const ROUNDS = 4000;

/** Memory with lines, a frame (three bytes behind their number) and a zero byte in it. */
function filled(memory: Uint8Array): Uint8Array {
  memory.fill(65);
  memory[0] = 3;
  memory[4] = memory[BYTES - 1] = 10;
  memory[8] = 0;
  return memory;
}

const ordinary = (): Uint8Array => filled(new Uint8Array(BYTES));
const nodes = (): Uint8Array => filled(Buffer.alloc(BYTES));
const tracking = (): Uint8Array => filled(new Uint8Array(new ResizableArrayBuffer(BYTES, { maxByteLength: 1024 })));
const fixed = (): Uint8Array =>
  filled(new Uint8Array(new ResizableArrayBuffer(BYTES, { maxByteLength: 1024 }), 0, BYTES));

function detach(memory: Uint8Array): Uint8Array {
  structuredClone(memory.buffer, { transfer: [memory.buffer as ArrayBuffer] });
  return memory;
}

function shrink(memory: Uint8Array): Uint8Array {
  (memory.buffer as unknown as { resize(to: number): void }).resize(BYTES / 2);
  return memory;
}

/** Every kind of memory, each time new, and how it can be taken away. */
const goings: [string, () => Uint8Array, (memory: Uint8Array) => Uint8Array][] = [
  ['an ordinary array that was detached', ordinary, detach],
  ["Node's Buffer that was detached", nodes, detach],
  ['a resizable array that was detached', tracking, detach],
  ['a resizable array that was shrunk', tracking, shrink],
  ['a view of fixed length that was cut off', fixed, shrink],
];

const kept = [ordinary(), nodes(), tracking(), fixed()];

/** Runs something with memory of all kinds until its code is optimised for all of them. */
function warmUp(act: (memory: Uint8Array) => unknown): void {
  for (let round = 0; round < ROUNDS; round++) for (const memory of kept) act(memory);
}

function lent(memory: Uint8Array): Evbuffer {
  const buffer = new Evbuffer();
  buffer.addReference(memory);
  return buffer;
}

const owner = { release: () => {} };

function leased(memory: Uint8Array): Evbuffer {
  const buffer = new Evbuffer();
  buffer.addLeased(memory, 0, BYTES, owner, 1);
  return buffer;
}

/** Two pieces, of which the second one is the memory. */
function second(memory: Uint8Array): Evbuffer {
  const buffer = Evbuffer.from('first');
  buffer.addReference(memory);
  return buffer;
}

const into = new Uint8Array(2 * BYTES);

const looks: [string, (buffer: Evbuffer) => unknown][] = [
  ['remove', (buffer) => buffer.remove()],
  ['remove into memory', (buffer) => buffer.remove(into)],
  ['copyOut', (buffer) => buffer.copyOut(into)],
  ['toUint8Array', (buffer) => buffer.toUint8Array()],
  ['toString', (buffer) => buffer.toString()],
  ['toString of latin1', (buffer) => buffer.toString('latin1')],
  ['indexOf', (buffer) => buffer.indexOf('absent')],
  ['indexOfEol', (buffer) => buffer.indexOfEol('crlf-strict')],
  ['readLine', (buffer) => buffer.readLine()],
  ['readLine of bytes', (buffer) => buffer.readLine('lf', 'bytes')],
  ['readLine up to a zero', (buffer) => buffer.readLine('nul')],
  ['readLines', (buffer) => buffer.readLines()],
  ['peek', (buffer) => buffer.peek()],
  ['peekInto', (buffer) => buffer.peekInto([], 2 * BYTES)],
  ['iteration', (buffer) => [...buffer]],
  ['pullup', (buffer) => buffer.pullup()],
  ['pin', (buffer) => buffer.pin(buffer.length)],
  ['readText', (buffer) => new EvbufferReader(buffer).readText(buffer.length)],
  ['readBytes', (buffer) => new EvbufferReader(buffer).readBytes(buffer.length)],
  ['readLine of a reader', (buffer) => new EvbufferReader(buffer).readLine('nul')],
  ['indexOf of a reader', (buffer) => new EvbufferReader(buffer).indexOf('absent')],
];

/** These look at the beginning. */
const looksInFront: [string, (buffer: Evbuffer) => unknown][] = [
  ['moveTo of a small part, which is copied', (buffer) => buffer.moveTo(new Evbuffer(), 7)],
  ['moveTo of a large part', (buffer) => buffer.moveTo(new Evbuffer(), BYTES - 1)],
  ['getNumber', (buffer) => getNumber(buffer, 2, 'u32be')],
  ['setNumber', (buffer) => setNumber(buffer, 2, 'u16le', 1)],
  ['readNumber', (buffer) => readNumber(buffer, 'varint')],
  ['readNumber of a reader', (buffer) => new EvbufferReader(buffer).readNumber('u64be')],
  ['readFramed', (buffer) => readFramed(buffer, { format: 'u8' })],
  ['takeFramed', (buffer) => takeFramed(buffer, { format: 'u8' })],
];

function codeOf(act: () => unknown): string {
  try {
    return `returned ${String(act())}`;
  } catch (error) {
    return (error as { code?: string }).code ?? String(error);
  }
}

function expectDetached(build: (memory: Uint8Array) => Evbuffer, look: (buffer: Evbuffer) => unknown): void {
  warmUp((memory) => look(build(memory)));
  for (const [what, make, take] of goings) {
    // The first one may be met by code that is given up because of it.
    for (let again = 0; again < 3; again++) {
      const memory = make();
      const buffer = build(memory);
      const { length } = buffer;
      take(memory);
      expect(
        codeOf(() => look(buffer)),
        what,
      ).toBe('ERR_EVBUFFER_DETACHED');
      expect(buffer.length, what).toBe(length);
      validate(buffer);
      expect(describeBuffer(buffer), what).toContain('detached');
      expect(buffer.drain()).toBe(length);
    }
  }
}

describe('once resizable memory was seen, memory that is gone is refused all the same', () => {
  test.each(looks)('by %s, lent at the front', (_, look) => expectDetached(lent, look));
  test.each(looks)('by %s, lent behind other memory', (_, look) => expectDetached(second, look));
  test.each(looks)('by %s, leased', (_, look) => expectDetached(leased, look));
  test.each(looksInFront)('by %s, lent', (_, look) => expectDetached(lent, look));
  test.each(looksInFront)('by %s, leased', (_, look) => expectDetached(leased, look));
});

/** What happens to memory that a call is given when it is gone: as if there were no bytes. */
const uses: [string, (memory: Uint8Array) => unknown, unknown][] = [
  ['add', (memory) => withText((buffer) => buffer.add(memory)), 'text'],
  ['addVector', (memory) => withText((buffer) => buffer.addVector([memory, 'er'])), 'texter'],
  ['prepend', (memory) => withText((buffer) => buffer.prepend(memory)), 'text'],
  ['addReference', (memory) => withText((buffer) => buffer.addReference(memory)), 'text'],
  ['remove', (memory) => withText((buffer) => buffer.remove(memory)), 'text'],
  ['copyOut', (memory) => Evbuffer.from('text').copyOut(memory), 0],
  ['indexOf', (memory) => Evbuffer.from('text').indexOf(memory, 2), 2],
  ['indexOf of a reader', (memory) => new EvbufferReader(Evbuffer.from('text')).indexOf(memory), 0],
  ['addLeased', (memory) => codeOf(() => leased(memory)), 'ERR_EVBUFFER_OUT_OF_RANGE'],
];

function withText(act: (buffer: Evbuffer) => unknown): string {
  const buffer = Evbuffer.from('text');
  act(buffer);
  return buffer.toString();
}

describe('once resizable memory was seen, memory that was detached before is empty', () => {
  test.each(uses)('to %s', (_, use, outcome) => {
    warmUp(use);
    for (const [what, make, take] of goings) {
      if (take === shrink && make === tracking) continue;
      for (let again = 0; again < 3; again++) expect(use(take(make())), what).toBe(outcome);
    }
  });
});

test('own memory that was detached through a view is neither read nor written, after resizable memory was seen', () => {
  const uses: ((buffer: Evbuffer, memory: Uint8Array) => unknown)[] = [
    (buffer, memory) => buffer.add(memory),
    (buffer, memory) => buffer.prepend(memory),
    (buffer) => buffer.add('text'),
    (buffer, memory) => buffer.addVector([memory]),
    (buffer) => {
      const room = buffer.reserve(300);
      room.commit(10);
    },
  ];
  const own = (): Evbuffer => {
    const buffer = Evbuffer.from('own memory');
    buffer.drain(1);
    return buffer;
  };
  for (const use of uses) {
    warmUp((memory) => {
      const buffer = own();
      use(buffer, memory);
      buffer.addReference(memory);
      return buffer.toUint8Array();
    });
    for (let again = 0; again < 3; again++) {
      const buffer = own();
      detach(buffer.peek()[0] as Uint8Array);
      const memory = ordinary();
      use(buffer, memory);
      const added = buffer.length - 9;
      expect(added, String(use)).toBeGreaterThan(0);
      validate(buffer);
      expect(
        codeOf(() => buffer.toUint8Array()),
        String(use),
      ).toBe('ERR_EVBUFFER_DETACHED');
      if (use === uses[1]) expect(buffer.remove(added)).toEqual(memory);
      buffer.drain(9);
      expect(buffer.toUint8Array()).toHaveLength(use === uses[1] ? 0 : added);
    }
  }
});
