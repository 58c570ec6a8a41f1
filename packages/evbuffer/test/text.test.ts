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
