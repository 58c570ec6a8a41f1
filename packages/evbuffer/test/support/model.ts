import { inspect } from 'node:util';
import {
  type EolStyle,
  Evbuffer,
  type EvbufferEncoding,
  type EvbufferPosition,
  type EvbufferSegment,
  type EvbufferWatch,
} from 'evbuffer';
import { validate } from 'evbuffer/debug';
import {
  addNumber,
  EvbufferReader,
  getNumber,
  type NumberFormat,
  prependNumber,
  readFramed,
  readNumber,
  setNumber,
  takeFramed,
} from 'evbuffer/framing';
import { chainOf } from '../../dist/evbuffer.js';
import { MemoryFile } from './memory-file.js';

/** One random step: which operation, on which buffers, with which size and which data. */
export interface Step {
  readonly operation: number;
  readonly subject: number;
  readonly size: number;
  readonly salt: number;
}

const STYLES: readonly EolStyle[] = ['any', 'crlf', 'crlf-strict', 'lf', 'nul'];
/** Few different bytes, rich in line ends, so that searches and lines find something. */
const ALPHABET = Buffer.from('\r\n\r\n\0abcabcdefgh');
const GARBAGE = 0xee;
const MAX_LENGTH = 40_000;

function random(seed: number): () => number {
  let state = seed >>> 0;
  return () => {
    state = (state + 0x6d2b79f5) >>> 0;
    let t = state;
    t = Math.imul(t ^ (t >>> 15), t | 1);
    t ^= t + Math.imul(t ^ (t >>> 7), t | 61);
    return ((t ^ (t >>> 14)) >>> 0) / 0x100000000;
  };
}

function data(salt: number, bytes: number): Buffer {
  const next = random(salt);
  const result = Buffer.allocUnsafe(bytes);
  for (let i = 0; i < bytes; i++) result[i] = ALPHABET[Math.floor(next() * ALPHABET.length)] as number;
  return result;
}

/** Mostly small sizes, some around the sizes of slabs, few large ones. */
function sizeOf(step: Step): number {
  const within = step.size % 1000;
  switch (Math.floor(step.size / 1000) % 8) {
    case 0:
      return within % 4;
    case 1:
    case 2:
    case 3:
      return within % 60;
    case 4:
      return within;
    case 5:
      return 960 + (within % 130);
    case 6:
      return within * 5;
    default:
      return within % 40 === 0 ? 66_000 + within : within * 2;
  }
}

/** Foreign memory lent to the buffers: must stay as it was until it is released, exactly once. */
interface Loan {
  readonly memory: Buffer;
  readonly original: Buffer;
  releases: number;
}

interface Pinned {
  readonly memory: Uint8Array;
  readonly start: number;
  readonly end: number;
  readonly copy: Buffer;
}

const FORMATS: readonly NumberFormat[] = ['u8', 'i8', 'u16be', 'i24le', 'u32le', 'i48be', 'f64be', 'u64be', 'varint'];

function numberFor(format: NumberFormat, next: () => number): number | bigint {
  const whole = Math.floor(next() * 2 ** 40);
  if (format === 'u64be') return BigInt(whole) << 20n;
  if (format === 'f64be') return next() * 1e9;
  if (format === 'varint') return Math.floor(whole / 2 ** Math.floor(next() * 40));
  const bits = Number(format.slice(1).replace(/[bl]e/, ''));
  const value = whole % 2 ** (bits - 1);
  return format.startsWith('i') && next() < 0.5 ? -value - 1 : value;
}

interface Kept {
  readonly position: EvbufferPosition;
  readonly index: number;
  readonly front: number;
}

interface Subject {
  readonly buffer: Evbuffer;
  bytes: Buffer;
  /** How often bytes at the front came or went. */
  fronts: number;
  readonly positions: Kept[];
  reader: EvbufferReader;
  /** What the reader has read since its last commit, and at which front it began. */
  read: number;
  readFront: number;
  front: boolean;
  back: boolean;
  pins: Pinned[] | null;
  watches: EvbufferWatch[];
}

type Event = readonly [subject: number, watcher: number, originalLength: number, added: number, removed: number];

function naiveEol(bytes: Buffer, style: EolStyle, from: number): { index: number; length: number } | null {
  for (let at = from; at < bytes.length; at++) {
    const byte = bytes[at];
    if (style === 'nul' && byte === 0) return { index: at, length: 1 };
    if (style === 'lf' && byte === 10) return { index: at, length: 1 };
    if (style === 'crlf-strict' && byte === 13 && bytes[at + 1] === 10) return { index: at, length: 2 };
    if (style === 'crlf') {
      if (byte === 10) return { index: at, length: 1 };
      if (byte === 13 && bytes[at + 1] === 10) return { index: at, length: 2 };
    }
    if (style === 'any' && (byte === 10 || byte === 13)) {
      let end = at;
      while (bytes[end] === 10 || bytes[end] === 13) end++;
      return { index: at, length: end - at };
    }
  }
  return null;
}

