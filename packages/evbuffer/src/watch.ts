// For users who compile without this part of the language, and declarations that mention it.
/// <reference lib="esnext.disposable" preserve="true" />

import { fixDispose } from './platform.js';

/** One change of a buffer, in bytes. The buffer's length right after it was `originalLength + added − removed`. */
export interface EvbufferChange {
  readonly originalLength: number;
  readonly added: number;
  readonly removed: number;
}

/** A registered watcher (BU-4). Set `enabled` to false to miss changes for good until it is true again. */
export class EvbufferWatch {
  enabled = true;
  readonly #remove: (watch: EvbufferWatch) => void;

  static {
    fixDispose(EvbufferWatch.prototype);
  }

  /** Made by `Evbuffer.watch` only. */
  constructor(remove: (watch: EvbufferWatch) => void) {
    this.#remove = remove;
  }

  /** Removes the watcher. It is not called again, not even for a change that is being reported. Safe anywhere, any number of times. */
  dispose(): void {
    this.enabled = false;
    this.#remove(this);
  }

  /** The same as `dispose`. */
  [Symbol.dispose](): void {
    this.dispose();
  }
}

interface ReusableChange {
  originalLength: number;
  added: number;
  removed: number;
}

type WatchCallback<B> = (buffer: B, change: EvbufferChange) => void;

interface Entry<B> {
  readonly watch: EvbufferWatch;
  readonly callback: WatchCallback<B>;
  removed: boolean;
}

/** The watchers of one buffer, called in order of registration. */
export class WatchList<B> {
  // Replaced, never changed in place, so that a notification under way keeps walking the list it started with.
  #entries: readonly Entry<B>[] = [];
  #notifying = false;
  readonly #change: ReusableChange = { originalLength: 0, added: 0, removed: 0 };

  add(callback: WatchCallback<B>): EvbufferWatch {
    const watch = new EvbufferWatch((which) => this.#remove(which));
    this.#entries = [...this.#entries, { watch, callback, removed: false }];
    return watch;
  }

  #remove(watch: EvbufferWatch): void {
    this.#entries = this.#entries.filter((entry) => {
      if (entry.watch !== watch) return true;
      entry.removed = true;
      return false;
    });
  }

  clear(): void {
    for (const entry of this.#entries) entry.removed = true;
    this.#entries = [];
  }

  /** Calls every enabled watcher. A watcher that throws does not keep the others from being called; the first exception is thrown at the end. */
  notify(buffer: B, originalLength: number, added: number, removed: number): void {
    const nested = this.#notifying;
    const change = nested ? { originalLength, added, removed } : this.#change;
    change.originalLength = originalLength;
    change.added = added;
    change.removed = removed;
    this.#notifying = true;
    let failed = false;
    let failure: unknown;
    const entries = this.#entries;
    for (let index = 0; index < entries.length; index++) {
      const entry = entries[index] as Entry<B>;
      if (entry.removed || !entry.watch.enabled) continue;
      try {
        entry.callback(buffer, change);
      } catch (error) {
        if (!failed) failure = error;
        failed = true;
      }
    }
    this.#notifying = nested;
    if (failed) throw failure;
  }
}
