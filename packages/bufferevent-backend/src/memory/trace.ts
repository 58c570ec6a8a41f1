import { checkInteger } from '../arguments.js';
import {
  type Address,
  type AddressPair,
  type Backend,
  type CancellableOperation,
  type CompletionBatch,
  type CompletionSink,
  type ConnectOptions,
  type Handle,
  type Lease,
  type ListenOptions,
  Operation,
  type Port,
  type PortOptions,
  type Segment,
  type StreamOptions,
} from '../contract.js';
import { errnoName } from '../errno.js';
import { PortDecorator } from './port-decorator.js';

export interface TraceOptions {
  /** Lines kept; older ones are forgotten. Default 1000. */
  readonly capacity?: number;
}

/** A backend whose ports write down what is submitted and what completes. */
export interface TracedBackend<Options extends PortOptions = PortOptions> extends Backend<Options> {
  /**
   * The lines kept, oldest first; a copy. `12 port 1: recv(1048577, 4096)` is a verb, `13 port 1:   recv 1048577 = 5` a
   * completion as the sink saw it, `!` marks what a verb threw and what the mechanism really answered (C13). They hold no
   * times and no bytes: the same run gives the same lines.
   */
  lines(): string[];
  /** The same as one text, with a first line that says how many were forgotten; for the message of a test that timed out. */
  dump(): string;
}

const operationNames: ReadonlyMap<number, string> = new Map(
  Object.entries(Operation).map(([name, operation]) => [operation, name]),
);

/**
 * Wraps a backend so that its ports write down every verb with its arguments and every completion, in a ring that all of
 * them share. Nothing else changes: arguments, completions, memory, timing and exceptions pass through.
 * Throws `RangeError` unless `capacity` is a positive integer.
 */
export function withTrace<Options extends PortOptions>(
  backend: Backend<Options>,
  options: TraceOptions = {},
): TracedBackend<Options> {
  const { capacity = 1000 } = options;
  checkInteger('options.capacity', capacity, 1, 2 ** 24);
  const log = new TraceLog(capacity);
  let ports = 0;
  const traced: TracedBackend<Options> = {
    name: backend.name,
    supports: backend.supports,
    isAvailable: () => backend.isAvailable(),
    unavailabilityReason: () => backend.unavailabilityReason(),
    lines: () => log.lines(),
    dump: () => log.dump(),
    createPort(sink: CompletionSink, portOptions?: Options): Port {
      const name = `port ${++ports}`;
      const batch = new TracedBatch(log, name);
      const onTrace: PortOptions['onTrace'] = (record) => {
        log.add(`${name}: ! ${operationNames.get(record.operation)} ${record.handle} raw ${record.raw}`);
        portOptions?.onTrace?.(record);
      };
      const below = backend.createPort((finished) => batch.pass(finished, sink), {
        ...portOptions,
        onTrace,
      } as Options);
      return new TracedPort(traced, below, log, name);
    },
  };
  return traced;
}

/** The last `capacity` lines, numbered from 1. */
class TraceLog {
  readonly #ring: string[] = [];
  readonly #capacity: number;
  #count = 0;

  constructor(capacity: number) {
    this.#capacity = capacity;
  }

  add(text: string): void {
    this.#ring[this.#count % this.#capacity] = `${this.#count + 1} ${text}`;
    this.#count++;
  }

  lines(): string[] {
    const first = this.#count > this.#capacity ? this.#count % this.#capacity : 0;
    return [...this.#ring.slice(first), ...this.#ring.slice(0, first)];
  }

  dump(): string {
    const forgotten = this.#count - this.#ring.length;
    return [`trace: ${this.#count} lines, the first ${forgotten} forgotten`, ...this.lines()].join('\n');
  }
}

/**
 * Stands before a batch and writes down each completion when the sink first looks at it, and the rest when it has
 * returned. Reading ahead of the sink would tell a port below that a sink which threw had had everything (C19).
 */
class TracedBatch implements CompletionBatch {
  readonly #log: TraceLog;
  readonly #port: string;
  #below: CompletionBatch | null = null;
  #written = 0;

  constructor(log: TraceLog, port: string) {
    this.#log = log;
    this.#port = port;
  }

  pass(below: CompletionBatch, sink: CompletionSink): void {
    this.#below = below;
    this.#written = 0;
    try {
      sink(this);
      this.#write(below, below.length - 1);
    } catch (error) {
      this.#log.add(`${this.#port}: ! the sink threw ${String(error)}`);
      throw error;
    } finally {
      this.#below = null;
    }
  }

  get length(): number {
    return this.#open().length;
  }

  operation(index: number): Operation {
    return this.#at(index).operation(index);
  }

  handle(index: number): Handle {
    return this.#at(index).handle(index);
  }

  result(index: number): number {
    return this.#at(index).result(index);
  }

  memory(index: number): Uint8Array {
    return this.#at(index).memory(index);
  }

  start(index: number): number {
    return this.#at(index).start(index);
  }

  lease(index: number): Lease {
    return this.#at(index).lease(index);
  }

  #open(): CompletionBatch {
    if (this.#below === null) throw new Error('completion batch read after the sink returned');
    return this.#below;
  }

  #at(index: number): CompletionBatch {
    const below = this.#open();
    if (index >= this.#written && index < below.length) this.#write(below, index);
    return below;
  }

