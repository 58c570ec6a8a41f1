import {
  type Address,
  type AddressPair,
  type Backend,
  type CancellableOperation,
  type ConnectOptions,
  type Handle,
  type Lease,
  type ListenOptions,
  Operation,
  type Port,
  type PortStats,
  type Segment,
  type StreamOptions,
} from 'bufferevent-backend';
import type { Ledger } from './ledger.js';

/** Writes every accepted submission into a ledger, and knows when a verb is running (C1). */
export class CheckedPort implements Port {
  readonly #port: Port;
  readonly #ledger: Ledger;
  readonly #running: string[] = [];

  constructor(port: Port, ledger: Ledger) {
    this.#port = port;
    this.#ledger = ledger;
  }

  /** The innermost verb that has not returned yet. */
  get runningVerb(): string | undefined {
    return this.#running.at(-1);
  }

  get backend(): Backend {
    return this.#port.backend;
  }

  listen(address: Address, options?: ListenOptions): Handle {
    const handle = this.#verb('listen', () => this.#port.listen(address, options));
    this.#ledger.opened(handle, 'listen');
    this.#ledger.submitted(handle, Operation.listen);
    return handle;
  }

  accept(listener: Handle, credits: number): void {
    this.#verb('accept', () => this.#port.accept(listener, credits));
    this.#ledger.submitted(listener, Operation.accept, credits);
  }

  connect(address: Address, options?: ConnectOptions): Handle {
    const handle = this.#verb('connect', () => this.#port.connect(address, options));
    this.#ledger.opened(handle, 'connect');
    this.#ledger.submitted(handle, Operation.connect);
    return handle;
  }

  adopt(descriptor: number): Handle {
    const handle = this.#verb('adopt', () => this.#port.adopt(descriptor));
    this.#ledger.opened(handle, 'adopt');
    return handle;
  }

  detach(stream: Handle): void {
    this.#verb('detach', () => this.#port.detach(stream));
    this.#ledger.submitted(stream, Operation.detach);
  }

  recv(stream: Handle, max: number): void {
    this.#verb('recv', () => this.#port.recv(stream, max));
    this.#ledger.submitted(stream, Operation.recv, max);
  }

  lowerRecvMax(stream: Handle, max: number): void {
    this.#verb('lowerRecvMax', () => this.#port.lowerRecvMax(stream, max));
    this.#ledger.loweredMax(stream, max);
  }

  send(stream: Handle, segments: readonly Segment[], count?: number): void {
    // Written down before the call, which may not keep the objects; malformed ones are for the port to refuse.
    const used = Array.isArray(segments) ? segments.slice(0, count).map((segment: Segment) => ({ ...segment })) : [];
    this.#verb('send', () => this.#port.send(stream, segments, count));
    const total = used.reduce((sum, { start, end }) => sum + end - start, 0);
    this.#ledger.submitted(stream, Operation.send, total, used);
  }

  sendFile(stream: Handle, descriptor: number, offset: number, length: number): void {
    this.#verb('sendFile', () => this.#port.sendFile(stream, descriptor, offset, length));
    this.#ledger.submitted(stream, Operation.sendFile, length);
  }

  shutdown(stream: Handle): void {
    this.#verb('shutdown', () => this.#port.shutdown(stream));
    this.#ledger.submitted(stream, Operation.shutdown);
  }

  watchPeer(stream: Handle): void {
    this.#verb('watchPeer', () => this.#port.watchPeer(stream));
    this.#ledger.submitted(stream, Operation.watchPeer);
  }

  cancel(handle: Handle, operation: CancellableOperation): void {
    this.#ledger.note(`cancel operation ${operation} on ${handle}`);
    this.#verb('cancel', () => this.#port.cancel(handle, operation));
  }

  close(handle: Handle): void {
    this.#verb('close', () => this.#port.close(handle));
    this.#ledger.submitted(handle, Operation.close);
  }

  reset(stream: Handle): void {
    this.#verb('reset', () => this.#port.reset(stream));
    this.#ledger.submitted(stream, Operation.reset);
  }

  setOption<Name extends keyof StreamOptions>(stream: Handle, name: Name, value: StreamOptions[Name]): number {
    return this.#verb('setOption', () => this.#port.setOption(stream, name, value));
  }

  address(handle: Handle): AddressPair {
    return this.#verb('address', () => this.#port.address(handle));
  }

  descriptor(handle: Handle): number {
    return this.#verb('descriptor', () => this.#port.descriptor(handle));
  }

  registerMemory(memory: ArrayBuffer): void {
    this.#verb('registerMemory', () => this.#port.registerMemory(memory));
  }

  unregisterMemory(memory: ArrayBuffer): void {
    this.#verb('unregisterMemory', () => this.#port.unregisterMemory(memory));
  }

  release(lease: Lease): void {
    this.#ledger.released(lease);
    this.#verb('release', () => this.#port.release(lease));
  }

  flush(): void {
    this.#verb('flush', () => this.#port.flush());
  }

  ref(handle?: Handle): void {
    this.#verb('ref', () => this.#port.ref(handle));
  }

  unref(handle?: Handle): void {
    this.#verb('unref', () => this.#port.unref(handle));
  }

  stats(): PortStats {
    return this.#port.stats();
  }

  [Symbol.asyncDispose](): Promise<void> {
    this.#ledger.note('dispose');
    return this.#verb('dispose', () => this.#port[Symbol.asyncDispose]());
  }

  #verb<Result>(name: string, body: () => Result): Result {
    this.#running.push(name);
    try {
      return body();
    } finally {
      this.#running.pop();
    }
  }
}
