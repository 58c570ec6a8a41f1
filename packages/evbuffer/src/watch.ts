// For users who compile without this part of the language, and declarations that mention it.
/// <reference lib="esnext.disposable" preserve="true" />

import { fixDispose } from './platform.js';

/** One change of a buffer, in bytes. The buffer's length right after it was `originalLength + added − removed`. */
export interface EvbufferChange {
  readonly originalLength: number;
  readonly added: number;
  readonly removed: number;
}

/** What a watcher is registered with. */
interface Registry {
  remove(watch: EvbufferWatch): void;
}

/** A registered watcher (BU-4). Set `enabled` to false to miss changes for good until it is true again. */
export class EvbufferWatch {
  enabled = true;
  readonly #registry: Registry;

  static {
    fixDispose(EvbufferWatch.prototype);
  }

  /** Made by `Evbuffer.watch` only. */
  constructor(registry: Registry) {
    this.#registry = registry;
  }

  /** Removes the watcher. It is not called again, not even for a change that is being reported. Safe anywhere, any number of times. */
  dispose(): void {
    this.enabled = false;
    this.#registry.remove(this);
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

/** One object for all notifications, except those that begin while another one is under way. `null` meanwhile. */
let spareChange: ReusableChange | null = { originalLength: 0, added: 0, removed: 0 };

type WatchCallback<B> = (buffer: B, change: EvbufferChange) => void;

class Watcher<B> extends EvbufferWatch {
  readonly callback: WatchCallback<B>;
  removed = false;

  constructor(registry: Registry, callback: WatchCallback<B>) {
    super(registry);
    this.callback = callback;
  }
}

/** The watchers of one buffer, called in order of registration. */
export class WatchList<B> {
  // Replaced, never changed in place, so that a notification under way keeps walking the list it started with.
  #watchers: readonly Watcher<B>[] = [];

  add(callback: WatchCallback<B>): EvbufferWatch {
    const watcher = new Watcher(this, callback);
    this.#watchers = [...this.#watchers, watcher];
    return watcher;
  }

  remove(watch: Watcher<B>): void {
    watch.removed = true;
    this.#watchers = this.#watchers.filter((watcher) => watcher !== watch);
  }

  clear(): void {
    for (const watcher of this.#watchers) watcher.removed = true;
    this.#watchers = [];
  }

  /** Calls every enabled watcher. A watcher that throws does not keep the others from being called; the first exception is thrown at the end. */
  notify(buffer: B, originalLength: number, added: number, removed: number): void {
    const watchers = this.#watchers;
    if (watchers.length === 1 && !(watchers[0] as Watcher<B>).enabled) return;
    const change = spareChange ?? { originalLength, added, removed };
    spareChange = null;
    change.originalLength = originalLength;
    change.added = added;
    change.removed = removed;
    let failed = false;
    let failure: unknown;
    for (let index = 0; index < watchers.length; index++) {
      const watcher = watchers[index] as Watcher<B>;
      if (watcher.removed || !watcher.enabled) continue;
      try {
        watcher.callback(buffer, change);
      } catch (error) {
        if (!failed) failure = error;
        failed = true;
      }
    }
    spareChange = change;
    if (failed) throw failure;
  }
}
