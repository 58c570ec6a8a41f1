import type { Lease } from '../contract.js';
import { argumentRangeError, BackendError } from '../errors.js';
import { ControlWord, LARGE_SLAB_BYTES, SMALL_SLAB_BYTES } from '../ring.js';
import type { NativeBinding, NativeHalf } from './binding.js';
import { LeaseTable } from './lease-table.js';

/** Free slabs of each size that a wake-up may fill, which takes 256 KiB and fills none to the brim, and that are kept at most. */
const READY_SLABS = { small: 8, large: 6 };
const MAX_FREE_SLABS = { small: 128, large: 32 };

const INITIAL_IDS = 64;

/** What an id of memory stands for on this side. */
interface Slab {
  readonly memory: Uint8Array;
  readonly isLarge: boolean;
}

/**
 * The memory that system calls use, by the ids under which the native half knows it: slabs that received bytes are put
 * into, and whatever is sent. Words that both halves see say how many leases of a slab are out, up to where it is filled,
 * and which slabs are free, the one used last on top:
 *
 *     words  [ leases fill │ leases fill │ … ]  [ free small slabs … ]  [ free large slabs … ]
 *               id 0          id 1              capacity                 capacity
 *
 * The native half takes free slabs, fills them and counts leases up; here they are counted down, and a slab of which none
 * is out is empty again.
 */
export class PortMemory {
  readonly #binding: NativeBinding;
  readonly #port: NativeHalf;
  readonly #control: Int32Array;
  readonly #slabs: (Slab | null)[] = [];
  readonly #freeIds: number[] = [];
  readonly #leases = new LeaseTable();
  /** Ids of buffers that are sent; entries go with the buffers. */
  readonly #ids: WeakMap<ArrayBufferLike, number> = new WeakMap();
  readonly #collected: FinalizationRegistry<number>;
  readonly #registered: Map<ArrayBuffer, { readonly id: number; readonly size: number; count: number }> = new Map();
  #registeredBytes = 0;
  #capacity = INITIAL_IDS;
  #words = new Int32Array(4 * INITIAL_IDS);
  #disposed = false;
  /** What was sent last is often sent next. Typed arrays take their time to say where they begin. */
  #last: Uint8Array | null = null;
  #lastId = 0;
  #lastOffset = 0;

