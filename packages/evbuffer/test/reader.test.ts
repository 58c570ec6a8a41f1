import { Evbuffer } from 'evbuffer';
import { EvbufferReader, prependNumber } from 'evbuffer/framing';
import { expect, test } from 'vitest';
import { bytes, pieces } from './support/check.js';

const STALE = 'ERR_EVBUFFER_STALE_POSITION';
const refusing = (code: string) => expect.objectContaining({ code });

test('a reader reads on as bytes arrive, and consumes nothing until commit', () => {
  const buffer = new Evbuffer();
  const reader = new EvbufferReader(buffer);
  for (const byte of bytes('\x02\x01GET /\r\n')) {
    expect(reader.readNumber('u24be')).toBeNull();
    buffer.addReference(Uint8Array.of(byte));
    if (buffer.length === 2) break;
  }
  expect(reader.readNumber('u16be')).toBe(0x0201);
  buffer.add('GET /\r');
  expect([reader.readLine(), reader.offset, reader.remaining]).toEqual([null, 2, 6]);
  buffer.add('\nrest');
  expect([reader.readLine(), reader.readText(4), reader.readText(1)]).toEqual(['GET /', 'rest', null]);
  expect(buffer.length).toBe(13);
  expect([reader.commit(), buffer.length, reader.offset]).toEqual([13, 0, 0]);
});

test('rollback starts over at the front', () => {
  const buffer = pieces('ab', 'c', 'def');
  const reader = new EvbufferReader(buffer);
  expect(reader.skip(4)).toBe(true);
  expect(reader.skip(3)).toBe(false);
  expect([reader.indexOf('f'), reader.indexOf('a'), reader.indexOf('')]).toEqual([1, -1, 0]);
  expect(reader.readBytes(2)).toEqual(bytes('ef'));
  reader.rollback();
  expect(reader.readText(6)).toBe('abcdef');
});

test('a reader is stale once anyone else took bytes from the front or put some there', () => {
  for (const change of [
    (b: Evbuffer) => b.drain(1),
    (b: Evbuffer) => b.remove(1),
    (b: Evbuffer) => prependNumber(b, 'u8', 1),
    (b: Evbuffer) => b.moveTo(new Evbuffer(), 1),
    (b: Evbuffer) => b.readLine('lf'),
  ]) {
    const buffer = Evbuffer.from('one\ntwo');
    const reader = new EvbufferReader(buffer);
    reader.skip(2);
    change(buffer);
    for (const use of [() => reader.readBytes(1), () => reader.skip(1), () => reader.commit(), () => reader.remaining])
      expect(use).toThrow(refusing(STALE));
    reader.rollback();
    expect(reader.readBytes(buffer.length)).toEqual(buffer.toUint8Array());
  }
});

test('commit on a frozen front takes nothing; a watcher that throws does not lose the place', () => {
  const buffer = Evbuffer.from('abcdef');
  const reader = new EvbufferReader(buffer);
  reader.skip(2);
  buffer.freeze('front');
  expect(() => reader.commit()).toThrow(refusing('ERR_EVBUFFER_FROZEN_FRONT'));
  expect([reader.offset, buffer.length]).toEqual([2, 6]);
  buffer.unfreeze('front');
  const watch = buffer.watch(() => {
    throw new Error('from a watcher');
  });
  expect(() => reader.commit()).toThrow('from a watcher');
  watch.dispose();
  expect([reader.offset, reader.readText(1)]).toEqual([0, 'c']);
});

test('a reader refuses what is no buffer', () => {
  expect(() => new EvbufferReader({} as Evbuffer)).toThrow(refusing('ERR_EVBUFFER_INVALID_ARGUMENT'));
});

test('a reader passes a varint and what cannot be read behind it, and does not move when it throws', () => {
  const lent = new Uint8Array(4);
  const buffer = pieces('\x05');
  buffer.addReference(lent);
  buffer.add('end');
  structuredClone(lent.buffer, { transfer: [lent.buffer] });
  const reader = new EvbufferReader(buffer);
  expect(reader.readNumber('varint')).toBe(5);
  for (const read of [() => reader.readBytes(1), () => reader.readText(5), () => reader.readNumber('varint')])
    expect(read).toThrow(refusing('ERR_EVBUFFER_DETACHED'));
  expect([reader.offset, reader.skip(4), reader.readText(3)]).toEqual([1, true, 'end']);
});
