import type { ConnectionEnd } from './connection-end.js';
import type { MemoryFile } from './memory-file.js';

/** What a virtual descriptor stands for: an end, a file, or a listening socket. */
export type DescriptorTarget = ConnectionEnd | MemoryFile | 'listener';

/** Above what a process ever has open, so that a virtual descriptor given to a real system call meets EBADF. */
export const FIRST_DESCRIPTOR: number = 2 ** 20;

/** The descriptors of a {@link MemoryNetwork}: as in POSIX, the lowest free number is given out. */
export class DescriptorTable {
  readonly #targets: (DescriptorTarget | null)[] = [];
  readonly #onRoom: () => void;
  #open = 0;
  /** No slot below is free. */
  #lowestFree = 0;
  #limit = Number.POSITIVE_INFINITY;

  /** @param onRoom called when a descriptor was freed or the limit raised */
  constructor(onRoom: () => void) {
    this.#onRoom = onRoom;
  }

  get open(): number {
    return this.#open;
  }

  get limit(): number {
    return this.#limit;
  }

  set limit(limit: number) {
    const raised = limit > this.#limit;
    this.#limit = limit;
    if (raised) this.#onRoom();
  }

  /** A new descriptor, or -1 when the limit is reached. */
  add(target: DescriptorTarget): number {
    if (this.#open >= this.#limit) return -1;
    this.#open++;
    let slot = this.#targets.indexOf(null, this.#lowestFree);
    if (slot === -1) slot = this.#targets.length;
    this.#targets[slot] = target;
    this.#lowestFree = slot + 1;
    return FIRST_DESCRIPTOR + slot;
  }

  get(descriptor: number): DescriptorTarget | null {
    return this.#targets[descriptor - FIRST_DESCRIPTOR] ?? null;
  }

  /** Frees a descriptor; what it stood for is the caller's to close. Does nothing for one that is not open. */
  remove(descriptor: number): void {
    if (this.get(descriptor) === null) return;
    const slot = descriptor - FIRST_DESCRIPTOR;
    this.#targets[slot] = null;
    this.#lowestFree = Math.min(this.#lowestFree, slot);
    this.#open--;
    this.#onRoom();
  }
}
