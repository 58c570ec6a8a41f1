import type { Evbuffer } from 'evbuffer';
import type { Bufferevent } from './bufferevent.js';
import type { PendingCallbacks } from './callbacks.js';
import type { Closing } from './closing.js';
import { BuffereventError } from './errors.js';
import type { Direction } from './events.js';
import type { InputSide } from './input-side.js';
import type { FlushMode } from './layer.js';
import type { OutputSide } from './output-side.js';

/** @internal What a bufferevent that lies over another one may do with it. Its user gets it back as it was. */
export class CoveredBufferevent {
  readonly #bev: Bufferevent;
  readonly #callbacks: PendingCallbacks;
  readonly #input: InputSide;
  readonly #output: OutputSide;
  readonly #closing: Closing;
  readonly #readEnabled: boolean;

  constructor(bev: Bufferevent, callbacks: PendingCallbacks, input: InputSide, output: OutputSide, closing: Closing) {
    this.#bev = bev;
    this.#callbacks = callbacks;
    this.#input = input;
    this.#output = output;
    this.#closing = closing;
    this.#readEnabled = input.gate.enabled;
  }

  get isOpen(): boolean {
    return this.#bev.transportIsOpen;
  }

  get isAlive(): boolean {
    return this.#bev.transportIsAlive;
  }

  /** Whether the system has taken everything that went into its output. */
  get settled(): boolean {
    return this.#bev.allSettled;
  }

  /** Whether its output was ended, by whomever. */
  get writeClosed(): boolean {
    return this.#closing.writeClosed;
  }

  closedError(): BuffereventError {
    return new BuffereventError('ERR_BUFFEREVENT_WRITE_AFTER_END', 'the output of the bufferevent below has ended');
  }

  /** What it has not sent yet. */
  get output(): Evbuffer {
    return this.#output.buffer;
  }

  /** The mark of its output; 0 for none. */
  get highMark(): number {
    return this.#output.marks.high;
  }

  /** Reading goes on below while it is wanted above. */
  wantRead(wanted: boolean): void {
    if (this.#bev.freed) return;
    const { gate } = this.#input;
    if (!wanted) {
      if (gate.suspend('filter')) this.#bev.wake();
      return;
    }
    const resumed = gate.resume('filter');
    if (!gate.enabled && !this.#bev.readEnded) this.#bev.enable('read');
    else if (resumed) this.#bev.wake();
  }

  /** Writing goes on below, after a time-out that has disabled it there. */
  resumeWriting(): void {
    if (!this.#bev.freed) this.#bev.enable('write');
  }

  flush(direction: Direction, mode: FlushMode): boolean {
    return !this.#bev.freed && this.#bev.flush(direction, mode);
  }

  /** Ends its output after what is queued; `ended` is called when the end is out. */
  end(ended: () => void): void {
    if (this.#bev.freed) return;
    if (this.#closing.writeEnded) ended();
    else {
      this.#closing.onWriteEnded = ended;
      if (!this.#closing.writeClosed) this.#bev.closeOutput();
    }
  }

  /** Lets go: frees it, or gives it back to its user. Resolves when a transport that is to go is gone. */
  release(free: boolean, abrupt: boolean): Promise<void> {
    if (!this.#bev.freed) this.#uncover();
    return free ? this.#bev.freeFor(abrupt) : Promise.resolve();
  }

  #uncover(): void {
    const { gate, ended } = this.#input;
    this.#callbacks.upper = null;
    this.#closing.onWriteEnded = null;
    gate.enabled = this.#readEnabled && !ended;
    gate.resume('filter');
    this.#bev.wake();
  }
}