  #write(below: CompletionBatch, last: number): void {
    for (; this.#written <= last; this.#written++) {
      const operation = below.operation(this.#written);
      const result = below.result(this.#written);
      const lease = operation === Operation.recv && result > 0 ? ` lease ${below.lease(this.#written)}` : '';
      const text = result < 0 ? `-${errnoName(result)}` : String(result);
      const what = `${operationNames.get(operation)} ${below.handle(this.#written)}`;
      this.#log.add(`${this.#port}:   ${what} = ${text}${lease}`);
    }
  }
}

class TracedPort extends PortDecorator {
  readonly #log: TraceLog;
  readonly #name: string;

  constructor(backend: Backend, below: Port, log: TraceLog, name: string) {
    super(backend, below);
    this.#log = log;
    this.#name = name;
  }

  override listen(address: Address, options?: ListenOptions): Handle {
    return this.#verb('listen', [address, options], () => this.below.listen(address, options));
  }

  override accept(listener: Handle, credits: number): void {
    this.#verb('accept', [listener, credits], () => this.below.accept(listener, credits));
  }

  override connect(address: Address, options?: ConnectOptions): Handle {
    return this.#verb('connect', [address, options], () => this.below.connect(address, options));
  }

  override adopt(descriptor: number): Handle {
    return this.#verb('adopt', [descriptor], () => this.below.adopt(descriptor));
  }

  override detach(stream: Handle): void {
    this.#verb('detach', [stream], () => this.below.detach(stream));
  }

  override recv(stream: Handle, max: number): void {
    this.#verb('recv', [stream, max], () => this.below.recv(stream, max));
  }

  override lowerRecvMax(stream: Handle, max: number): void {
    this.#verb('lowerRecvMax', [stream, max], () => this.below.lowerRecvMax(stream, max));
  }

  override send(stream: Handle, segments: readonly Segment[], count?: number): void {
    this.#verb('send', [stream, lengths(segments, count)], () => this.below.send(stream, segments, count));
  }

  override sendFile(stream: Handle, descriptor: number, offset: number, length: number): void {
    const send = (): void => this.below.sendFile(stream, descriptor, offset, length);
    this.#verb('sendFile', [stream, descriptor, offset, length], send);
  }

  override shutdown(stream: Handle): void {
    this.#verb('shutdown', [stream], () => this.below.shutdown(stream));
  }

  override watchPeer(stream: Handle): void {
    this.#verb('watchPeer', [stream], () => this.below.watchPeer(stream));
  }

  override cancel(handle: Handle, operation: CancellableOperation): void {
    const name = operationNames.get(operation) ?? operation;
    this.#verb('cancel', [handle, name], () => this.below.cancel(handle, operation));
  }

  override close(handle: Handle): void {
    this.#verb('close', [handle], () => this.below.close(handle));
  }

  override reset(stream: Handle): void {
    this.#verb('reset', [stream], () => this.below.reset(stream));
  }

  override setOption<Name extends keyof StreamOptions>(stream: Handle, name: Name, value: StreamOptions[Name]): number {
    return this.#verb('setOption', [stream, name, value], () => this.below.setOption(stream, name, value));
  }

  override address(handle: Handle): AddressPair {
    return this.#verb('address', [handle], () => this.below.address(handle));
  }

  override descriptor(handle: Handle): number {
    return this.#verb('descriptor', [handle], () => this.below.descriptor(handle));
  }

  override registerMemory(memory: ArrayBuffer): void {
    this.#verb('registerMemory', [memory?.byteLength], () => this.below.registerMemory(memory));
  }

  override unregisterMemory(memory: ArrayBuffer): void {
    this.#verb('unregisterMemory', [memory?.byteLength], () => this.below.unregisterMemory(memory));
  }

  override release(lease: Lease): void {
    this.#verb('release', [lease], () => this.below.release(lease));
  }

  override flush(): void {
    this.#verb('flush', [], () => this.below.flush());
  }

  override ref(handle?: Handle): void {
    this.#verb('ref', [handle], () => this.below.ref(handle));
  }

  override unref(handle?: Handle): void {
    this.#verb('unref', [handle], () => this.below.unref(handle));
  }

  override [Symbol.asyncDispose](): Promise<void> {
    return this.#verb('dispose', [], () => this.below[Symbol.asyncDispose]());
  }

  #verb<Result>(name: string, parts: readonly unknown[], body: () => Result): Result {
    const line = `${this.#name}: ${name}(${parts
      .filter((part) => part !== undefined)
      .map(shown)
      .join(', ')})`;
    let result: Result;
    try {
      result = body();
    } catch (error) {
      this.#log.add(`${line} ! ${String((error as { code?: unknown })?.code ?? error)}`);
      throw error;
    }
    const plain = result === undefined || result instanceof Promise;
    this.#log.add(plain ? line : `${line} = ${shown(result)}`);
    return result;
  }
}

function shown(value: unknown): string {
  if (typeof value === 'object' && value !== null) return JSON.stringify(value);
  return typeof value === 'symbol' ? value.toString() : `${value}`;
}

/** `[3, 5]` for two segments of three and five bytes. */
function lengths(segments: readonly Segment[], count?: number): unknown {
  return Array.isArray(segments) ? segments.slice(0, count).map((part) => part?.end - part?.start) : segments;
}
