import { types } from 'node:util';
import { reaches } from '../arguments.js';
import type { Segment } from '../contract.js';
import { argumentRangeError, argumentTypeError } from '../errors.js';

/** Memory that the user of a port has registered, with the size it had then. */
export class RegisteredMemory {
  readonly #entries: Map<ArrayBufferLike, { readonly size: number; count: number }> = new Map();
  #bytes = 0;

  /** Bytes registered; the same memory counts once. */
  get bytes(): number {
    return this.#bytes;
  }

  add(memory: ArrayBuffer): void {
    if (!types.isArrayBuffer(memory)) throw argumentTypeError('memory', 'an ArrayBuffer', memory);
    const entry = this.#entries.get(memory);
    if (entry !== undefined) entry.count++;
    else {
      this.#entries.set(memory, { size: memory.byteLength, count: 1 });
      this.#bytes += memory.byteLength;
    }
  }

  remove(memory: ArrayBuffer): void {
    if (!types.isArrayBuffer(memory)) throw argumentTypeError('memory', 'an ArrayBuffer', memory);
    const entry = this.#entries.get(memory);
    if (entry === undefined) throw argumentRangeError('memory', 'registered', memory);
    if (--entry.count > 0) return;
    this.#entries.delete(memory);
    this.#bytes -= entry.size;
  }

  /** Whether the memory was registered and then detached or resized. */
  isSpoilt(memory: Uint8Array): boolean {
    const entry = this.#entries.get(memory.buffer);
    return entry !== undefined && entry.size !== memory.buffer.byteLength;
  }

  /** Whether bytes up to `end` can be read, and the memory is the one that was registered. */
  isIntact(memory: Uint8Array, end: number): boolean {
    return reaches(memory, end) && !this.isSpoilt(memory);
  }

  /** Segments as a native backend takes them: registered memory by reference, the rest copied now. */
  copyForeign(segments: readonly Segment[], count: number): Segment[] {
    return segments.slice(0, count).map(({ memory, start, end }) => {
      if (this.#entries.has(memory.buffer)) return { memory, start, end };
      return { memory: memory.slice(start, end), start: 0, end: end - start };
    });
  }
}
