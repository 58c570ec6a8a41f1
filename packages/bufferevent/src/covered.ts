import type { Bufferevent } from './bufferevent.js';
import { BuffereventError } from './errors.js';
import type { Direction } from './events.js';
import type { Gate } from './gate.js';
import type { FlushMode } from './layer.js';

/** @internal What a bufferevent that lies over another one may do with it. */
export class CoveredBufferevent {
  readonly #bev: Bufferevent;
  readonly #readGate: Gate;
  readonly #readEnabled: boolean;

  constructor(bev: Bufferevent, readGate: Gate) {
    this.#bev = bev;
    this.#readGate = readGate;
    this.#readEnabled = readGate.enabled;
  }

  get isOpen(): boolean {
    return this.#bev.connectionState.isOpen;
  }

  get isAlive(): boolean {
    return this.#bev.connectionState.isAlive;
  }

  /** Whether the system has taken everything that went into its output. */
  get settled(): boolean {
    return this.#bev.connectionState.settled;
  }

  /** Whether its output was ended, by whomever. */
  get writeClosed(): boolean {
    return this.#bev.connectionState.writeClosed;
  }

  closedError(): BuffereventError {
    return new BuffereventError('ERR_BUFFEREVENT_WRITE_AFTER_END', 'the output of the bufferevent below has ended');
  }

  /** Reading goes on below while it is wanted above. */
  wantRead(wanted: boolean): void {
    if (this.#bev.freed) return;
    if (!wanted) {
      if (this.#readGate.suspend('filter')) this.#bev.wake();
      return;
    }
    const resumed = this.#readGate.resume('filter');
    if (!this.#readGate.enabled && !this.#bev.readEnded) this.#bev.enable('read');
    else if (resumed) this.#bev.wake();
  }

  flush(direction: Direction, mode: FlushMode): boolean {
    return !this.#bev.freed && this.#bev.flush(direction, mode);
  }

  /** Ends its output after what is queued; `ended` is called when the end is out. */
  end(ended: () => void): void {
    if (!this.#bev.freed) this.#bev.endFor(ended);
  }

  /** Lets go: frees it, or gives it back to its user. Resolves when a transport that is to go is gone. */
  release(free: boolean, abrupt: boolean): Promise<void> {
    this.#bev.uncover(this.#readEnabled);
    return free ? this.#bev.freeFor(abrupt) : Promise.resolve();
  }
}
