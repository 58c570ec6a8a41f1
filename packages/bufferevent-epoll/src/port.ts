import { getSystemErrorName } from 'node:util';
import {
  type Address,
  type AddressPair,
  argumentTypeError,
  type Backend,
  BackendError,
  type CancellableOperation,
  type CompletionSink,
  type ConnectOptions,
  checkAddress,
  checkCancellable,
  checkInteger,
  checkIpAddress,
  checkListenOptions,
  checkSegments,
  checkStreamOption,
  type Handle,
  HandleTable,
  type Lease,
  type ListenOptions,
  Operation,
  type Port,
  type PortOptions,
  type PortStats,
  type Segment,
  type StreamOptions,
  surface,
  systemError,
} from 'bufferevent-backend';
import {
  CONTROL_WORDS,
  COUNTERS,
  CompletionWord,
  ControlWord,
  CounterIndex,
  StreamOption,
  Verb,
} from 'bufferevent-backend/ring';
import type { Binding, NativePort } from './binding.js';
import { Completions, pausesAccepting, tabled } from './completions.js';
import { EpollHandle } from './handle.js';
import { PortMemory } from './memory.js';
import { Submissions } from './submissions.js';

/** Options of a port of `epollBackend`. */
export interface EpollPortOptions extends PortOptions {}

/** System calls made since the port was made, by kind. */
export interface SystemCalls {
  /** `epoll_wait`. */
  readonly waits: number;
  /** `epoll_ctl`. */
  readonly controls: number;
  /** `recv`. */
  readonly reads: number;
  /** `send`, `sendmsg` and `sendfile`. */
  readonly writes: number;
  /** `accept4`. */
  readonly accepts: number;
}

export interface EpollPortStats extends PortStats {
  readonly systemCalls: SystemCalls;
  /** Times that the native half called JavaScript. */
  readonly calls: number;
  /** Times that JavaScript called the native half of a port that was open. */
  readonly nativeCalls: number;
}

/** The largest count that fits into a word of a ring; more is asked for by the next operation. */
const MAX_COUNT = 2 ** 30;
/** Pieces of one send; more complete short (C9). */
const MAX_PIECES = 64;
const WORD = 2 ** 32;

/** A port over epoll: checks what is asked for, keeps count of what is in flight, and leaves the work to the native half. */
export class EpollPort implements Port {
  readonly backend: Backend<EpollPortOptions>;
  readonly #binding: Binding;
  readonly #native: NativePort;
  readonly #sink: CompletionSink;
  readonly #onTrace: EpollPortOptions['onTrace'];
  readonly #control = new Int32Array(CONTROL_WORDS);
  readonly #counters = new Float64Array(COUNTERS);
  readonly #completions: Completions;
  readonly #submissions: Submissions;
  readonly #memory: PortMemory;
  readonly #handles = new HandleTable<EpollHandle>();
  /** By slot, until their last completion. */
  readonly #bySlot: (EpollHandle | undefined)[] = [];
  #listeners = 0;
  #pending = 0;
  #pendingReferenced = 0;
  #referenced = true;
  #flushQueued = false;
  #batches = 0;
  #delivered = 0;
  /** Slots that the native half has not given back. */
  #slots = 0;
  #disposal: Promise<void> | null = null;
  #onSettled: (() => void) | null = null;

