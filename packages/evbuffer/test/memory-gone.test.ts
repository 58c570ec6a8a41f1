import { Evbuffer, EvbufferError } from 'evbuffer';
import { validate } from 'evbuffer/debug';
import { EvbufferReader, getNumber, readFramed, readNumber, setNumber, takeFramed } from 'evbuffer/framing';
import { expect, test } from 'vitest';
import { bytes } from './support/check.js';

/** Every way of looking at all bytes, which must all refuse with the same code; only `drain` passes them. */
function expectGone(buffer: Evbuffer, code: string): void {
  const looks: (() => unknown)[] = [
    () => buffer.remove(),
    () => buffer.remove(new Uint8Array(100)),
    () => buffer.copyOut(new Uint8Array(100)),
    () => buffer.peek(),
    () => buffer.peekInto([], 100),
    () => buffer.pullup(),
    () => [...buffer],
    () => buffer.indexOf('absent'),
    () => buffer.indexOfEol('nul'),
    () => buffer.readLine(),
    () => buffer.readLines(),
    () => buffer.toString(),
    () => buffer.toUint8Array(),
    () => buffer.pin(buffer.length),
    () => buffer.toUint8Array(0, buffer.length),
    () => new EvbufferReader(buffer).readText(buffer.length),
    () => new EvbufferReader(buffer).readBytes(buffer.length),
    () => new EvbufferReader(buffer).readLine('nul'),
    () => new EvbufferReader(buffer).indexOf('absent'),
  ];
  const { length } = buffer;
  for (const look of looks) {
    let thrown: unknown;
    try {
      look();
    } catch (error) {
      thrown = error;
    }
    expect(thrown, String(look)).toBeInstanceOf(EvbufferError);
    expect(thrown).toMatchObject({ code });
    expect(buffer.length).toBe(length);
    validate(buffer);
  }
}

/** A buffer with memory of its own around the reference. */
function around(reference: Uint8Array): Evbuffer {
  const buffer = Evbuffer.from('own');
  buffer.addReference(reference);
  buffer.add('own');
  return buffer;
}

function expectPassed(buffer: Evbuffer, bytesGone: number): void {
  expect(buffer.drain(3 + bytesGone)).toBe(3 + bytesGone);
  expect(buffer.toString()).toBe('own');
}

test('memory that was transferred after it was added is gone', () => {
  const memory = bytes('transferred');
  const buffer = around(memory);
  structuredClone(memory.buffer, { transfer: [memory.buffer as ArrayBuffer] });
  expectGone(buffer, 'ERR_EVBUFFER_DETACHED');
  expectPassed(buffer, 11);
});

/** `ArrayBuffer` as of ES2024, which the sources' own language level lacks. */
const ResizableArrayBuffer = ArrayBuffer as unknown as new (
  bytes: number,
  options: { maxByteLength: number },
) => ArrayBuffer & { resize(to: number): void };

test('memory that was shrunk after it was added is gone, whether the view follows the length or not', () => {
  for (const tracking of [true, false]) {
    const resizable = new ResizableArrayBuffer(16, { maxByteLength: 64 });
    const buffer = around(tracking ? new Uint8Array(resizable) : new Uint8Array(resizable, 0, 16));
    resizable.resize(8);
    expectGone(buffer, 'ERR_EVBUFFER_DETACHED');
    expectPassed(buffer, 16);
  }
});

test('memory of WebAssembly is gone when the memory has grown', () => {
  const { WebAssembly } = globalThis as unknown as {
    WebAssembly: { Memory: new (options: object) => { buffer: ArrayBuffer; grow(pages: number): void } };
  };
  const memory = new WebAssembly.Memory({ initial: 1 });
  const buffer = around(new Uint8Array(memory.buffer, 0, 100));
  memory.grow(1);
  expectGone(buffer, 'ERR_EVBUFFER_DETACHED');
  expectPassed(buffer, 100);
});

test('memory at the very front is refused like any other, by the framing tools too', () => {
  const shared = new Evbuffer();
  shared.addReference(new Uint8Array(new SharedArrayBuffer(16)));
  const memory = new Uint8Array(16);
  const gone = new Evbuffer();
  gone.addReference(memory);
  structuredClone(memory.buffer, { transfer: [memory.buffer] });
  for (const [buffer, code] of [
    [shared, 'ERR_EVBUFFER_SHARED'],
    [gone, 'ERR_EVBUFFER_DETACHED'],
  ] as const) {
    for (const look of [
      () => getNumber(buffer, 0, 'u8'),
      () => setNumber(buffer, 0, 'u8', 1),
      () => readNumber(buffer, 'varint'),
      () => readFramed(buffer),
      () => takeFramed(buffer),
      () => new EvbufferReader(buffer).readText(1),
      () => new EvbufferReader(buffer).readNumber('u64be'),
      () => buffer.toString('latin1', 0, 1),
    ]) {
      expect(look, String(look)).toThrow(expect.objectContaining({ code }));
    }
    expectGone(buffer, code);
  }
});

test('lines that lie whole in memory that was shrunk, or that threads share, are refused too', () => {
  const resizable = new ResizableArrayBuffer(16, { maxByteLength: 64 });
  const shrunk = new Uint8Array(resizable);
  const shared = new Uint8Array(new SharedArrayBuffer(16));
  for (const [memory, code] of [
    [shrunk, 'ERR_EVBUFFER_DETACHED'],
    [shared, 'ERR_EVBUFFER_SHARED'],
  ] as const) {
    memory.set(bytes('a\nb\n'));
    const buffer = new Evbuffer();
    buffer.addReference(memory);
    if (memory === shrunk) {
      // Looked at once before: nobody doubts it any more.
      buffer.peek();
      resizable.resize(8);
    }
    const refused = expect.objectContaining({ code });
    expect(() => buffer.readLine()).toThrow(refused);
    expect(() => buffer.readLine('lf', 'latin1')).toThrow(refused);
    expect(() => buffer.readLines()).toThrow(refused);
    expect(buffer.length).toBe(16);
  }
});

test('a copy that begins inside a piece and ends in memory that is gone is refused before a byte is written', () => {
  const memory = bytes('gone');
  const buffer = new Evbuffer();
  buffer.addReference(bytes('abcdefgh'));
  buffer.addReference(memory);
  structuredClone(memory.buffer, { transfer: [memory.buffer as ArrayBuffer] });
  const into = bytes('......');
  const gone = expect.objectContaining({ code: 'ERR_EVBUFFER_DETACHED' });
  expect(() => buffer.copyOut(into, 4)).toThrow(gone);
  expect(into).toEqual(bytes('......'));
  expect(() => buffer.toUint8Array(7, 9)).toThrow(gone);
  expect(() => buffer.toString('latin1', 7, 9)).toThrow(gone);
  expect(() => getNumber(buffer, 7, 'u16be')).toThrow(gone);
  expect(buffer.toString('latin1', 4, 8)).toBe('efgh');
});

test('memory that other threads can write is refused when its bytes are looked at, also after it was split or shared', () => {
  const buffer = around(new Uint8Array(new SharedArrayBuffer(16)));
  expectGone(buffer, 'ERR_EVBUFFER_SHARED');
  const child = new Evbuffer();
  child.addBufferReference(buffer);
  expectGone(child, 'ERR_EVBUFFER_SHARED');
  expectPassed(buffer, 16);
  expectPassed(child, 16);
  const copy = new Evbuffer();
  copy.add(new Uint8Array(new SharedArrayBuffer(16)).fill(65));
  expect(copy.toString()).toBe('A'.repeat(16));
});
