import type { Handle } from 'bufferevent-backend';
import type { CompletionOwner } from './event-base.js';

const PLACES = 2 ** 20;

/**
 * Who is told of the completions of a handle. Looked up for every completion, so it is an array indexed by the low bits
 * of the handle, where ports count their slots. A port may reuse a slot while the handle before it is still closing;
 * whoever is found in the place of a newer handle moves to the map.
 *
 *      handles  [ – | 1·2 | 7·3 | – ]   owners  [ – | a | b | – ]   displaced  { 6·3 → c }
 */
export class OwnerTable {
  readonly #handles: Handle[] = [];
  readonly #owners: (CompletionOwner | null)[] = [];
  readonly #displaced: Map<Handle, CompletionOwner> = new Map();

  get(handle: Handle): CompletionOwner | undefined {
    const place = handle & (PLACES - 1);
    if (this.#handles[place] === handle) return this.#owners[place] as CompletionOwner;
    return this.#displaced.get(handle);
  }

  set(handle: Handle, owner: CompletionOwner): void {
    const place = handle & (PLACES - 1);
    while (this.#handles.length <= place) {
      this.#handles.push(0);
      this.#owners.push(null);
    }
    const previous = this.#owners[place];
    if (previous != null && this.#handles[place] !== handle) {
      this.#displaced.set(this.#handles[place] as Handle, previous);
    }
    this.#handles[place] = handle;
    this.#owners[place] = owner;
  }

  delete(handle: Handle): void {
    const place = handle & (PLACES - 1);
    if (this.#handles[place] !== handle) {
      this.#displaced.delete(handle);
      return;
    }
    this.#handles[place] = 0;
    this.#owners[place] = null;
  }
}