  constructor(
    backend: Backend<EpollPortOptions>,
    binding: Binding,
    sink: CompletionSink,
    options: EpollPortOptions = {},
  ) {
    if (typeof sink !== 'function') throw argumentTypeError('sink', 'a function', sink);
    this.backend = backend;
    this.#binding = binding;
    this.#sink = sink;
    this.#onTrace = options.onTrace;
    this.#control[ControlWord.openSmallSlab] = -1;
    this.#control[ControlWord.openLargeSlab] = -1;
    this.#completions = new Completions(() => this.#memory);
    this.#submissions = new Submissions(this.#control, () => binding.flush(this.#native));
    const { words: completions } = this.#completions;
    const { words: submissions } = this.#submissions;
    const onWakeup = this.#onWakeup.bind(this);
    const native = binding.open(this.#control, completions, submissions, this.#counters, onWakeup, this);
    if (typeof native === 'number') throw systemError(native, 'epoll_create1');
    this.#native = native;
    this.#memory = new PortMemory(binding, native, this.#control);
  }

  listen(address: Address, options: ListenOptions = {}): Handle {
    this.#checkOpen();
    checkAddress('address', address);
    checkListenOptions(address, options);
    const { backlog = 511, ipv6Only = false, reusePort = false, deferAccept = false, mode = -1 } = options;
    const [where, number] = nativeAddress(address);
    const native = this.#native;
    const slot = this.#binding.listen(native, where, number, backlog, ipv6Only, reusePort, deferAccept, mode);
    this.#listeners++;
    return this.#open(slot, true, Operation.listen);
  }

  accept(listener: Handle, credits: number): void {
    const entry = this.#entry(listener);
    if (!entry.isListener) throw argumentTypeError('listener', 'the handle of a listener', listener);
    checkInteger('credits', credits, 1, Number.MAX_SAFE_INTEGER);
    this.#begin(entry, Operation.accept);
    entry.credits = credits;
    const at = this.#submissions.take(4);
    const { words } = this.#submissions;
    words[at] = Verb.accept;
    words[at + 1] = entry.slot;
    words[at + 2] = credits % WORD;
    words[at + 3] = credits / WORD;
  }

  connect(address: Address, options: ConnectOptions = {}): Handle {
    this.#checkOpen();
    checkAddress('address', address);
    const { localAddress } = options;
    if (localAddress !== undefined) checkIpAddress('options.localAddress', localAddress);
    const [where, number] = nativeAddress(address);
    const slot =
      localAddress === undefined
        ? this.#binding.connect(this.#native, where, number)
        : this.#binding.connect(this.#native, where, number, localAddress.ip, localAddress.port);
    return this.#open(slot, false, Operation.connect);
  }

  adopt(descriptor: number): Handle {
    this.#checkOpen();
    checkInteger('descriptor', descriptor, 0, 2 ** 31 - 1);
    const slot = this.#binding.adopt(this.#native, descriptor);
    if (slot < 0) throw systemError(tabled(slot), 'adopt');
    return this.#open(slot, false, null);
  }

  detach(stream: Handle): void {
    this.#end(this.#stream(stream), Operation.detach);
  }

  recv(stream: Handle, max: number): void {
    const entry = this.#stream(stream);
    checkInteger('max', max, 1, Number.MAX_SAFE_INTEGER);
    this.#begin(entry, Operation.recv);
    this.#submissions.three(Verb.recv, entry.slot, Math.min(max, MAX_COUNT));
  }

  lowerRecvMax(stream: Handle, max: number): void {
    const entry = this.#stream(stream);
    checkInteger('max', max, 1, Number.MAX_SAFE_INTEGER);
    if (!entry.isBusyWith(Operation.recv)) return;
    this.#submissions.three(Verb.lowerRecvMax, entry.slot, Math.min(max, MAX_COUNT));
    this.#queueFlush();
  }

  send(stream: Handle, segments: readonly Segment[], count: number = segments?.length): void {
    const entry = this.#stream(stream);
    checkSegments(segments, count, this.#isSpoilt);
    this.#checkFree(entry, Operation.send);
    if (count === 1) {
      const { memory, start, end } = segments[0] as Segment;
      const id = this.#memory.idOf(memory);
      const at = this.#submissions.take(6);
      this.#writeSend(at, entry.slot, 1);
      this.#writePiece(at + 3, id, memory, start, end);
      entry.borrowed = memory;
    } else entry.borrowed = this.#sendPieces(entry.slot, segments, count);
    this.#start(entry, Operation.send);
  }

  sendFile(stream: Handle, descriptor: number, offset: number, length: number): void {
    const entry = this.#stream(stream);
    checkInteger('descriptor', descriptor, 0, 2 ** 31 - 1);
    checkInteger('offset', offset, 0, Number.MAX_SAFE_INTEGER);
    checkInteger('length', length, 1, Number.MAX_SAFE_INTEGER);
    this.#begin(entry, Operation.sendFile);
    const at = this.#submissions.take(6);
    const { words } = this.#submissions;
    words[at] = Verb.sendFile;
    words[at + 1] = entry.slot;
    words[at + 2] = descriptor;
    words[at + 3] = offset % WORD;
    words[at + 4] = offset / WORD;
    words[at + 5] = Math.min(length, MAX_COUNT);
  }

  shutdown(stream: Handle): void {
    const entry = this.#stream(stream);
    this.#begin(entry, Operation.shutdown);
    this.#submissions.two(Verb.shutdown, entry.slot);
  }

  watchPeer(stream: Handle): void {
    const entry = this.#stream(stream);
    this.#begin(entry, Operation.watchPeer);
    this.#submissions.two(Verb.watchPeer, entry.slot);
  }

  cancel(handle: Handle, operation: CancellableOperation): void {
    const entry = this.#entry(handle);
    checkCancellable(operation);
    if ((entry.inFlight & (1 << operation)) === 0) return;
    this.#submissions.three(Verb.cancel, entry.slot, operation);
    this.#queueFlush();
  }

  close(handle: Handle): void {
    this.#end(this.#entry(handle), Operation.close);
  }

  reset(stream: Handle): void {
    this.#end(this.#stream(stream), Operation.reset);
  }

  setOption<Name extends keyof StreamOptions>(stream: Handle, name: Name, value: StreamOptions[Name]): number {
    const entry = this.#stream(stream);
    if (!this.backend.supports.streamOptions.includes(name)) throw unsupported(`option ${String(name)}`);
    checkStreamOption(name, value);
    const number = value === false && name === 'keepAlive' ? -1 : Number(value);
    return tabled(this.#binding.setOption(this.#native, entry.slot, StreamOption[name], number));
  }

  address(handle: Handle): AddressPair {
    const { slot, isListener } = this.#entry(handle);
    const local = contractAddress(this.#binding.address(this.#native, slot, false));
    const peer = isListener ? null : contractAddress(this.#binding.address(this.#native, slot, true));
    return { local, peer };
  }

  descriptor(handle: Handle): number {
    return Math.max(-1, this.#binding.descriptor(this.#native, this.#entry(handle).slot));
  }

  registerMemory(memory: ArrayBuffer): void {
    this.#checkOpen();
    if (!(memory instanceof ArrayBuffer)) throw argumentTypeError('memory', 'an ArrayBuffer', memory);
    this.#memory.register(memory);
  }

  unregisterMemory(memory: ArrayBuffer): void {
    this.#checkOpen();
    if (!(memory instanceof ArrayBuffer)) throw argumentTypeError('memory', 'an ArrayBuffer', memory);
    this.#memory.unregister(memory);
  }

  release(lease: Lease): void {
    this.#memory.release(lease);
  }

  flush(): void {
    this.#checkOpen();
    // What calls JavaScript reads the ring afterwards.
    if (this.#control[ControlWord.inWakeup] === 0 && !this.#submissions.isEmpty) this.#flush();
  }

  ref(handle?: Handle): void {
    this.#setReferenced(handle, true);
  }

  unref(handle?: Handle): void {
    this.#setReferenced(handle, false);
  }

  stats(): EpollPortStats {
    const counters = this.#counters;
    const of = (name: keyof typeof CounterIndex): number => counters[CounterIndex[name]] as number;
    return {
      streams: this.#handles.size - this.#listeners,
      listeners: this.#listeners,
      pending: this.#pending,
      leases: this.#memory.leases,
      registeredBytes: this.#memory.registeredBytes,
      batches: this.#batches,
      completions: this.#delivered,
      systemCalls: {
        waits: of('waits'),
        controls: of('controls'),
        reads: of('reads'),
        writes: of('writes'),
        accepts: of('accepts'),
      },
      calls: of('calls'),
      nativeCalls: of('nativeCalls'),
    };
  }

  [Symbol.asyncDispose](): Promise<void> {
    if (this.#disposal === null) {
      for (const entry of this.#handles.values()) this.#endSilently(entry);
      this.#disposal = new Promise((resolve) => {
        this.#onSettled = resolve;
      });
      // Disposed of in a microtask after a batch, nothing else tells the native half before it looks.
      this.#updateReference();
      if (this.#control[ControlWord.inWakeup] === 0) this.#flush();
      this.#checkSettled();
    }
    return this.#disposal;
  }

  // Slots and handles

  #open(slot: number, isListener: boolean, operation: Operation | null): Handle {
    const entry = new EpollHandle(slot, isListener);
    this.#bySlot[slot] = entry;
    this.#slots++;
    entry.handle = this.#handles.add(entry);
    if (operation !== null) this.#begin(entry, operation);
    return entry.handle;
  }

  #end(entry: EpollHandle, operation: Operation): void {
    this.#remove(entry);
    this.#begin(entry, operation);
    this.#submissions.two(operation, entry.slot);
  }

  #endSilently(entry: EpollHandle): void {
    this.#remove(entry);
    this.#submissions.two(Verb.closeSilently, entry.slot);
  }

  /** The handle is stale from now on; the entry lives until its last completion. */
  #remove(entry: EpollHandle): void {
    this.#handles.remove(entry.handle);
    if (entry.isListener) this.#listeners--;
  }

  #checkOpen(): void {
    if (this.#disposal !== null) throw new BackendError('ERR_BACKEND_CLOSED', 'the port has been disposed of');
  }

  #entry(handle: Handle): EpollHandle {
    return this.#handles.get(handle) ?? this.#stale(handle);
  }

  #stale(handle: Handle): never {
    this.#checkOpen();
    throw new BackendError('ERR_BACKEND_STALE_HANDLE', `handle ${handle} is closed or was never given out`);
  }

  #stream(handle: Handle): EpollHandle {
    const entry = this.#entry(handle);
    if (entry.isListener) throw argumentTypeError('stream', 'the handle of a stream', handle);
    return entry;
  }

