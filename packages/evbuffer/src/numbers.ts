import { type Chain, copyFrom } from './chain.js';
import { EvbufferError, rangeError, typeError } from './errors.js';
import { makeReadable } from './file-node.js';
import type { ChainNode } from './node.js';

type Endian = 'be' | 'le';

/** Formats whose values are numbers: integers of up to 48 bits, floats, and LEB128 up to 2⁵³ − 1. */
export type SmallNumberFormat =
  | 'u8'
  | 'i8'
  | `${'u' | 'i'}${16 | 24 | 32 | 40 | 48}${Endian}`
  | `f${32 | 64}${Endian}`
  | 'varint';

/** Formats whose values are bigints: integers of 64 bits, and LEB128 up to 2⁶⁴ − 1. */
export type BigNumberFormat = `${'u' | 'i'}64${Endian}` | 'varint64';

/**
 * How a number stands in bytes: `u`nsigned, `i`nteger (two's complement) or `f`loat (IEEE 754), its bits, and its byte
 * order; or unsigned LEB128, as in WebAssembly and Protocol Buffers.
 */
export type NumberFormat = SmallNumberFormat | BigNumberFormat;

/** The type of a format's values. */
export type NumberOf<F extends NumberFormat> = F extends BigNumberFormat ? bigint : number;

interface Layout {
  /** 0 for LEB128. */
  readonly bytes: number;
  readonly little: boolean;
  readonly signed: boolean;
  /** Of the `DataView` methods; '' for integers that it does not have. */
  readonly method: '' | 'Float32' | 'Float64' | 'BigInt64' | 'BigUint64';
  readonly big: boolean;
  /** What integers that are numbers may be. */
  readonly min: number;
  readonly max: number;
}

const fixedSize: Record<string, Layout> = {};
for (const kind of ['u', 'i', 'f'] as const) {
  for (const bits of kind === 'f' ? [32, 64] : [8, 16, 24, 32, 40, 48, 64]) {
    for (const endian of bits === 8 ? [''] : ['be', 'le']) {
      const big = bits === 64 && kind !== 'f';
      const signed = kind === 'i';
      const min = signed ? -(2 ** (bits - 1)) : 0;
      fixedSize[`${kind}${bits}${endian}`] = {
        bytes: bits / 8,
        little: endian === 'le',
        signed,
        method: kind === 'f' ? (bits === 32 ? 'Float32' : 'Float64') : big ? (signed ? 'BigInt64' : 'BigUint64') : '',
        big,
        min,
        max: min + 2 ** bits - 1,
      };
    }
  }
}
const varint: Layout = {
  bytes: 0,
  little: true,
  signed: false,
  method: '',
  big: false,
  min: 0,
  max: Number.MAX_SAFE_INTEGER,
};

/** Keys that were names of properties are the same strings as literals in programs: finding one compares no characters. */
const layouts: ReadonlyMap<string, Layout> = new Map(
  Object.entries({ ...fixedSize, varint, varint64: { ...varint, big: true } }),
);

/** LEB128 of 64 bits takes at most so many bytes. */
const MAX_VARINT_BYTES = 10;

/** Where numbers are put together that span pieces of memory, and where `encodeNumber` writes. */
const scratch = new Uint8Array(MAX_VARINT_BYTES);
const scratchView = new DataView(scratch.buffer);
/** Its first bytes, by their number: made once, since a view costs more than what is done with so few bytes. */
const scratchStarts: readonly Uint8Array[] = Array.from({ length: MAX_VARINT_BYTES + 1 }, (_, bytes) =>
  scratch.subarray(0, bytes),
);

/** Bytes of the number that the last `decodeNumber` found. Kept here so that reading allocates nothing. */
export let numberBytes = 0;

function layoutOf(format: NumberFormat): Layout {
  const layout = layouts.get(format);
  if (layout === undefined) throw typeError(`unknown number format ${String(format)}`);
  return layout;
}

/**
 * The number of a format at `index`, which lies in or behind `node`, before which `base` bytes come; null when not all
 * of its bytes are there. Consumes nothing, looks at no byte behind the number, and copies only what spans pieces.
 * Throws ERR_EVBUFFER_INVALID_ARGUMENT for an unknown format, ERR_EVBUFFER_MALFORMED_VARINT, and as `makeReadable` does.
 */
export function decodeNumber(
  chain: Chain,
  node: ChainNode | null,
  base: number,
  index: number,
  format: NumberFormat,
): number | bigint | null {
  const layout = layoutOf(format);
  const available = chain.length - index;
  const bytes = layout.bytes === 0 ? Math.min(MAX_VARINT_BYTES, available) : layout.bytes;
  if (bytes > available || bytes === 0) return null;
  while (node !== null && (index - base >= node.end - node.start || !makeReadable(chain, node, index - base))) {
    base += node.end - node.start;
    node = node.next;
  }
  const holder = node as ChainNode;
  const skip = index - base;
  if (layout.bytes === 0) return findVarint(holder, skip, bytes, layout.big);
  let memory = holder.memory;
  let at = holder.start + skip;
  if (at + bytes > holder.end) {
    copyFrom(holder, skip, bytes, scratch);
    memory = scratch;
    at = 0;
  }
  numberBytes = bytes;
  if (layout.method !== '') {
    for (let i = 0; i < bytes; i++) scratch[i] = memory[at + i] as number;
    return scratchView[`get${layout.method}`](0, layout.little);
  }
  let value = 0;
  if (layout.little) for (let i = bytes - 1; i >= 0; i--) value = value * 256 + (memory[at + i] as number);
  else for (let i = 0; i < bytes; i++) value = value * 256 + (memory[at + i] as number);
  return layout.signed && value >= -layout.min ? value + 2 * layout.min : value;
}

