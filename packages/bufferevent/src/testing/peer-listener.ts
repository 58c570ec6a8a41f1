import { type Address, type Handle, Operation, systemError } from 'bufferevent-backend';
import { type Deferred, withResolvers } from '../deferred-promise.js';
import { BuffereventError } from '../errors.js';
import { Fifo } from '../fifo.js';
import type { PeerEnd, PeerPort } from './peer-port.js';
import type { ScriptedPeer } from './scripted-peer.js';

/** Where scripted peers wait for connections of the code under test. Made by {@link TestBase.listenAsPeer}. */
export class PeerListener implements PeerEnd {
  readonly #peers: PeerPort;
  readonly #handle: Handle;
  readonly #arrived: Fifo<ScriptedPeer> = new Fifo();
  readonly #waiting: Fifo<Deferred<ScriptedPeer>> = new Fifo();
  readonly #ready: Deferred<void> = withResolvers();
  #address: Address;
  #closed = false;

  /** @internal */
  constructor(peers: PeerPort, handle: Handle, address: Address) {
    this.#peers = peers;
    this.#handle = handle;
    this.#address = address;
    this.#ready.promise.catch(() => {});
  }

  /** @internal Resolves when bound; rejects with the system's error. */
  get ready(): Promise<void> {
    return this.#ready.promise;
  }

  /** Where to connect to. */
  get address(): Address {
    return this.#address;
  }

  /** The far end of the next connection, in the order of arrival; waits for it. Rejects when closed before. */
  accept(): Promise<ScriptedPeer> {
    const peer = this.#arrived.shift();
    if (peer !== undefined) return Promise.resolve(peer);
    if (this.#closed) return Promise.reject(closedError());
    const waiter = withResolvers<ScriptedPeer>();
    this.#waiting.push(waiter);
    return waiter.promise;
  }

  /** Stops listening: further connections are refused. Those that were accepted live on. */
  close(): void {
    if (this.#closed) return;
    this.#closed = true;
    this.#peers.port.close(this.#handle);
    for (let waiter = this.#waiting.shift(); waiter !== undefined; waiter = this.#waiting.shift()) {
      waiter.reject(closedError());
    }
  }

  /** @internal */
  onCompletion(operation: Operation, result: number): void {
    if (operation === Operation.listen) {
      if (result < 0) {
        this.#ready.reject(systemError(result, 'listen'));
        this.close();
      } else if (!this.#closed) {
        this.#address = this.#peers.port.address(this.#handle).local ?? this.#address;
        this.#peers.port.accept(this.#handle, Number.MAX_SAFE_INTEGER);
        this.#ready.resolve();
      }
    } else if (operation === Operation.accept && result > 0) {
      const peer = this.#peers.accepted(result);
      const waiter = this.#waiting.shift();
      if (waiter === undefined) this.#arrived.push(peer);
      else waiter.resolve(peer);
    }
  }
}

function closedError(): BuffereventError {
  return new BuffereventError('ERR_BUFFEREVENT_CLOSED', 'this peer no longer listens');
}
