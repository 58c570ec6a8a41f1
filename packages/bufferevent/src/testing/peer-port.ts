import type { Address, Backend, CompletionBatch, Handle, IpAddress, Operation, Port } from 'bufferevent-backend';
import { PeerListener } from './peer-listener.js';
import { ScriptedPeer } from './scripted-peer.js';

/** @internal Somebody on a {@link PeerPort} who is told what became of his operations. */
export interface PeerEnd {
  onCompletion(operation: Operation, result: number, batch: CompletionBatch, index: number): void;
}

/** @internal What peers need of whoever made them. */
export interface PeerHost {
  /** The real time that an expectation waits at most. */
  readonly guardMs: number;
  /** Resolves when everything in memory has come to rest. */
  settle(): Promise<void>;
}

/** @internal The port on which all peers of one test live, apart from the port of the base under test. */
export class PeerPort {
  readonly port: Port;
  readonly host: PeerHost;
  readonly #ends: Map<Handle, PeerEnd> = new Map();

  constructor(backend: Backend, host: PeerHost) {
    this.host = host;
    this.port = backend.createPort((batch) => {
      for (let index = 0; index < batch.length; index++) {
        this.#ends.get(batch.handle(index))?.onCompletion(batch.operation(index), batch.result(index), batch, index);
      }
    });
  }

  /** A peer that connects; it may be told what to do at once. */
  dial(address: Address): ScriptedPeer {
    const handle = this.port.connect(address);
    return this.#own(handle, new ScriptedPeer(this, handle, false));
  }

  /** The peer of a connection that one of our listeners accepted. */
  accepted(handle: Handle): ScriptedPeer {
    return this.#own(handle, new ScriptedPeer(this, handle, true));
  }

  listen(address: IpAddress): PeerListener {
    const handle = this.port.listen(address);
    return this.#own(handle, new PeerListener(this, handle, address));
  }

  /** Closes everything, and resolves when nothing is open any more. */
  async dispose(): Promise<void> {
    await this.port[Symbol.asyncDispose]();
  }

  #own<End extends PeerEnd>(handle: Handle, end: End): End {
    this.#ends.set(handle, end);
    return end;
  }
}
