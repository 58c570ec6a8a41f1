/*
 *   one direction of a connection, a ring that grows up to its capacity:
 *
 *        0          head           head + length          memory.length
 *        | free      | bytes to read |        free         |
 */
const FIRST_SIZE = 1024;

/** Bytes on their way to one end of a connection. Copies in and out; takes memory with the first byte. */
export class BytePipe {
  #memory: Uint8Array | null = null;
  #head = 0;
  #length = 0;
  /** Most bytes held. Lowering it below `length` drops nothing; it only leaves no space. */
  capacity: number;
  /** The sender has finished: no byte follows those held. */
  ended = false;

  constructor(capacity: number) {
    this.capacity = capacity;
  }

  /** Bytes that can be read. */
  get length(): number {
    return this.#length;
  }

  /** Bytes that can be written. */
  get space(): number {
    return Math.max(0, this.capacity - this.#length);
  }

  /** Copies as much of `source[start, end)` as there is space for, and returns how much that was. */
  write(source: Uint8Array, start: number, end: number): number {
    const count = Math.min(this.space, end - start);
    if (count <= 0) return 0;
    const memory = this.#grow(this.#length + count);
    const tail = (this.#head + this.#length) % memory.length;
    const first = Math.min(count, memory.length - tail);
    memory.set(source.subarray(start, start + first), tail);
    if (count > first) memory.set(source.subarray(start + first, start + count), 0);
    this.#length += count;
    return count;
  }

  /** Moves at most `count` bytes into `target` from `start` on, and returns how much that was. */
  read(target: Uint8Array, start: number, count: number): number {
    const memory = this.#memory;
    const moved = Math.min(count, this.#length);
    if (memory === null || moved <= 0) return 0;
    const first = Math.min(moved, memory.length - this.#head);
    target.set(memory.subarray(this.#head, this.#head + first), start);
    if (moved > first) target.set(memory.subarray(0, moved - first), start + first);
    this.#head = (this.#head + moved) % memory.length;
    this.#length -= moved;
    if (this.#length === 0) this.#head = 0;
    return moved;
  }

  /** Drops what was not read. */
  discard(): void {
    this.#memory = null;
    this.#head = 0;
    this.#length = 0;
  }

  #grow(needed: number): Uint8Array {
    const old = this.#memory;
    if (old !== null && old.length >= needed) return old;
    const size = Math.max(needed, Math.min(this.capacity, Math.max(FIRST_SIZE, (old?.length ?? 0) * 2)));
    const memory = new Uint8Array(size);
    if (old !== null) {
      const first = Math.min(this.#length, old.length - this.#head);
      memory.set(old.subarray(this.#head, this.#head + first), 0);
      memory.set(old.subarray(0, this.#length - first), first);
    }
    this.#head = 0;
    this.#memory = memory;
    return memory;
  }
}
