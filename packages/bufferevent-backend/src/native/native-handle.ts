import { type Handle, Operation } from '../contract.js';

/** What JavaScript knows of a stream or listener: its names on both sides, and what is in flight. */
export class NativeHandle {
  readonly slot: number;
  readonly isListener: boolean;
  /** 0 until the port has given it one. */
  handle: Handle = 0;
  /** Whether what is pending here keeps the process alive (C16). */
  referenced = true;
  /** Bit `1 << operation` for everything submitted and not yet delivered (C3). */
  inFlight = 0;
  /** Of a listener: connections that may still be accepted. */
  credits = 0;
  /** Memory that the send in flight borrows; held here because the native half only borrows it. */
  borrowed: Uint8Array | Uint8Array[] | null = null;

  constructor(slot: number, isListener: boolean) {
    this.slot = slot;
    this.isListener = isListener;
  }

  /** How many operations are in flight. */
  get pending(): number {
    let count = 0;
    for (let bits = this.inFlight; bits !== 0; bits &= bits - 1) count++;
    return count;
  }

  /** `send` and `sendFile` share one place. */
  isBusyWith(operation: Operation): boolean {
    const mask = operation === Operation.send || operation === Operation.sendFile ? SENDS : 1 << operation;
    return (this.inFlight & mask) !== 0;
  }
}

const SENDS = (1 << Operation.send) | (1 << Operation.sendFile);