/** Goes on to the next piece only while the varint does: what comes behind it may be unreadable. */
function findVarint(holder: ChainNode, skip: number, most: number, big: boolean): number | bigint | null {
  const start = holder.start + skip;
  let bytes = Math.min(most, holder.end - start);
  let value = decodeVarint(holder.memory, start, bytes, big);
  for (let next = holder.next; value === null && next !== null && bytes < most; next = next.next) {
    bytes = Math.min(most, bytes + next.end - next.start);
    copyFrom(holder, skip, bytes, scratch);
    value = decodeVarint(scratch, 0, bytes, big);
  }
  return value;
}

/** The varint in the `available` bytes from `at` on; null when it does not end there. */
function decodeVarint(memory: Uint8Array, at: number, available: number, big: boolean): number | bigint | null {
  let value = 0;
  let scale = 1;
  // 49 bits are exact in a number whatever they are; the rest is added with care.
  for (let i = 0; i < available; i++) {
    const byte = memory[at + i] as number;
    if (i < 7) value += (byte & 0x7f) * scale;
    else if (big) return decodeLongVarint(memory, at, available, BigInt(value));
    else if ((byte & 0x7f) * scale > Number.MAX_SAFE_INTEGER - value) throw malformedVarint('beyond 2⁵³ − 1');
    else value += (byte & 0x7f) * scale;
    scale *= 128;
    if (byte < 0x80) {
      numberBytes = i + 1;
      return big ? BigInt(value) : value;
    }
  }
  if (available === MAX_VARINT_BYTES) throw malformedVarint('longer than 10 bytes');
  return null;
}

function decodeLongVarint(memory: Uint8Array, at: number, available: number, value: bigint): bigint | null {
  for (let i = 7; i < available; i++) {
    const byte = memory[at + i] as number;
    if (i === MAX_VARINT_BYTES - 1 && byte > 1) throw malformedVarint('beyond 2⁶⁴ − 1');
    value += BigInt(byte & 0x7f) << BigInt(7 * i);
    if (byte < 0x80) {
      numberBytes = i + 1;
      return value;
    }
  }
  return null;
}

function malformedVarint(why: string): EvbufferError {
  return new EvbufferError('ERR_EVBUFFER_MALFORMED_VARINT', `the variable-length integer is ${why}`);
}

/**
 * The bytes of a number, in memory that the next call of this module overwrites.
 * Throws ERR_EVBUFFER_OUT_OF_RANGE for what does not fit into the format (for `f32be` and `f32le`: finite values that
 * would become infinite), ERR_EVBUFFER_INVALID_ARGUMENT for an unknown format and for a value of the wrong type.
 */
export function encodeNumber(format: NumberFormat, value: number | bigint): Uint8Array {
  const { bytes, little, signed, method, big, min, max } = layoutOf(format);
  if (typeof value !== (big ? 'bigint' : 'number')) {
    throw typeError(`a value of format ${format} must be a ${big ? 'bigint' : 'number'}`);
  }
  if (method === 'Float32' || method === 'Float64') {
    const overflows = bytes === 4 && Number.isFinite(value) && !Number.isFinite(Math.fround(value as number));
    if (overflows) throw doesNotFit(value, format);
    scratchView[`set${method}`](0, value as number, little);
    return scratchStarts[bytes] as Uint8Array;
  }
  if (big) {
    const integer = value as bigint;
    const fits = BigInt.asUintN(64, integer) === integer || (signed && BigInt.asIntN(64, integer) === integer);
    if (!fits || (signed && BigInt.asIntN(64, integer) !== integer)) throw doesNotFit(value, format);
    if (bytes === 0) return encodeVarint(integer);
    scratchView.setBigUint64(0, BigInt.asUintN(64, integer), little);
    return scratchStarts[bytes] as Uint8Array;
  }
  if (!Number.isInteger(value) || (value as number) < min || (value as number) > max) throw doesNotFit(value, format);
  if (bytes === 0) return encodeVarint(BigInt(value));
  let rest = value as number;
  for (let i = 0; i < bytes; i++) {
    // Rounding down makes the bytes of two's complement of the negative ones.
    scratch[little ? i : bytes - 1 - i] = rest;
    rest = Math.floor(rest / 256);
  }
  return scratchStarts[bytes] as Uint8Array;
}

function encodeVarint(value: bigint): Uint8Array {
  let bytes = 0;
  for (; value >= 128n; value >>= 7n) scratch[bytes++] = Number(value & 127n) | 128;
  scratch[bytes++] = Number(value);
  return scratchStarts[bytes] as Uint8Array;
}

function doesNotFit(value: number | bigint, format: NumberFormat): RangeError {
  return rangeError(`${value} does not fit into ${format}`);
}