function expectEqual(actual: unknown, expected: unknown, what: string): void {
  if (Object.is(actual, expected)) return;
  const a = inspect(actual, { depth: 6 });
  const b = inspect(expected, { depth: 6 });
  if (a !== b) throw new Error(`${what}: got ${a}, expected ${b}`);
}

function expectBytes(actual: Uint8Array, expected: Uint8Array, what: string): void {
  if (Buffer.compare(actual, expected) === 0) return;
  let at = 0;
  while (actual[at] === expected[at]) at++;
  throw new Error(`${what}: ${actual.length} bytes for ${expected.length}, different from ${at}`);
}

/** Three buffers and, for each, a flat array that must hold the same bytes after every step. */
export class World {
  readonly #subjects: Subject[] = [];
  readonly #loans: Loan[] = [];
  readonly #files: MemoryFile[] = [];
  #events: Event[] = [];
  #expected: Event[] = [];
  readonly #segments: EvbufferSegment[] = [];
  readonly #owner = {
    release: (lease: number): void => this.#released(this.#loans[lease] as Loan),
  };

  constructor() {
    for (let i = 0; i < 3; i++) {
      const buffer = new Evbuffer();
      const subject: Subject = {
        buffer,
        bytes: Buffer.alloc(0),
        fronts: 0,
        positions: [],
        reader: new EvbufferReader(buffer),
        read: 0,
        readFront: 0,
        front: false,
        back: false,
        pins: null,
        watches: [],
      };
      this.#subjects.push(subject);
      this.#watch(i);
      this.#watch(i);
    }
  }

  #watch(index: number): void {
    const subject = this.#subjects[index] as Subject;
    const watcher = subject.watches.length;
    subject.watches.push(
      subject.buffer.watch((buffer, change) => {
        if (buffer.length !== change.originalLength + change.added - change.removed)
          throw new Error('a change that does not add up');
        validate(buffer);
        this.#events.push([index, watcher, change.originalLength, change.added, change.removed]);
      }),
    );
  }

  #released(loan: Loan): void {
    if (++loan.releases > 1) throw new Error('released twice');
    expectBytes(loan.memory, loan.original, 'foreign memory was written before its release');
    // From here on nobody may look at it: whoever does sees this.
    loan.memory.fill(GARBAGE);
  }

  #lend(bytes: Buffer): Loan {
    const memory = Buffer.from(new Uint8Array(bytes).buffer);
    const loan = { memory, original: Buffer.from(bytes), releases: 0 };
    this.#loans.push(loan);
    return loan;
  }

  #changed(index: number, added: number, removed: number): void {
    const subject = this.#subjects[index] as Subject;
    subject.watches.forEach((watch, watcher) => {
      if (watch.enabled) this.#expected.push([index, watcher, subject.bytes.length, added, removed]);
    });
  }

  /** Says what happens to the bytes, and which notification that makes. */
  #append(index: number, bytes: Uint8Array): void {
    const subject = this.#subjects[index] as Subject;
    if (bytes.length === 0) return;
    this.#changed(index, bytes.length, 0);
    subject.bytes = Buffer.concat([subject.bytes, bytes]);
  }

  #prepend(index: number, bytes: Uint8Array): void {
    const subject = this.#subjects[index] as Subject;
    if (bytes.length === 0) return;
    this.#changed(index, bytes.length, 0);
    subject.fronts++;
    subject.bytes = Buffer.concat([bytes, subject.bytes]);
  }

  #drop(index: number, bytes: number): Buffer {
    const subject = this.#subjects[index] as Subject;
    const dropped = subject.bytes.subarray(0, bytes);
    if (dropped.length > 0) {
      this.#changed(index, 0, dropped.length);
      subject.fronts++;
    }
    subject.bytes = subject.bytes.subarray(dropped.length);
    return dropped;
  }

  /** Runs `act`; when `code` is set it must throw that, else it must not throw. True when it did not. */
  #attempt(code: string | false, act: () => void): boolean {
    let thrown: unknown;
    try {
      act();
    } catch (error) {
      thrown = error;
      if (code === false) throw error;
    }
    expectEqual((thrown as { code?: string } | undefined)?.code ?? false, code, 'outcome');
    return code === false;
  }

  step(step: Step): void {
    this.#events = [];
    this.#expected = [];
    const index = step.subject % 3;
    const other = Math.floor(step.subject / 3) % 3;
    this.#apply(step, index, other);
    if (this.#events.length + this.#expected.length > 0) expectEqual(this.#events, this.#expected, 'notifications');
    for (const subject of this.#subjects) this.#check(subject);
    this.#checkLoans();
    const { buffer, bytes, front } = this.#subjects[index] as Subject;
    if (bytes.length > MAX_LENGTH && !front) {
      buffer.drain(bytes.length - 1000);
      this.#drop(index, bytes.length - 1000);
    }
  }

  #apply(step: Step, index: number, other: number): void {
    const subject = this.#subjects[index] as Subject;
    const { buffer, bytes } = subject;
    const size = sizeOf(step);
    const next = random(step.salt);
    const below = (limit: number): number => Math.floor(next() * limit);
    const within = below(bytes.length + 1);
    const backFrozen = subject.back && 'ERR_EVBUFFER_FROZEN_BACK';
    const frontFrozen = subject.front && 'ERR_EVBUFFER_FROZEN_FRONT';
    const frozenUnlessEmpty = bytes.length > 0 && frontFrozen;
    switch (step.operation) {
      case 0: {
        const added = data(step.salt, size);
        if (this.#attempt(backFrozen, () => buffer.add(added))) this.#append(index, added);
        return;
      }
      case 1: {
        const encoding = (['utf8', 'latin1', 'hex', 'base64', 'ascii'] as const)[below(5)] as EvbufferEncoding;
        let text = data(step.salt, size).toString(encoding === 'ascii' ? 'latin1' : encoding);
        if (encoding === 'utf8') text += ['', 'ß', '€', '😀', '\ud800'][below(5)];
        const front = below(4) === 0;
        const added = Buffer.from(text, encoding);
        if (front) {
          if (this.#attempt(added.length > 0 && frontFrozen, () => buffer.prepend(text, encoding)))
            this.#prepend(index, added);
        } else if (this.#attempt(backFrozen, () => buffer.add(text, encoding))) this.#append(index, added);
        return;
      }
      case 2: {
        const parts = [
          data(step.salt, size),
          'é\n',
          data(step.salt + 1, below(50)),
          new Uint8Array(0),
          data(step.salt + 2, below(3000)),
        ];
        const all = Buffer.concat(parts.map((part) => Buffer.from(part as string)));
        if (
          this.#attempt(backFrozen, () => {
            expectEqual(buffer.addVector(parts), all.length, 'addVector');
          })
        ) {
          this.#append(index, all);
        }
        return;
      }
      case 3: {
        const loan = this.#lend(data(step.salt, size));
        const done = this.#attempt(backFrozen, () =>
          buffer.addReference(loan.memory, (memory) => {
            if (memory !== loan.memory) throw new Error('released another memory');
            this.#released(loan);
          }),
        );
        if (done) this.#append(index, loan.original);
        else loan.releases = 1;
        return;
      }
      case 4: {
        const loan = this.#lend(data(step.salt, size + 20));
        const start = below(10);
        const end = start + size;
        const done = this.#attempt(backFrozen, () =>
          buffer.addLeased(loan.memory, start, end, this.#owner, this.#loans.length - 1),
        );
        if (done) this.#append(index, loan.original.subarray(start, end));
        else loan.releases = 1;
        return;
      }
      case 5:
      case 6:
        this.#moveAll(index, other, step.operation === 5);
        return;
      case 7:
        this.#moveSome(index, other, below(3) === 0 ? size : within);
        return;
      case 8: {
        const added = data(step.salt, size);
        if (this.#attempt(size > 0 && frontFrozen, () => buffer.prepend(added))) this.#prepend(index, added);
        return;
      }
      case 9:
        this.#attempt(Math.min(size, bytes.length) > 0 && frontFrozen, () => {
          const all = below(10) === 0;
          const removed = all && !subject.front ? buffer.remove() : buffer.remove(size);
          expectBytes(removed, this.#drop(index, all && !subject.front ? bytes.length : size), 'remove(n)');
        });
        return;
      case 10: {
        const into = Buffer.alloc(size, GARBAGE);
        const bytesOut = Math.min(size, bytes.length);
        const done = this.#attempt(bytesOut > 0 && frontFrozen, () => {
          expectEqual(buffer.remove(into), bytesOut, 'remove(into)');
        });
        if (done) expectBytes(into.subarray(0, bytesOut), this.#drop(index, bytesOut), 'remove(into)');
        expectBytes(
          into.subarray(done ? bytesOut : 0),
          Buffer.alloc(size - (done ? bytesOut : 0), GARBAGE),
          'remove(into), rest',
        );
        return;
      }
      case 11: {
        const into = Buffer.alloc(size, GARBAGE);
        const expected = bytes.subarray(within, within + size);
        expectEqual(buffer.copyOut(into, within), expected.length, 'copyOut');
        expectBytes(into.subarray(0, expected.length), expected, 'copyOut');
        expectBytes(into.subarray(expected.length), Buffer.alloc(size - expected.length, GARBAGE), 'copyOut, rest');
        this.#attempt('ERR_EVBUFFER_OUT_OF_RANGE', () => buffer.copyOut(into, bytes.length + 1));
        return;
      }
      case 12: {
        const wanted = below(2) === 0 ? within : size;
        this.#attempt(frozenUnlessEmpty, () => {
          expectEqual(buffer.drain(wanted), this.#drop(index, wanted).length, 'drain');
        });
        return;
      }
      case 13:
        this.#pullup(index, below(4) === 0 ? size : within);
        return;
      case 14: {
        const start = below(bytes.length + 1);
        const maxSegments = below(2) === 0 ? Number.POSITIVE_INFINITY : below(4);
        const all = buffer.peek({ start, length: size });
        expectBytes(Buffer.concat(all), bytes.subarray(start, start + size), 'peek');
        const some = buffer.peek({ start, length: size, maxSegments });
        expectEqual(some.length, Math.min(all.length, maxSegments), 'peek, segments');
        some.forEach((view, i) => {
          expectBytes(view, all[i] as Uint8Array, 'peek, view');
        });
        return;
      }
      case 15: {
        const target: EvbufferSegment[] = below(2) === 0 ? [] : this.#segments;
        const maxSegments = below(2) === 0 ? Number.POSITIVE_INFINITY : below(4);
        const inFiles = buffer.fileBytes > 0;
        const count = buffer.peekInto(target, size, maxSegments);
        const all = buffer.peek({ length: size, maxSegments });
        const views = all.slice(0, count);
        if (count < all.length) expectEqual(inFiles, true, 'peekInto stops before files only');
        views.forEach((view, i) => {
          const segment = target[i] as EvbufferSegment;
          expectBytes(segment.memory.subarray(segment.start, segment.end), view, 'peekInto, segment');
        });
        return;
      }
      case 16:
        this.#reserve(index, other, size, step.salt);
        return;
      case 17: {
        const space = Math.min(size, 5000);
        buffer.ensureSpace(space);
        return;
      }
      case 18: {
        const style = STYLES[below(5)] as EolStyle;
        const asBytes = below(2) === 0;
        const found = naiveEol(bytes, style, 0);
        let line: string | Uint8Array | null = null;
        const done = this.#attempt(frozenUnlessEmpty, () => {
          line = asBytes ? buffer.readLine(style, 'bytes') : buffer.readLine(style, 'latin1');
        });
        if (!done) return;
        if (found === null) {
          expectEqual(line, null, 'readLine');
          return;
        }
        const taken = Buffer.from(this.#drop(index, found.index + found.length)).subarray(0, found.index);
        expectBytes(
          typeof line === 'string' ? Buffer.from(line, 'latin1') : (line as unknown as Uint8Array),
          taken,
          'readLine',
        );
        return;
      }
      case 19: {
        const length = below(3) === 0 ? below(40) : below(5);
        // Half of the needles lie across the border of two pieces.
        const views = buffer.peek();
        const border = views.slice(0, below(views.length + 1)).reduce((sum, view) => sum + view.length, 0);
        const at = below(2) === 0 ? within : Math.max(0, border - below(length + 2));
        const needle = below(4) === 0 ? data(step.salt, length) : bytes.subarray(at, at + length);
        const start = below(2) === 0 ? below(bytes.length + 1) : Math.max(0, at - below(3));
        const ends = [Number.POSITIVE_INFINITY, below(bytes.length + 10), at + needle.length + below(3)];
        const end = Math.max(0, (ends[below(3)] as number) - 1);
        const inRange = bytes.subarray(0, end).indexOf(needle, start);
        expectEqual(buffer.indexOf(needle, start, end), needle.length === 0 ? start : inRange, 'indexOf');
        return;
      }
      case 20: {
        const style = STYLES[below(5)] as EolStyle;
        expectEqual(buffer.indexOfEol(style, within), naiveEol(bytes, style, within), 'indexOfEol');
        return;
      }
      case 21: {
        // Thawing is more likely than freezing, or nothing would ever move.
        const freeze = below(5) === 0;
        const end = below(2) === 0 ? 'front' : 'back';
        if (freeze) buffer.freeze(end);
        else buffer.unfreeze(end);
        subject[end] = freeze;
        return;
      }
      case 22: {
        const pinned = subject.pins !== null && 'ERR_EVBUFFER_INVALID_STATE';
        if (this.#attempt(pinned, () => buffer.pin(within))) {
          const count = buffer.peekInto(this.#segments, within);
          subject.pins = this.#segments.slice(0, count).map(({ memory, start, end }) => ({
            memory,
            start,
            end,
            copy: Buffer.from(memory.subarray(start, end)),
          }));
        }
        return;
      }
      case 23:
        subject.pins = null;
        buffer.unpin();
        return;
      case 24:
        if (this.#attempt(frozenUnlessEmpty, () => buffer.clear())) this.#drop(index, bytes.length);
        return;
      case 25: {
        const watch = subject.watches[below(2)] as EvbufferWatch;
        watch.enabled = !watch.enabled;
        return;
      }
      case 26: {
        const views = [...buffer];
        expectBytes(Buffer.concat(views), bytes, 'iteration');
        expectEqual(views[0]?.length ?? 0, buffer.contiguousLength, 'contiguousLength');
        expectEqual(inspect(buffer).startsWith(`Evbuffer(${bytes.length})`), true, 'inspect');
        return;
      }
      case 28: {
        const source = this.#subjects[other] as Subject;
        const nothing = source.bytes.length === 0;
        const code = source === subject ? 'ERR_EVBUFFER_INVALID_ARGUMENT' : backFrozen;
        if (this.#attempt(!nothing && code, () => buffer.addBufferReference(source.buffer)) && !nothing)
          this.#append(index, source.bytes);
        return;
      }
      case 29: {
        const pinned = subject.pins !== null && bytes.length > 0 && within > 0 && 'ERR_EVBUFFER_PINNED';
        this.#attempt(within > 0 && (frontFrozen || pinned), () => {
          const taken = buffer.take(within);
          expectBytes(taken.toUint8Array(), this.#drop(index, within), 'take');
          taken[Symbol.dispose]();
        });
        return;
      }
      case 30:
      case 31:
        this.#positions(subject, next);
        return;
      case 32: {
        const format = FORMATS[below(FORMATS.length)] as NumberFormat;
        const value = numberFor(format, next) as never;
        const scratch = new Evbuffer();
        addNumber(scratch, format, value);
        const encoded = scratch.remove();
        if (below(3) === 0) {
          if (this.#attempt(frontFrozen, () => prependNumber(buffer, format, value))) {
            this.#prepend(index, encoded);
            expectEqual(getNumber(buffer, 0, format), value, 'number at the front');
            this.#attempt(frontFrozen, () => expectEqual(readNumber(buffer, format), value, 'readNumber'));
            this.#drop(index, encoded.length);
          }
        } else if (this.#attempt(backFrozen, () => addNumber(buffer, format, value))) {
          const at = subject.bytes.length;
          this.#append(index, encoded);
          expectEqual(getNumber(buffer, at, format), value, 'getNumber');
        }
        return;
      }
      case 33: {
        const format = FORMATS[below(FORMATS.length - 1)] as NumberFormat;
        const value = numberFor(format, next) as never;
        const scratch = new Evbuffer();
        addNumber(scratch, format, value);
        const encoded = scratch.remove();
        if (within + encoded.length > bytes.length) {
          this.#attempt('ERR_EVBUFFER_OUT_OF_RANGE', () => setNumber(buffer, within, format, value));
          return;
        }
        try {
          setNumber(buffer, within, format, value);
        } catch (error) {
          if (subject.pins === null || (error as { code?: string }).code !== 'ERR_EVBUFFER_PINNED') throw error;
          return;
        }
        subject.bytes = Buffer.concat([bytes.subarray(0, within), encoded, bytes.subarray(within + encoded.length)]);
        return;
      }
      case 34:
      case 35:
        this.#lines(index, next);
        return;
      case 36: {
        const payload = bytes[0] ?? 0;
        const whole = bytes.length > 0 && bytes.length > payload;
        const moved = below(2) === 0;
        const pinned = moved && whole && subject.pins !== null && 'ERR_EVBUFFER_PINNED';
        this.#attempt(frozenUnlessEmpty || pinned, () => {
          const frame = moved ? takeFramed(buffer, { format: 'u8' }) : readFramed(buffer, { format: 'u8' });
          if (!whole) {
            expectEqual(frame, null, 'half a frame');
            return;
          }
          const expected = this.#drop(index, payload + 1).subarray(1);
          expectBytes(frame instanceof Evbuffer ? frame.remove() : (frame as Uint8Array), expected, 'frame');
        });
        return;
      }
      case 37: {
        const to = within + below(2000);
        expectBytes(buffer.toUint8Array(within, to), bytes.subarray(within, to), 'toUint8Array');
        expectEqual(buffer.toString('latin1', within, to), bytes.toString('latin1', within, to), 'toString');
        return;
      }
      case 38:
      case 39:
        this.#reader(index, next);
        return;
      case 40:
      case 41: {
        const content = data(step.salt, below(40) === 0 ? 150_000 : size + 1);
        const file = new MemoryFile(content);
        this.#files.push(file);
        const from = below(content.length);
        const length = below(content.length - from + 1);
        if (this.#attempt(backFrozen, () => buffer.addFileSegment(file, from, length)))
          this.#append(index, content.subarray(from, from + length));
        file.release();
        return;
      }
      case 42:
        this.#addOwn(index, next);
        return;
      case 43:
        this.#failToRead(index, next);
        return;
      default:
        if (below(6) === 0) this.#dispose(index);
    }
  }

  /** Disposed of and used again: its watchers are forgotten, so it gets new ones. */
  #dispose(index: number): void {
    const subject = this.#subjects[index] as Subject;
    subject.buffer[Symbol.dispose]();
    if (subject.bytes.length > 0) subject.fronts++;
    subject.bytes = Buffer.alloc(0);
    subject.watches = [];
    this.#watch(index);
    this.#watch(index);
  }

  /** Adds views that the buffer itself has handed out, by each way of adding a copy. */
  #addOwn(index: number, next: () => number): void {
    const { buffer, bytes, front, back, pins } = this.#subjects[index] as Subject;
    if (bytes.length > MAX_LENGTH) return;
    const way = Math.floor(next() * 3);
    if (way === 0) {
      const start = Math.floor(next() * (bytes.length + 1));
      const [view = new Uint8Array(0)] = buffer.peek({ start, maxSegments: 1 });
      const added = Buffer.from(view);
      expectBytes(added, bytes.subarray(start, start + added.length), 'a view to be added');
      if (this.#attempt(back && 'ERR_EVBUFFER_FROZEN_BACK', () => buffer.add(view))) this.#append(index, added);
    } else if (way === 1) {
      const done = this.#attempt(back && 'ERR_EVBUFFER_FROZEN_BACK', () => {
        expectEqual(buffer.addVector([...buffer]), bytes.length, 'addVector of its own views');
      });
      if (done) this.#append(index, bytes);
    } else {
      // What is pinned can not be joined.
      const wanted = Math.floor(next() * ((pins === null ? bytes.length : buffer.contiguousLength) + 1));
      const view = buffer.pullup(wanted) ?? new Uint8Array(0);
      const frozen = wanted > 0 && front && 'ERR_EVBUFFER_FROZEN_FRONT';
      if (this.#attempt(frozen, () => buffer.prepend(view))) this.#prepend(index, bytes.subarray(0, wanted));
    }
  }

  /** While files can not be read, or have become shorter, whatever looks at all bytes throws, and `step` finds nothing changed. */
  #failToRead(index: number, next: () => number): void {
    const { buffer, bytes, front, pins } = this.#subjects[index] as Subject;
    const shrank = next() < 0.5;
    for (const file of this.#files) {
      if (shrank) file.available = Math.floor(next() * file.length);
      else file.readable = false;
    }
    let fails = false;
    for (let node = chainOf(buffer).head; node !== null; node = node.next) {
      if (node.extent === null) continue;
      const { file, offset } = node.extent;
      fails ||= !shrank || offset + node.end > (file as MemoryFile).available;
    }
    if (fails) {
      const looks: (() => unknown)[] = [
        () => buffer.peek(),
        () => [...buffer],
        () => buffer.toString(),
        () => buffer.toUint8Array(),
        () => buffer.copyOut(new Uint8Array(bytes.length)),
        () => buffer.addVector(buffer),
      ];
      if (!front) looks.push(() => buffer.remove());
      if (pins === null) looks.push(() => buffer.pullup());
      if (!bytes.includes('z')) looks.push(() => buffer.indexOf('z'));
      const look = looks[Math.floor(next() * looks.length)] as () => unknown;
      this.#attempt(shrank ? 'ERR_EVBUFFER_FILE_SHRANK' : 'ERR_EVBUFFER_FILE_READ', look);
    }
    for (const file of this.#files) file.restore();
  }

  /** Uses the positions that were kept, and keeps one more. */
  #positions(subject: Subject, next: () => number): void {
    const { buffer, bytes, positions } = subject;
    for (const { position, index, front } of positions) {
      const stale = front !== subject.fronts && 'ERR_EVBUFFER_STALE_POSITION';
      const into = Buffer.alloc(50);
      this.#attempt(stale, () => {
        const count = buffer.copyOut(into, position);
        expectBytes(into.subarray(0, count), bytes.subarray(index, index + 50), 'copyOut from a position');
      });
      if (stale !== false) continue;
      expectEqual(buffer.indexOf('abc', position), bytes.indexOf('abc', index), 'indexOf from a position');
      expectEqual(getNumber(buffer, position, 'u8'), bytes[index] ?? null, 'getNumber at a position');
      const further = Math.floor(next() * (bytes.length - index + 1));
      const there = buffer.advance(position, further);
      expectEqual(there.index, index + further, 'advance');
      expectEqual(getNumber(buffer, there, 'u8'), bytes[index + further] ?? null, 'getNumber at an advanced position');
    }
    if (positions.length > 4) positions.length = 0;
    const index = next() < 0.3 ? bytes.length : Math.floor(next() * (bytes.length + 1));
    positions.push({ position: buffer.position(index), index, front: subject.fronts });
  }

  /** Several lines in a row, or a batch of them. */
  #lines(index: number, next: () => number): void {
    const subject = this.#subjects[index] as Subject;
    const { buffer } = subject;
    const style = STYLES[Math.floor(next() * 5)] as EolStyle;
    const encoding = next() < 0.5 ? 'utf8' : 'latin1';
    const count = 1 + Math.floor(next() * 11);
    const frozen = subject.bytes.length > 0 && subject.front && 'ERR_EVBUFFER_FROZEN_FRONT';
    const expected: string[] = [];
    let rest = subject.bytes;
    while (expected.length < count) {
      const eol = naiveEol(rest, style, 0);
      if (eol === null) break;
      expected.push(rest.toString(encoding, 0, eol.index));
      rest = rest.subarray(eol.index + eol.length);
    }
    if (next() < 0.4) {
      this.#attempt(frozen, () => {
        expectEqual(buffer.readLines(count, style, encoding).join('|'), expected.join('|'), 'readLines');
        this.#drop(index, subject.bytes.length - rest.length);
      });
      return;
    }
    this.#attempt(frozen, () => {
      for (const line of expected) {
        const eol = naiveEol(subject.bytes, style, 0) as { index: number; length: number };
        expectEqual(buffer.readLine(style, encoding), line, 'readLine in a row');
        this.#drop(index, eol.index + eol.length);
      }
      if (expected.length < count) expectEqual(buffer.readLine(style, encoding), null, 'no more lines');
    });
  }

  #reader(index: number, next: () => number): void {
    const subject = this.#subjects[index] as Subject;
    const { buffer, reader, bytes } = subject;
    const stale = subject.readFront !== subject.fronts && 'ERR_EVBUFFER_STALE_POSITION';
    for (let i = 0; i < 4; i++) {
      const at = subject.read;
      const count = Math.floor(next() * 40);
      const there = at + count <= bytes.length;
      const done = this.#attempt(stale, () => {
        const read = reader.readBytes(count);
        expectEqual(read !== null, there, 'readBytes');
        if (read !== null) expectBytes(read, bytes.subarray(at, at + count), 'readBytes');
      });
      if (done && there) subject.read += count;
      if (!done || next() < 0.5) continue;
      const eol = naiveEol(bytes, 'lf', subject.read);
      const line = eol === null ? null : bytes.toString('latin1', subject.read, eol.index);
      expectEqual(reader.readLine('lf', 'latin1'), line, 'readLine ahead');
      if (eol !== null) subject.read = eol.index + 1;
      expectEqual(reader.remaining, bytes.length - subject.read, 'remaining');
    }
    if (next() < 0.3) {
      const frozen = subject.read > 0 && subject.front && 'ERR_EVBUFFER_FROZEN_FRONT';
      const done = this.#attempt(stale || frozen, () => expectEqual(reader.commit(), subject.read, 'commit'));
      if (done) {
        this.#drop(index, subject.read);
        subject.read = 0;
        subject.readFront = subject.fronts;
      }
    }
    if (next() < 0.3) {
      reader.rollback();
      subject.read = 0;
      subject.readFront = subject.fronts;
    }
    expectEqual(buffer === reader.buffer && reader.offset === subject.read, true, 'offset');
  }

  #moveAll(index: number, other: number, back: boolean): void {
    const subject = this.#subjects[index] as Subject;
    const source = this.#subjects[other] as Subject;
    const nothing = source === subject || source.bytes.length === 0;
    let code: string | false = false;
    if (!nothing) {
      if (back && subject.back) code = 'ERR_EVBUFFER_FROZEN_BACK';
      else if ((!back && subject.front) || source.front) code = 'ERR_EVBUFFER_FROZEN_FRONT';
      else if (source.pins !== null) code = 'ERR_EVBUFFER_PINNED';
    }
    const done = this.#attempt(code, () => {
      if (back) subject.buffer.addBuffer(source.buffer);
      else subject.buffer.prependBuffer(source.buffer);
    });
    if (!done || nothing) return;
    const moved = this.#drop(other, source.bytes.length);
    if (back) this.#append(index, moved);
    else this.#prepend(index, moved);
  }

  /** Returns how many bytes were moved. */
  #moveSome(index: number, other: number, bytes: number): number {
    const source = this.#subjects[index] as Subject;
    const target = this.#subjects[other] as Subject;
    const nothing = source === target || bytes === 0;
    let code: string | false = false;
    if (!nothing) {
      if (source.front) code = 'ERR_EVBUFFER_FROZEN_FRONT';
      else if (target.back) code = 'ERR_EVBUFFER_FROZEN_BACK';
      else if (source.pins !== null && source.bytes.length > 0) code = 'ERR_EVBUFFER_PINNED';
    }
    const expected = nothing ? 0 : Math.min(bytes, source.bytes.length);
    const all = bytes >= source.bytes.length;
    const done = this.#attempt(code, () => {
      expectEqual(source.buffer.moveTo(target.buffer, bytes), expected, 'moveTo');
    });
    if (!done || expected === 0) return 0;
    const moved = source.bytes.subarray(0, expected);
    if (all) this.#drop(index, expected);
    this.#append(other, moved);
    if (!all) this.#drop(index, expected);
    return expected;
  }

  /** Returns whether it was done: bytes that are pinned can not be joined. */
  #pullup(index: number, wanted: number): boolean {
    const { buffer, bytes, pins } = this.#subjects[index] as Subject;
    if (wanted === 0 || wanted > bytes.length) {
      expectEqual(buffer.pullup(wanted), null, 'pullup');
      return true;
    }
    try {
      const view = buffer.pullup(wanted) as Uint8Array;
      expectBytes(view, bytes.subarray(0, wanted), 'pullup');
      if (buffer.contiguousLength < wanted) throw new Error('pullup did not join the bytes');
      return true;
    } catch (error) {
      if (pins === null || (error as { code?: string }).code !== 'ERR_EVBUFFER_PINNED') throw error;
      return false;
    }
  }

  #reserve(index: number, other: number, bytes: number, salt: number): void {
    const subject = this.#subjects[index] as Subject;
    const { buffer } = subject;
    const next = random(salt + 7);
    const maxSegments = 1 + Math.floor(next() * 3);
    if (subject.back) {
      this.#attempt('ERR_EVBUFFER_FROZEN_BACK', () => buffer.reserve(bytes, maxSegments));
      return;
    }
    const reservation = buffer.reserve(bytes, maxSegments);
    validate(buffer);
    const room = Buffer.concat(reservation.segments);
    expectEqual(reservation.length, room.length, 'reserve, length');
    if (room.length < bytes || reservation.segments.length > maxSegments)
      throw new Error('reserve gave something else');
    expectBytes(room, Buffer.alloc(room.length), 'reserve must show cleared memory');
    const written = data(salt, room.length);
    let at = 0;
    for (const segment of reservation.segments) {
      segment.set(written.subarray(at, at + segment.length));
      at += segment.length;
    }
    this.#attempt('ERR_EVBUFFER_OUT_OF_RANGE', () => reservation.commit(room.length + 1));
    const used = next() < 0.5 ? bytes : Math.floor(next() * (room.length + 1));
    const stale = next() < 0.5 && this.#changeBeforeCommit(index, other, next);
    if (!stale) {
      if (next() < 0.2) return;
      reservation.commit(used);
      this.#append(index, written.subarray(0, used));
    }
    this.#attempt('ERR_EVBUFFER_STALE_RESERVATION', () => reservation.commit(0));
  }

  /** Does something to a buffer, whose back is not frozen, while its room is reserved; returns whether that changed it. */
  #changeBeforeCommit(index: number, other: number, next: () => number): boolean {
    const subject = this.#subjects[index] as Subject;
    const { buffer, bytes } = subject;
    const wanted = next() < 0.2 ? Number.POSITIVE_INFINITY : 1 + Math.floor(next() * bytes.length);
    switch (Math.floor(next() * 7)) {
      case 0:
        buffer.add('x');
        this.#append(index, Buffer.from('x'));
        return true;
      case 1: {
        const frozen = subject.front && 'ERR_EVBUFFER_FROZEN_FRONT';
        const done = this.#attempt(frozen, () => buffer.prepend('front'));
        if (done) this.#prepend(index, Buffer.from('front'));
        return done;
      }
      case 2: {
        const done = this.#attempt(bytes.length > 0 && subject.front && 'ERR_EVBUFFER_FROZEN_FRONT', () =>
          buffer.clear(),
        );
        if (done) this.#drop(index, bytes.length);
        return done;
      }
      case 3:
        this.#dispose(index);
        return true;
      case 4: {
        const joined = wanted <= bytes.length && wanted > buffer.contiguousLength;
        return this.#pullup(index, wanted) && joined;
      }
      case 5:
        return this.#moveSome(index, other, wanted) > 0;
      default:
        return this.#moveSome(other, index, wanted) > 0;
    }
  }

  #check(subject: Subject): void {
    const { buffer, bytes } = subject;
    validate(buffer);
    expectEqual(buffer.length, bytes.length, 'length');
    // Not through the public methods: they would read the files.
    let at = 0;
    for (let node = chainOf(buffer).head; node !== null; node = node.next) {
      const size = node.end - node.start;
      if (node.extent === null)
        expectBytes(node.memory.subarray(node.start, node.end), bytes.subarray(at, at + size), `bytes from ${at}`);
      at += size;
    }
    for (const pin of subject.pins ?? []) {
      expectBytes(pin.memory.subarray(pin.start, pin.end), pin.copy, 'pinned memory changed');
    }
  }

  /** Each loan still out must be somewhere, and untouched; each other has been released once. */
  #checkLoans(): void {
    const held = new Set<Uint8Array>();
    for (const { buffer, pins } of this.#subjects) {
      for (let node = chainOf(buffer).head; node !== null; node = node.next) held.add(node.memory);
      for (let node = chainOf(buffer).limbo; node !== null; node = node.next) held.add(node.memory);
      for (const pin of pins ?? []) held.add(pin.memory);
    }
    for (let i = 0; i < this.#loans.length; i++) {
      const loan = this.#loans[i] as Loan;
      if (loan.releases === 0 && !held.has(loan.memory)) throw new Error('memory in no buffer was not released');
      if (loan.releases === 1 && held.has(loan.memory)) throw new Error('memory was released while a buffer holds it');
    }
    while (this.#loans.length > 0 && (this.#loans.at(-1) as Loan).releases === 1) this.#loans.pop();
  }

  /** Ends all: every loan must come back. */
  finish(): void {
    for (const { buffer } of this.#subjects) {
      buffer.unpin();
      buffer[Symbol.dispose]();
      validate(buffer);
    }
    for (const loan of this.#loans) expectEqual(loan.releases, 1, 'releases at the end');
    for (const file of this.#files) expectEqual(file.users, 0, 'users of a file at the end');
  }
}

export const OPERATIONS = 44;
