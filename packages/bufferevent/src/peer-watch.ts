import { Errno, type Handle, Operation, type Port } from 'bufferevent-backend';

/** Watches for the close of a peer while nothing is received; of connections that asked for it. */
export class PeerWatch {
  /** Whether the peer is to be watched. */
  enabled = true;
  #inFlight = false;
  #cancelled = false;
  #closed = false;

  /** Watches iff `resting`: nothing is received, and the end has not come. */
  reconcile(port: Port, handle: Handle, resting: boolean): void {
    const wanted = this.enabled && resting && !this.#closed;
    if (wanted && !this.#inFlight) {
      this.#inFlight = true;
      port.watchPeer(handle);
    } else if (!wanted && this.#inFlight && !this.#cancelled) {
      this.#cancelled = true;
      port.cancel(handle, Operation.watchPeer);
    }
  }

  /** Another handle takes the place of the one that is watched, whose completion comes to nobody. */
  renew(): void {
    this.#inFlight = false;
    this.#cancelled = false;
    this.#closed = false;
  }

  /** @returns whether it says that the peer has closed */
  completed(result: number): boolean {
    this.#inFlight = false;
    this.#cancelled = false;
    if (result === -Errno.ECANCELED) return false;
    this.#closed = true;
    return true;
  }
}
