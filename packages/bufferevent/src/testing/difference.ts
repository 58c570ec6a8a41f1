/** Bytes shown before the place that matters, and after it. */
const BEFORE = 32;
const AFTER = 48;

/** @internal How bytes are shown: in a line, each byte the same whatever stands around it. */
export type Show = (bytes: Uint8Array) => string;

/** @internal Where two runs of bytes differ first, or the length of the shorter one. */
export function firstDifference(left: Uint8Array, right: Uint8Array): number {
  const length = Math.min(left.length, right.length);
  for (let at = 0; at < length; at++) if (left[at] !== right[at]) return at;
  return length;
}

/** @internal As the text of a program: `"220 ready\r\n"`. Long ones lose their middle. */
export function showText(bytes: Uint8Array): string {
  if (bytes.length === 0) return '""';
  if (bytes.length <= BEFORE + AFTER) return `"${escaped(bytes)}"`;
  return `"${escaped(bytes.subarray(0, BEFORE))}" … "${escaped(bytes.subarray(-AFTER))}" (${bytes.length} bytes)`;
}

/** @internal As numbers: `00 0f ff`. */
export function showBytes(bytes: Uint8Array): string {
  if (bytes.length <= BEFORE + AFTER) return Array.from(bytes, hex).join(' ');
  const [start, end] = [bytes.subarray(0, BEFORE), bytes.subarray(-AFTER)];
  return `${Array.from(start, hex).join(' ')} … ${Array.from(end, hex).join(' ')} (${bytes.length} bytes)`;
}

/**
 * @internal Both sides around the place where they differ, and a mark below it:
 *
 *     expected  "250 OK\r\n"
 *     received  "250 NO\r\n"
 *                    ^
 */
export function showDifference(expected: Uint8Array, received: Uint8Array, show: Show): string {
  const at = firstDifference(expected, received);
  const from = Math.max(0, at - BEFORE);
  const window = (bytes: Uint8Array): string => {
    const shown = show(bytes.subarray(from, at + AFTER));
    return `${from > 0 ? '…' : ''}${shown}${bytes.length > at + AFTER ? '…' : ''}`;
  };
  const same = show(expected.subarray(from, at));
  // Where the next byte begins: before the closing quote of the text, or after a space and the numbers.
  const indent = (from > 0 ? 1 : 0) + (show === showBytes ? same.length + (same === '' ? 0 : 1) : same.length - 1);
  return `  expected  ${window(expected)}\n  received  ${window(received)}\n            ${' '.repeat(indent)}^`;
}

function escaped(bytes: Uint8Array): string {
  let text = '';
  for (const byte of bytes) {
    if (byte === 13) text += '\\r';
    else if (byte === 10) text += '\\n';
    else if (byte === 9) text += '\\t';
    else if (byte === 34 || byte === 92) text += `\\${String.fromCharCode(byte)}`;
    else text += byte >= 32 && byte < 127 ? String.fromCharCode(byte) : `\\x${hex(byte)}`;
  }
  return text;
}

function hex(byte: number): string {
  return byte.toString(16).padStart(2, '0');
}
