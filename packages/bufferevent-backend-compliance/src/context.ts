import assert from 'node:assert/strict';
import {
  type Address,
  type BackendSupports,
  type ConnectOptions,
  Errno,
  errnoName,
  type Handle,
  type IpAddress,
  type ListenOptions,
  Operation,
  type PathAddress,
  type PortOptions,
} from 'bufferevent-backend';
import { pattern } from './bytes.js';
import { Driver } from './driver.js';
import { DEFAULT_BULK_BYTES, DEFAULT_TIMEOUT_MS, type Exhaustion, type Harness, type OpenFile } from './harness.js';
import { Stream } from './stream.js';

/** Two connected streams; `left` connected, `right` was accepted. */
export interface Pair {
  readonly left: Stream;
  readonly right: Stream;
}

/** Small enough for any listen backlog. */
const CONNECT_CHUNK = 64;

/** What one case works with. Everything made through it is disposed of and checked when the case ends. */
export class CaseContext {
  readonly harness: Harness;
  readonly timeoutMs: number;
  readonly #drivers: Driver[] = [];
  readonly #cleanups: (() => void)[] = [];
  #left: Driver | undefined;
  #right: Driver | undefined;
  #listener: { readonly handle: Handle; readonly address: Address } | undefined;
  #heartbeat: Pair | undefined;

  constructor(harness: Harness) {
    this.harness = harness;
    this.timeoutMs = harness.timeoutMs ?? DEFAULT_TIMEOUT_MS;
  }

  get supports(): BackendSupports {
    return this.harness.backend.supports;
  }

  /** Bytes for cases about volume. */
  get bulkBytes(): number {
    return this.harness.bulkBytes ?? DEFAULT_BULK_BYTES;
  }

  /** The port that connects. Peers are two ports in one process: that needs nothing but the contract. */
  get left(): Driver {
    this.#left ??= this.driver();
    return this.#left;
  }

  /** The port that accepts. */
  get right(): Driver {
    this.#right ??= this.driver();
    return this.#right;
  }

  /** Another port. */
  driver(options?: PortOptions): Driver {
    const driver = new Driver(this.harness.backend, this.timeoutMs, options);
    this.#drivers.push(driver);
    return driver;
  }

  /** Listens and waits until that has succeeded. */
  async listen(
    driver: Driver = this.right,
    address: Address = this.harness.listenAddress(),
    options?: ListenOptions,
  ): Promise<{ readonly handle: Handle; readonly address: Address }> {
    const handle = driver.port.listen(address, options);
    const { result } = await driver.next(handle, Operation.listen);
    assert.equal(result, 0, `listen failed with ${errnoName(result)}`);
    const { local } = driver.port.address(handle);
    assert.ok(local !== null, 'a listener has no local address');
    return { handle, address: local };
  }

