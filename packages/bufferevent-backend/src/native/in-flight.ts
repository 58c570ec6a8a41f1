import type { Operation } from '../contract.js';
import { BackendError } from '../errors.js';
import { ControlWord } from '../ring.js';
import type { NativeHandle } from './native-handle.js';

/** What is in flight over all handles of a port, and whether it keeps the process alive (C16). */
export class InFlight {
  readonly #control: Int32Array;
  /** Operations, and those of them that are on referenced handles. */
  #pending = 0;
  #pendingReferenced = 0;
  #referenced = true;
  #isDisposing = false;

  constructor(control: Int32Array) {
    this.#control = control;
  }

  get pending(): number {
    return this.#pending;
  }

  /** Throws when one of this kind is in flight (C3). */
  checkFree(entry: NativeHandle, operation: Operation): void {
    if (!entry.isBusyWith(operation)) return;
    throw new BackendError('ERR_BACKEND_BUSY', `operation ${operation} is in flight on handle ${entry.handle}`);
  }

  start(entry: NativeHandle, operation: Operation): void {
    entry.inFlight |= 1 << operation;
    this.#pending++;
    if (entry.referenced && this.#pendingReferenced++ === 0) this.tellReference();
  }

  finish(entry: NativeHandle, operation: Operation): void {
    entry.inFlight &= ~(1 << operation);
    this.#pending--;
    if (entry.referenced) this.#pendingReferenced--;
  }

  /** Of the whole port, or of one handle. */
  setReferenced(entry: NativeHandle | null, referenced: boolean): void {
    if (entry === null) this.#referenced = referenced;
    else if (entry.referenced !== referenced) {
      entry.referenced = referenced;
      this.#pendingReferenced += referenced ? entry.pending : -entry.pending;
    }
    this.tellReference();
  }

  /** Disposal keeps the process alive until it is through. */
  beginDisposal(): void {
    this.#isDisposing = true;
    this.tellReference();
  }

  /** Writes it where the native half looks when it is done. */
  tellReference(): void {
    const referenced = (this.#referenced && this.#pendingReferenced > 0) || this.#isDisposing;
    this.#control[ControlWord.referenced] = referenced ? 1 : 0;
  }
}
