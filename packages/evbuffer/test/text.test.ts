import { Evbuffer, type EvbufferEncoding } from 'evbuffer';
import { expect, test } from 'vitest';

const TEXTS = [
  '',
  'plain',
  'wörld €',
  '😀 smile',
  'lone \ud800 surrogate',
  '\ufeffmark',
  '\0 zero',
  'x'.repeat(5000),
  'é'.repeat(40_000),
];

for (const encoding of ['utf8', 'latin1', 'ascii', 'hex', 'base64'] as const satisfies EvbufferEncoding[]) {
  test(`${encoding} text becomes the same bytes as in Buffer, at the back and at the front, whatever room there is`, () => {
    for (const text of TEXTS) {
      const written = encoding === 'hex' || encoding === 'base64' ? Buffer.from(text).toString(encoding) : text;
      const expected = Buffer.from(written, encoding);
      for (const before of [0, 1, 990, 1020, 1024, 5000]) {
        const buffer = new Evbuffer();
        buffer.add('-'.repeat(before));
        buffer.add(written, encoding);
        expect(buffer.length).toBe(before + expected.length);
        buffer.drain(before);
        expect(Buffer.compare(buffer.remove(), expected)).toBe(0);
        buffer.prepend(written, encoding);
        expect(Buffer.compare(buffer.remove(), expected)).toBe(0);
      }
    }
  });

  test(`a line is read back as ${encoding} as Buffer would`, () => {
    for (const text of TEXTS) {
      const buffer = new Evbuffer();
      buffer.add(text);
      buffer.add('\r\n');
      expect(buffer.readLine('crlf-strict', encoding)).toBe(Buffer.from(text).toString(encoding));
    }
  });
}

test('unpadded base64 is accepted', () => {
  const buffer = new Evbuffer();
  buffer.add('YWI', 'base64');
  expect(buffer.remove()).toEqual(new Uint8Array([97, 98]));
});

const MIXED = 'a é € 😀\0\ufeff\ud83d z';

test('a text is decoded the same wherever the borders of the pieces are, also inside a character', () => {
  const bytes = Buffer.from(MIXED);
  for (let first = 1; first < bytes.length; first++) {
    for (let second = first; second < bytes.length; second++) {
      const buffer = new Evbuffer();
      for (const piece of [bytes.subarray(0, first), bytes.subarray(first, second), bytes.subarray(second)]) {
        buffer.addReference(Uint8Array.from(piece));
      }
      expect(buffer.toString()).toBe(bytes.toString());
      buffer.add('\n');
      expect(buffer.readLines()).toEqual([bytes.toString()]);
    }
  }
});

test('a range of a text is that of its bytes; what it cuts of a character becomes U+FFFD, as in Buffer', () => {
  const bytes = Buffer.from(MIXED);
  const buffer = new Evbuffer();
  for (const byte of bytes) buffer.addReference(Uint8Array.of(byte));
  for (let start = 0; start <= bytes.length; start++) {
    for (let end = start; end <= bytes.length; end++) {
      for (const encoding of ['utf8', 'latin1', 'ascii', 'hex', 'base64'] as const) {
        expect(buffer.toString(encoding, start, end)).toBe(bytes.toString(encoding, start, end));
      }
    }
    expect(buffer.toString('utf8', buffer.position(start))).toBe(bytes.toString('utf8', start));
  }
  expect(buffer.toString('utf8', 3, Number.POSITIVE_INFINITY)).toBe(bytes.toString('utf8', 3));
  expect(() => buffer.toString('utf8', bytes.length + 1)).toThrow(
    expect.objectContaining({ code: 'ERR_EVBUFFER_OUT_OF_RANGE' }),
  );
  expect(buffer.length).toBe(bytes.length);
});

test('toUint8Array gives memory of its own: cloning and transferring it takes nothing from the buffer', () => {
  const buffer = Evbuffer.from('small');
  buffer.addReference(Uint8Array.from(Buffer.from(' and by reference')));
  const bytes = buffer.toUint8Array();
  expect(bytes.byteOffset).toBe(0);
  expect(bytes.buffer.byteLength).toBe(bytes.length);
  expect(structuredClone(bytes)).toEqual(bytes);
  const sent = structuredClone(bytes, { transfer: [bytes.buffer as ArrayBuffer] });
  expect(bytes.length).toBe(0);
  expect(Buffer.from(sent).toString()).toBe('small and by reference');
  sent.fill(0);
  expect(buffer.toString()).toBe('small and by reference');
});