  // Submitting

  /** Registered memory that was detached fails its sends later, in order. */
  readonly #isSpoilt = (memory: Uint8Array): boolean => this.#memory.isSpoilt(memory);

  #checkFree(entry: EpollHandle, operation: Operation): void {
    if (!entry.isBusyWith(operation)) return;
    throw new BackendError('ERR_BACKEND_BUSY', `operation ${operation} is in flight on handle ${entry.handle}`);
  }

  /** Marks an operation as in flight, or throws when one of its kind is (C3). */
  #begin(entry: EpollHandle, operation: Operation): void {
    this.#checkFree(entry, operation);
    this.#start(entry, operation);
  }

  #start(entry: EpollHandle, operation: Operation): void {
    entry.inFlight |= 1 << operation;
    this.#pending++;
    if (entry.referenced && this.#pendingReferenced++ === 0) this.#updateReference();
    this.#queueFlush();
  }

  /** Sees to it that the native half reads the ring: after the call that runs, or when the code that runs is done. */
  #queueFlush(): void {
    if (this.#flushQueued || this.#control[ControlWord.inWakeup] === 1) return;
    this.#flushQueued = true;
    queueMicrotask(this.#flushLater);
  }

  readonly #flushLater = (): void => {
    this.#flushQueued = false;
    if (this.#control[ControlWord.inWakeup] === 0 && this.#onSettled === null) this.#flush();
  };

  #flush(): void {
    this.#memory.prepare();
    this.#updateReference();
    this.#binding.flush(this.#native);
  }

  #sendPieces(slot: number, segments: readonly Segment[], count: number): Uint8Array[] {
    const memory = this.#memory;
    const borrowed: Uint8Array[] = [];
    // First, because making an id can fail, or flush.
    const ids: number[] = [];
    let pieces = 0;
    for (let index = 0; index < count && pieces < MAX_PIECES; index++) {
      const segment = segments[index] as Segment;
      if (segment.end === segment.start) continue;
      borrowed.push(segment.memory);
      ids.push(memory.idOf(segment.memory));
      pieces++;
    }
    const at = this.#submissions.take(3 + 3 * pieces);
    let piece = 0;
    for (let index = 0; piece < pieces; index++) {
      const { memory, start, end } = segments[index] as Segment;
      if (end === start) continue;
      this.#writePiece(at + 3 + 3 * piece, ids[piece] as number, memory, start, end);
      piece++;
    }
    this.#writeSend(at, slot, pieces);
    return borrowed;
  }

  #writeSend(at: number, slot: number, pieces: number): void {
    const { words } = this.#submissions;
    words[at] = Verb.send;
    words[at + 1] = slot;
    words[at + 2] = pieces;
  }

  #writePiece(at: number, id: number, memory: Uint8Array, start: number, end: number): void {
    const { words } = this.#submissions;
    words[at] = id;
    words[at + 1] = this.#memory.offsetOf(memory) + start;
    words[at + 2] = Math.min(end - start, MAX_COUNT);
  }

  // Delivering

  /** Called by the native half with completions in the ring; reads what is submitted meanwhile when this has returned. */
  #onWakeup(): void {
    const count = this.#control[ControlWord.completionCount] as number;
    const completions = this.#completions;
    completions.clear();
    for (let record = 0; record < count; record++) this.#account(record);
    this.#deliver();
    this.#memory.prepare();
    this.#updateReference();
    if (this.#onSettled !== null) this.#checkSettled();
  }

  /** The operation is about to be delivered: it no longer counts, and its kind is free again. */
  #account(record: number): void {
    const completions = this.#completions;
    const operation = completions.word(record, CompletionWord.operation);
    const slot = completions.word(record, CompletionWord.slot);
    const entry = this.#bySlot[slot] as EpollHandle;
    const raw = completions.word(record, CompletionWord.result);
    let lease = 0;
    if (operation === Operation.recv) {
      if (raw > 0) lease = this.#memory.lease(completions.word(record, CompletionWord.memory));
    } else if (operation === Operation.send || operation === Operation.sendFile) {
      entry.borrowed = null;
    } else if (operation === Operation.accept) {
      this.#accountAccept(record, entry, raw);
      return;
    } else if (operation >= Operation.close) {
      this.#bySlot[slot] = undefined;
      this.#slots--;
      if (operation === Verb.closeSilently) return;
    }
    this.#finish(entry, operation as Operation);
    if (raw >= 0) completions.add(record, entry.handle, raw, lease);
    else this.#showFailure(record, entry, operation as Operation, raw);
  }

  /** One of the connections that were asked for, or the end of them all, or a pause. */
  #accountAccept(record: number, entry: EpollHandle, raw: number): void {
    const accepted = raw >= 0 ? this.#accepted(raw) : 0;
    if (raw >= 0 ? --entry.credits === 0 : !pausesAccepting(raw)) this.#finish(entry, Operation.accept);
    if (raw >= 0) this.#completions.add(record, entry.handle, accepted, 0);
    else this.#showFailure(record, entry, Operation.accept, raw);
  }

  #finish(entry: EpollHandle, operation: Operation): void {
    entry.inFlight &= ~(1 << operation);
    this.#pending--;
    if (entry.referenced) this.#pendingReferenced--;
  }

  #showFailure(record: number, entry: EpollHandle, operation: Operation, raw: number): void {
    const result = tabled(raw);
    if (this.#onTrace !== undefined) {
      this.#onTrace({ operation, handle: entry.handle, result, raw: getSystemErrorName(raw) });
    }
    this.#completions.add(record, entry.handle, result, 0);
  }

  /** A connection that arrives after disposal has begun is closed with the rest. */
  #accepted(slot: number): Handle {
    const entry = new EpollHandle(slot, false);
    this.#bySlot[slot] = entry;
    this.#slots++;
    entry.handle = this.#handles.add(entry);
    if (this.#disposal !== null) this.#endSilently(entry);
    return entry.handle;
  }

  #deliver(): void {
    const completions = this.#completions;
    while (completions.length > 0) {
      const { length } = completions;
      this.#batches++;
      try {
        this.#sink(completions);
        this.#delivered += length;
        return;
      } catch (error) {
        // Surfaces by itself; what the sink has not looked at is not lost (C19).
        surface(error);
        completions.skipTouched();
        this.#delivered += length - completions.length;
      }
    }
  }

  // The life of the process and of the port

  #setReferenced(handle: Handle | undefined, referenced: boolean): void {
    this.#checkOpen();
    if (handle === undefined) this.#referenced = referenced;
    else {
      const entry = this.#entry(handle);
      if (entry.referenced === referenced) return;
      entry.referenced = referenced;
      this.#pendingReferenced += referenced ? entry.pending : -entry.pending;
    }
    this.#updateReference();
    this.#queueFlush();
  }

  #updateReference(): void {
    const referenced = (this.#referenced && this.#pendingReferenced > 0) || this.#onSettled !== null;
    this.#control[ControlWord.referenced] = referenced ? 1 : 0;
  }

  #checkSettled(): void {
    if (this.#slots > 0 || this.#onSettled === null) return;
    const settled = this.#onSettled;
    this.#onSettled = null;
    this.#memory.dispose();
    this.#binding.stop(this.#native);
    settled();
  }
}

function nativeAddress(address: Address): [where: string, number: number] {
  return 'path' in address ? [address.path, -1] : [address.ip, address.port];
}

function contractAddress(address: readonly [where: string, port: number] | null): Address | null {
  if (address === null) return null;
  const [where, port] = address;
  return port < 0 ? { path: where } : { ip: where, port };
}

function unsupported(what: string): BackendError {
  return new BackendError('ERR_BACKEND_UNSUPPORTED', `${what} is not supported by the epoll backend`);
}
