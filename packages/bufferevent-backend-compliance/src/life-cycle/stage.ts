import {
  type Address,
  type CompletionSink,
  type Handle,
  type Lease,
  type ListenOptions,
  Operation,
  type Port,
} from 'bufferevent-backend';

const loopback: Address = { ip: '127.0.0.1', port: 0 };

/** Bytes that were received and not given back. */
export interface Received {
  readonly handle: Handle;
  readonly lease: Lease;
  readonly memory: Uint8Array;
  readonly start: number;
  readonly end: number;
}

/** A port whose completions can be awaited, and into whose sink a call can be put. */
export class Stage<StagedPort extends Port = Port> {
  readonly #arrived: Map<string, number> = new Map();
  readonly #waiting: Map<string, (result: number) => void> = new Map();
  #inSink: (() => void) | null = null;
  readonly port: StagedPort;
  readonly received: Received[] = [];
  /** Otherwise what is received is given back in the sink, as by who has no use for it any more. */
  keepsReceived = true;

  constructor(createPort: (sink: CompletionSink) => StagedPort) {
    this.port = createPort((batch) => {
      const action = this.#inSink;
      this.#inSink = null;
      action?.();
      for (let index = 0; index < batch.length; index++) {
        const operation = batch.operation(index);
        const result = batch.result(index);
        if (operation === Operation.recv && result > 0) {
          const start = batch.start(index);
          const lease = batch.lease(index);
          const handle = batch.handle(index);
          if (!this.keepsReceived) this.port.release(lease);
          else this.received.push({ handle, lease, memory: batch.memory(index), start, end: start + result });
        }
        const key = `${batch.handle(index)}:${operation}`;
        const waiter = this.#waiting.get(key);
        this.#waiting.delete(key);
        if (waiter === undefined) this.#arrived.set(key, result);
        else waiter(result);
      }
    });
  }

  /** The result of an operation, when it has completed. */
  taken(handle: Handle, operation: Operation): Promise<number> {
    const key = `${handle}:${operation}`;
    const result = this.#arrived.get(key);
    if (result === undefined) return new Promise((resolve) => this.#waiting.set(key, resolve));
    this.#arrived.delete(key);
    return Promise.resolve(result);
  }

  /** Calls `action` in the sink, before it looks at anything. */
  inSink(action: () => void): void {
    this.#inSink = action;
    this.port.listen(loopback);
  }

  async listening(options?: ListenOptions): Promise<Handle> {
    const listener = this.port.listen(loopback, options);
    await this.taken(listener, Operation.listen);
    return listener;
  }

  async pair(): Promise<{ left: Handle; right: Handle }> {
    const listener = await this.listening();
    this.port.accept(listener, 1);
    const left = this.port.connect(this.addressOf(listener));
    await this.taken(left, Operation.connect);
    return { left, right: await this.taken(listener, Operation.accept) };
  }

  addressOf(listener: Handle): Address {
    return this.port.address(listener).local as Address;
  }

  /** Lets everything that was submitted happen as far as it can. */
  async turn(): Promise<void> {
    const listener = await this.listening();
    this.port.close(listener);
    await this.taken(listener, Operation.close);
  }
}
