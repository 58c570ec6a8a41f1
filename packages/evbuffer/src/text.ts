import { checkBytes } from './arguments.js';
import { typeError } from './errors.js';
import { tooLarge } from './memory.js';
import { bufferMethods, host, NodeBuffer } from './platform.js';

/** How a string becomes bytes and back. `ascii` writes like `latin1` and reads with the high bit cleared, as in Node. */
export type EvbufferEncoding = 'utf8' | 'latin1' | 'ascii' | 'hex' | 'base64';

const HEX = /^(?:[\da-f]{2})*$/i;

/** With all of its padding or without any. (One expression for it all would overflow its stack on long texts.) */
function isBase64(text: string): boolean {
  const body = text.replace(/={1,2}$/, '');
  const inLast = body.length % 4;
  return !/[^a-z\d+/]/i.test(body) && (body === text ? inLast !== 1 : text.length % 4 === 0 && inLast > 1);
}

function unknownEncoding(encoding: unknown): TypeError {
  return typeError(`${String(encoding)} is no encoding that this runtime knows`, 'ERR_EVBUFFER_UNKNOWN_ENCODING');
}

const ENCODINGS: readonly unknown[] = ['utf8', 'latin1', 'ascii', 'hex', 'base64'] satisfies EvbufferEncoding[];

export function checkEncoding(encoding: unknown): asserts encoding is EvbufferEncoding {
  if (encoding !== 'utf8' && !ENCODINGS.includes(encoding)) {
    throw unknownEncoding(encoding);
  }
}

/** What the host has for an encoding. */
function present<T>(codec: T | undefined, encoding: EvbufferEncoding): T {
  if (codec === undefined) throw unknownEncoding(encoding);
  return codec;
}

function encodeLatin1(text: string): Uint8Array {
  return Uint8Array.from({ length: text.length }, (_, index) => text.charCodeAt(index));
}

/** The bytes of a text, in memory of their own. Hex and base64 must be well formed: nothing is dropped silently. */
export function encodeText(text: string, encoding: EvbufferEncoding): Uint8Array {
  checkEncoding(encoding);
  if ((encoding === 'hex' && !HEX.test(text)) || (encoding === 'base64' && !isBase64(text))) {
    throw typeError(`the text is not ${encoding}`);
  }
  if (NodeBuffer !== undefined) return NodeBuffer.from(text, encoding);
  switch (encoding) {
    case 'utf8':
      return new (present(host.TextEncoder, encoding))().encode(text);
    case 'latin1':
    case 'ascii':
      return encodeLatin1(text);
    case 'hex':
      return Uint8Array.from(text.match(/../g) ?? [], (pair) => Number.parseInt(pair, 16));
    case 'base64':
      return encodeLatin1(present(host.atob, encoding)(text));
  }
}

/** Bytes as they are, or those of a text; throws for anything else. */
export function bytesOf(data: Uint8Array | string, encoding: EvbufferEncoding, name: string): Uint8Array {
  if (typeof data === 'string') return encodeText(data, encoding);
  checkBytes(data, name);
  return data;
}

/** Most bytes that a text can take when written by `writeText`; −1 when it can only go through `encodeText`. */
export function writableTextBytes(text: string, encoding: EvbufferEncoding): number {
  if (bufferMethods === undefined) return -1;
  if (encoding === 'utf8') return text.length * 3;
  return encoding === 'latin1' ? text.length : -1;
}

/** Writes a text straight into memory that has `writableTextBytes` to spare, and returns the bytes it took. */
export function writeText(memory: Uint8Array, at: number, text: string, encoding: EvbufferEncoding): number {
  const methods = bufferMethods as NonNullable<typeof bufferMethods>;
  return encoding === 'utf8'
    ? methods.utf8Write.call(memory, text, at, text.length * 3)
    : methods.latin1Write.call(memory, text, at, text.length);
}

/** `String.fromCharCode` takes its characters as arguments, of which an engine allows only so many. */
const CHARACTERS_PER_CALL = 4096;

function decodeCharacters(bytes: Uint8Array): string {
  let text = '';
  for (let at = 0; at < bytes.length; at += CHARACTERS_PER_CALL) {
    text += String.fromCharCode(...bytes.subarray(at, at + CHARACTERS_PER_CALL));
  }
  return text;
}

/** Fewer bytes than this fit into a string in every encoding and engine. */
const SURELY_TEXT_BYTES = 2 ** 27;

/**
 * memory[start, end) as text, in a (checked) encoding. Malformed UTF-8 gives U+FFFD; a byte order mark stays.
 * Throws ERR_EVBUFFER_TOO_LARGE for more than fits into a string.
 */
export function decodeText(memory: Uint8Array, start: number, end: number, encoding: EvbufferEncoding): string {
  if (end - start < SURELY_TEXT_BYTES) return decode(memory, start, end, encoding);
  try {
    return decode(memory, start, end, encoding);
  } catch (cause) {
    throw tooLarge(end - start, cause);
  }
}

function decode(memory: Uint8Array, start: number, end: number, encoding: EvbufferEncoding): string {
  if (bufferMethods !== undefined) {
    if (encoding === 'utf8') return bufferMethods.utf8Slice.call(memory, start, end);
    if (encoding === 'latin1') return bufferMethods.latin1Slice.call(memory, start, end);
    return bufferMethods[`${encoding}Slice`].call(memory, start, end);
  }
  const bytes = memory.subarray(start, end);
  switch (encoding) {
    case 'utf8':
      return new (present(host.TextDecoder, encoding))('utf-8', { ignoreBOM: true }).decode(bytes);
    case 'latin1':
      return decodeCharacters(bytes);
    case 'ascii':
      return decodeCharacters(bytes.map((byte) => byte & 0x7f));
    case 'hex':
      return Array.from(bytes, (byte) => byte.toString(16).padStart(2, '0')).join('');
    case 'base64':
      return present(host.btoa, encoding)(decodeCharacters(bytes));
  }
}