  constructor(binding: NativeBinding, port: NativeHalf, control: Int32Array) {
    this.#binding = binding;
    this.#port = port;
    this.#control = control;
    this.#collected = new FinalizationRegistry((id) => this.#forget(id));
    binding.shareMemoryWords(port, this.#words, this.#capacity);
    this.prepare();
  }

  /** Leases that are out. */
  get leases(): number {
    return this.#leases.size;
  }

  /** Bytes that the user of the port has registered; the same memory counts once. */
  get registeredBytes(): number {
    return this.#registeredBytes;
  }

  /** Sees to it that there are slabs for the next wake-up. */
  prepare(): void {
    while ((this.#control[ControlWord.freeSmallSlabs] as number) < READY_SLABS.small) this.#addSlab(false);
    while ((this.#control[ControlWord.freeLargeSlabs] as number) < READY_SLABS.large) this.#addSlab(true);
  }

  /** The memory of a slab in which bytes were received. */
  slab(id: number): Uint8Array {
    return (this.#slabs[id] as Slab).memory;
  }

  /** A lease on bytes of a slab, which the native half has counted already. */
  lease(id: number): Lease {
    return this.#leases.add(id);
  }

  /** @throws BackendError `ERR_BACKEND_STALE_LEASE` when it was given back before (C5) */
  release(lease: Lease): void {
    const id = this.#leases.remove(lease);
    if (id < 0) throw new BackendError('ERR_BACKEND_STALE_LEASE', `lease ${lease} is not out`);
    if (this.#disposed) return;
    const words = this.#words;
    const left = (words[2 * id] as number) - 1;
    words[2 * id] = left;
    if (left > 0) return;
    words[2 * id + 1] = 0;
    this.#emptied(id, this.#slabs[id] as Slab);
  }

  #emptied(id: number, { isLarge, memory }: Slab): void {
    const openWord = isLarge ? ControlWord.openLargeSlab : ControlWord.openSmallSlab;
    const isOpen = this.#control[openWord] === id;
    if (memory.length === 0) {
      // A user has detached it.
      if (isOpen) this.#control[openWord] = -1;
      this.#discard(id);
    } else if (!isOpen) this.#free(id, isLarge);
  }

  /** The id under which bytes of `memory` can be sent; makes one at first use. */
  idOf(memory: Uint8Array): number {
    return memory === this.#last ? this.#lastId : this.#findId(memory);
  }

  /** Where in its buffer memory begins of which the id was asked for. */
  offsetOf(memory: Uint8Array): number {
    return memory === this.#last ? this.#lastOffset : memory.byteOffset;
  }

  #findId(memory: Uint8Array): number {
    const buffer = memory.buffer as ArrayBuffer;
    let id = this.#ids.get(buffer);
    if (id === undefined) {
      id = this.#newId(buffer, true);
      this.#ids.set(buffer, id);
      this.#collected.register(buffer, id);
    }
    // Not what is large: the last one is kept alive by this.
    if (buffer.byteLength <= LARGE_SLAB_BYTES) {
      this.#last = memory;
      this.#lastId = id;
      this.#lastOffset = memory.byteOffset;
    }
    return id;
  }

  register(memory: ArrayBuffer): void {
    const entry = this.#registered.get(memory);
    if (entry !== undefined) {
      entry.count++;
      return;
    }
    const id = this.idOf(new Uint8Array(memory));
    this.#registered.set(memory, { id, size: memory.byteLength, count: 1 });
    this.#registeredBytes += memory.byteLength;
  }

  unregister(memory: ArrayBuffer): void {
    const entry = this.#registered.get(memory);
    if (entry === undefined) throw argumentRangeError('memory', 'registered', memory);
    if (--entry.count > 0) return;
    this.#registered.delete(memory);
    this.#registeredBytes -= entry.size;
  }

  /** Whether the memory was registered, and then detached or resized. */
  isSpoilt(memory: Uint8Array): boolean {
    const entry = this.#registered.get(memory.buffer as ArrayBuffer);
    return entry !== undefined && entry.size !== memory.buffer.byteLength;
  }

  /** Nothing is sent any more: buffers that are collected from now on are nobody's business. */
  dispose(): void {
    this.#disposed = true;
    this.#last = null;
    this.#registered.clear();
    this.#registeredBytes = 0;
    this.#slabs.length = 0;
  }

  #addSlab(isLarge: boolean): void {
    const memory = new Uint8Array(isLarge ? LARGE_SLAB_BYTES : SMALL_SLAB_BYTES);
    const id = this.#newId(memory.buffer, false);
    this.#slabs[id] = { memory, isLarge };
    this.#ids.set(memory.buffer, id);
    this.#free(id, isLarge);
  }

  #free(id: number, isLarge: boolean): void {
    const word = isLarge ? ControlWord.freeLargeSlabs : ControlWord.freeSmallSlabs;
    const count = this.#control[word] as number;
    if (count >= (isLarge ? MAX_FREE_SLABS.large : MAX_FREE_SLABS.small)) {
      this.#discard(id);
      return;
    }
    this.#words[(isLarge ? 3 : 2) * this.#capacity + count] = id;
    this.#control[word] = count + 1;
  }

  #discard(id: number): void {
    this.#ids.delete((this.#slabs[id] as Slab).memory.buffer);
    this.#slabs[id] = null;
    this.#forget(id);
  }

  #newId(buffer: ArrayBuffer, weak: boolean): number {
    let id = this.#freeIds.pop();
    if (id === undefined) {
      id = this.#slabs.length;
      if (id === this.#capacity) this.#grow();
      this.#slabs.push(null);
    }
    this.#words[2 * id] = 0;
    this.#words[2 * id + 1] = 0;
    try {
      this.#binding.addMemory(this.#port, id, buffer, weak);
    } catch (error) {
      this.#freeIds.push(id);
      throw error;
    }
    return id;
  }

  #forget(id: number): void {
    if (this.#disposed) return;
    this.#binding.removeMemory(this.#port, id);
    if (this.#lastId === id) this.#last = null;
    this.#freeIds.push(id);
  }

  #grow(): void {
    const old = this.#words;
    const capacity = this.#capacity;
    const words = new Int32Array(8 * capacity);
    words.set(old.subarray(0, 2 * capacity));
    words.set(old.subarray(2 * capacity, 3 * capacity), 4 * capacity);
    words.set(old.subarray(3 * capacity), 6 * capacity);
    // First: what unwinds here leaves both halves with the same words.
    this.#binding.shareMemoryWords(this.#port, words, 2 * capacity);
    this.#words = words;
    this.#capacity = 2 * capacity;
  }
}