  /** A connected pair between `left` and `right`, over one listener that the case shares. */
  async pair(): Promise<Pair> {
    this.#listener ??= await this.listen();
    return this.pairAt(this.#listener);
  }

  /** A connected pair over the given listener of `right`. */
  async pairAt(
    listener: { readonly handle: Handle; readonly address: Address },
    options?: ConnectOptions,
  ): Promise<Pair> {
    this.right.port.accept(listener.handle, 1);
    const connected = this.left.port.connect(listener.address, options);
    const [{ result }, accepted] = await Promise.all([
      this.left.next(connected, Operation.connect),
      this.right.next(listener.handle, Operation.accept),
    ]);
    assert.equal(result, 0, `connect failed with ${errnoName(result)}`);
    assert.ok(accepted.result > 0, `accept failed with ${errnoName(accepted.result)}`);
    return { left: new Stream(this.left, connected), right: new Stream(this.right, accepted.result) };
  }

  /** Many pairs. Which left stream belongs to which right one is found by what they say, as with real sockets. */
  async pairs(count: number): Promise<Pair[]> {
    this.#listener ??= await this.listen();
    const { handle, address } = this.#listener;
    const pairs: Pair[] = [];
    for (let made = 0; made < count; ) {
      const size = Math.min(CONNECT_CHUNK, count - made);
      this.right.port.accept(handle, size);
      const lefts = Array.from({ length: size }, () => new Stream(this.left, this.left.port.connect(address)));
      const rights: Stream[] = [];
      for (let index = 0; index < size; index++) {
        const { result } = await this.right.next(handle, Operation.accept);
        assert.ok(result > 0, `accept failed with ${errnoName(result)}`);
        rights.push(new Stream(this.right, result));
      }
      for (const left of lefts) assert.equal((await left.next(Operation.connect)).result, 0, 'connect failed');
      pairs.push(...(await introduce(lefts, rights)));
      made += size;
    }
    return pairs;
  }

  /**
   * Lets everything that is due on both ports happen: a counted number of round trips on a stream of its own. A
   * completion that is still missing afterwards was not about to come. This is how cases show that nothing happens
   * without waiting for time to pass.
   */
  async settle(rounds = 20): Promise<void> {
    this.#heartbeat ??= await this.pair();
    const { left, right } = this.#heartbeat;
    const one = Uint8Array.of(1);
    for (let round = 0; round < rounds; round++) {
      await Promise.all([left.sendAll(one), right.takeExactly(1)]);
      await Promise.all([right.sendAll(one), left.takeExactly(1)]);
      await turn();
    }
  }

  /** Turns the loop until `done` answers true; fails after the time of one completion. */
  async until(done: () => boolean, what: string): Promise<void> {
    const deadline = Date.now() + this.timeoutMs;
    while (!done()) {
      if (Date.now() > deadline) throw this.left.failure(`no ${what} within ${this.timeoutMs} ms`);
      await turn();
    }
  }

  pathAddress(): PathAddress {
    const made = demand(this.harness.pathAddress).call(this.harness);
    this.#cleanups.push(() => made.cleanup());
    return made.address;
  }

  openFile(bytes: Uint8Array): OpenFile {
    const file = demand(this.harness.openFile).call(this.harness, bytes);
    this.#cleanups.push(() => file.close());
    return file;
  }

  openSparseFile(bytes: Uint8Array, at: number): OpenFile {
    const file = demand(this.harness.openSparseFile).call(this.harness, bytes, at);
    this.#cleanups.push(() => file.close());
    return file;
  }

  exhaustDescriptors(): Exhaustion {
    const exhaustion = demand(this.harness.exhaustDescriptors).call(this.harness);
    let over = false;
    const restore = (): void => {
      if (!over) exhaustion.restore();
      over = true;
    };
    this.#cleanups.push(restore);
    return { restore };
  }

  ipv6Address(): IpAddress {
    return demand(this.harness.ipv6Address).call(this.harness);
  }

  localAddress(): IpAddress {
    return demand(this.harness.localAddress).call(this.harness);
  }

  foreignAddress(): IpAddress {
    return demand(this.harness.foreignAddress).call(this.harness);
  }

  socketPair(): readonly [number, number] {
    return demand(this.harness.socketPair).call(this.harness);
  }

  childModule(): string {
    return demand(this.harness.childModule);
  }

  /** An address that refuses connections: a listener was there and is closed. */
  async refusedAddress(): Promise<Address> {
    const { handle, address } = await this.listen();
    this.right.port.close(handle);
    await this.right.next(handle, Operation.close);
    return address;
  }

  /**
   * For what goes on beside the main line of a case and is awaited at its end: a failure waits until then, instead of
   * surfacing as a rejection that nobody has handled yet.
   */
  meanwhile<Value>(promise: Promise<Value>): Promise<Value> {
    promise.catch(() => undefined);
    return promise;
  }

  /** Runs after the case, whatever happens in it. */
  defer(cleanup: () => void): void {
    this.#cleanups.push(cleanup);
  }

  /** Violations of the rules that hold always, over all ports of the case. */
  violations(): readonly string[] {
    return this.#drivers.flatMap((driver) => driver.ledger.violations);
  }

  /** Ends the case: clean-ups first (they may free what disposal needs), then every port. */
  async finish(): Promise<void> {
    for (const driver of this.#drivers) driver.abandon();
    const failures: unknown[] = [];
    for (const cleanup of this.#cleanups.reverse()) {
      try {
        cleanup();
      } catch (error) {
        failures.push(error);
      }
    }
    for (const driver of this.#drivers) {
      try {
        await driver.finish();
      } catch (error) {
        failures.push(error);
      }
    }
    if (failures.length > 0) throw failures[0];
  }
}

/** One turn of the event loop: everything that is ready is polled before it resolves. */
export function turn(): Promise<void> {
  return new Promise((resolve) => setImmediate(resolve));
}

/** Pairs the streams up: each left one says its number. */
async function introduce(lefts: readonly Stream[], rights: readonly Stream[]): Promise<Pair[]> {
  const pairs = new Map<number, Pair>();
  const said = lefts.map((left, index) => left.sendAll(pattern(4, index).fill(index, 0, 1)));
  const heard = rights.map(async (right) => {
    const index = (await right.takeExactly(4))[0] as number;
    pairs.set(index, { left: lefts[index] as Stream, right });
  });
  await Promise.all([...said, ...heard]);
  assert.equal(pairs.size, lefts.length, 'bytes of one stream came out of another');
  return [...pairs.values()];
}

function demand<Value>(hook: Value | undefined): Value {
  assert.ok(hook !== undefined, 'a case uses a hook that it does not require');
  return hook;
}

/** The result that a refused connection has. */
export const refused: number = -Errno.ECONNREFUSED;
