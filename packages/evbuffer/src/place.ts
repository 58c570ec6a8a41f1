import { checkPosition } from './arguments.js';
import type { Chain } from './chain.js';
import { EvbufferError, typeError } from './errors.js';
import type { ChainNode } from './node.js';

/**
 * A place between two bytes of a chain, which remembers the node it was found in: the next search from there starts
 * there. It goes wrong when bytes at the front come or go (`epoch`); what else happens to the chain it survives.
 */
export class Place {
  readonly chain: Chain;
  /** Bytes before it. */
  index: number;
  #epoch: number;
  #layout: number;
  /** A node at or before the place, null when none but the head is known; `#base` bytes come before it. */
  #node: ChainNode | null = null;
  #base = 0;

  constructor(chain: Chain, index: number) {
    this.chain = chain;
    this.index = index;
    this.#epoch = chain.epoch;
    this.#layout = chain.layout;
  }

  get stale(): boolean {
    return this.#epoch !== this.chain.epoch;
  }

  /** A place `bytes` further. Only right after `find`. */
  advanced(bytes: number): Place {
    const next = new Place(this.chain, this.index + bytes);
    next.#node = this.#node;
    next.#base = this.#base;
    return next;
  }

  /** Starts over at the front as it is now. */
  reset(): void {
    this.index = 0;
    this.#epoch = this.chain.epoch;
    this.#forget();
  }

  #forget(): void {
    this.#node = null;
    this.#base = 0;
  }

  checkFresh(): void {
    if (this.stale) {
      throw new EvbufferError('ERR_EVBUFFER_STALE_POSITION', 'the front changed meanwhile');
    }
  }

  /** Finds the node (see `foundNode`) and remembers it. */
  find(): void {
    this.checkFresh();
    if (this.#layout !== this.chain.layout) {
      this.#layout = this.chain.layout;
      this.#forget();
    }
    walk(this.#node ?? this.chain.head, this.#base, this.index);
    this.#node = foundNode;
    this.#base = foundBase;
  }
}

/**
 * What the last `find` or `findIndex` found: the node that holds the byte at the index, or the last one when the index is
 * the end (null in an empty chain), and how many bytes come before it. Kept here so that finding allocates nothing.
 */
export let foundNode: ChainNode | null = null;
export let foundBase = 0;

function walk(node: ChainNode | null, base: number, index: number): void {
  while (node !== null && node.next !== null && index - base >= node.end - node.start) {
    base += node.end - node.start;
    node = node.next;
  }
  foundNode = node;
  foundBase = base;
}

let placeOf: (value: unknown) => Place | null;

/**
 * A position in one buffer, from `Evbuffer.position` or `advance`: immutable, `index` bytes from the front. It remembers
 * where in memory it is, so that work which starts there does not walk the whole buffer. It stays right while bytes are
 * appended, also at the very end (BU-3); once bytes have left the front or come before it, its use throws
 * ERR_EVBUFFER_STALE_POSITION. In another buffer it throws ERR_EVBUFFER_INVALID_ARGUMENT. (api-evbuffer row 44)
 */
export class EvbufferPosition {
  readonly #place: Place;

  static {
    placeOf = (value) => (typeof value === 'object' && value !== null && #place in value ? value.#place : null);
  }

  /** Made by `Evbuffer.position` and `Evbuffer.advance` only. */
  constructor(place: Place) {
    this.#place = place;
  }

  /** Bytes before it. */
  get index(): number {
    return this.#place.index;
  }
}

/** Where in a buffer: how many bytes from the front, or a position made there before. */
export type EvbufferIndex = number | EvbufferPosition;

/** The place of a position, which must be one of `chain` and not stale. */
export function checkPlace(chain: Chain, position: unknown, name: string): Place {
  const place = placeOf(position);
  if (place === null) throw typeError(`${name} must be an EvbufferPosition`);
  if (place.chain !== chain) throw typeError(`${name} is a position of another buffer`);
  place.find();
  return place;
}

/** Checks where something starts and finds the node (`foundNode`); returns the index. */
export function findIndex(chain: Chain, where: EvbufferIndex, name: string): number {
  if (typeof where === 'object') return checkPlace(chain, where, name).index;
  checkPosition(where, chain.length, name);
  walk(chain.head, 0, where);
  return where;
}
