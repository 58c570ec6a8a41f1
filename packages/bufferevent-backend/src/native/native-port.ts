import {
  checkAddress,
  checkCancellable,
  checkInteger,
  checkIpAddress,
  checkListenOptions,
  checkSegments,
  checkStreamOption,
  excludedListenOption,
} from '../arguments.js';
import {
  type Address,
  type AddressPair,
  type Backend,
  type CancellableOperation,
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
import { argumentTypeError, BackendError } from '../errors.js';
import { HandleTable } from '../handles.js';
import { CONTROL_WORDS, CompletionWord, ControlWord, StreamOption, Verb } from '../ring.js';
import { trace } from '../surface.js';
import { systemError } from '../system-error.js';
import type { NativeBinding, NativeHalf } from './binding.js';
import { Completions, endsAccepting, tabled } from './completions.js';
import { InFlight } from './in-flight.js';
import { countsOf, type NativeMechanism, type NativePortStats } from './mechanism.js';
import { fromNativeAddress, toNativeAddress } from './native-address.js';
import { NativeHandle } from './native-handle.js';
import { PortMemory } from './port-memory.js';
import { Submissions } from './submissions.js';

/**
 * A port over a native mechanism: checks what is asked for, keeps count of what is in flight, and leaves the work to the
 * native half.
 */
export class NativePort implements Port {
  readonly backend: Backend;
  readonly #binding: NativeBinding;
  readonly #native: NativeHalf;
  readonly #sink: CompletionSink;
  readonly #onTrace: PortOptions['onTrace'];
  readonly #control = new Int32Array(CONTROL_WORDS);
  readonly #mechanism: NativeMechanism;
  readonly #inFlight = new InFlight(this.#control);
  readonly #completions: Completions;
  readonly #submissions: Submissions;
  readonly #memory: PortMemory;
  readonly #handles = new HandleTable<NativeHandle>();
  /** By slot, until their last completion. */
  readonly #bySlot: (NativeHandle | undefined)[] = [];
  #listeners = 0;
  #flushQueued = false;
  /** Slots that the native half has not given back. */
  #slots = 0;
  #disposal: Promise<void> | null = null;
  #onSettled: (() => void) | null = null;

  constructor(backend: Backend, mechanism: NativeMechanism, sink: CompletionSink, options: PortOptions) {
    if (typeof sink !== 'function') throw argumentTypeError('sink', 'a function', sink);
    const { binding, counters, openCall } = mechanism;
    this.backend = backend;
    this.#binding = binding;
    this.#mechanism = mechanism;
    this.#sink = sink;
    this.#onTrace = options.onTrace;
    this.#control[ControlWord.openSmallSlab] = -1;
    this.#control[ControlWord.openLargeSlab] = -1;
    this.#completions = new Completions(() => this.#memory);
    this.#submissions = new Submissions(this.#control, () => binding.flush(this.#native));
    const { words: completions } = this.#completions;
    const { words: submissions } = this.#submissions;
    const native = binding.open(this.#control, completions, submissions, counters, this.#onWakeup.bind(this), this);
    if (typeof native === 'number') throw systemError(tabled(native), openCall);
    this.#native = native;
    this.#memory = new PortMemory(binding, native, this.#control);
  }

  listen(address: Address, options: ListenOptions = {}): Handle {
    this.#checkOpen();
    checkAddress('address', address);
    checkListenOptions(address, options);
    this.#checkPath(address);
    const excluded = excludedListenOption(options, this.backend.supports);
    if (excluded !== null) throw this.#unsupported(`options.${excluded}`);
    const { backlog = 511, ipv6Only = false, reusePort = false, deferAccept = false, mode = -1 } = options;
    const [where, number] = toNativeAddress(address);
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
    this.#submissions.accept(entry.slot, credits);
  }

  connect(address: Address, options: ConnectOptions = {}): Handle {
    this.#checkOpen();
    checkAddress('address', address);
    const { localAddress } = options;
    if (localAddress !== undefined) checkIpAddress('options.localAddress', localAddress);
    this.#checkPath(address);
    const [where, number] = toNativeAddress(address);
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
    this.#submissions.receive(Verb.recv, entry.slot, max);
  }

  lowerRecvMax(stream: Handle, max: number): void {
    const entry = this.#stream(stream);
    checkInteger('max', max, 1, Number.MAX_SAFE_INTEGER);
    if (!entry.isBusyWith(Operation.recv)) return;
    this.#submissions.receive(Verb.lowerRecvMax, entry.slot, max);
    this.#queueFlush();
  }

  send(stream: Handle, segments: readonly Segment[], count: number = segments?.length): void {
    const entry = this.#stream(stream);
    checkSegments(segments, count, this.#isSpoilt);
    this.#inFlight.checkFree(entry, Operation.send);
    const { slot } = entry;
    entry.borrowed =
      count === 1
        ? this.#submissions.send(slot, this.#memory, segments[0] as Segment)
        : this.#submissions.sendPieces(slot, this.#memory, segments, count);
    this.#start(entry, Operation.send);
  }

  sendFile(stream: Handle, descriptor: number, offset: number, length: number): void {
    const entry = this.#stream(stream);
    if (!this.backend.supports.sendFile) throw this.#unsupported('sendFile');
    checkInteger('descriptor', descriptor, 0, 2 ** 31 - 1);
    checkInteger('offset', offset, 0, Number.MAX_SAFE_INTEGER);
    checkInteger('length', length, 1, Number.MAX_SAFE_INTEGER);
    this.#begin(entry, Operation.sendFile);
    this.#submissions.sendFile(entry.slot, descriptor, offset, length);
  }

  shutdown(stream: Handle): void {
    const entry = this.#stream(stream);
    this.#begin(entry, Operation.shutdown);
    this.#submissions.two(Verb.shutdown, entry.slot);
  }

  watchPeer(stream: Handle): void {
    const entry = this.#stream(stream);
    if (!this.backend.supports.peerClose) throw this.#unsupported('watchPeer');
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
    if (!this.backend.supports.streamOptions.includes(name)) throw this.#unsupported(`option ${String(name)}`);
    checkStreamOption(name, value);
    const number = value === false && name === 'keepAlive' ? -1 : Number(value);
    return tabled(this.#binding.setOption(this.#native, entry.slot, StreamOption[name], number));
  }

  address(handle: Handle): AddressPair {
    const { slot, isListener } = this.#entry(handle);
    const local = fromNativeAddress(this.#binding.address(this.#native, slot, false));
    const peer = isListener ? null : fromNativeAddress(this.#binding.address(this.#native, slot, true));
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

  stats(): NativePortStats {
    return {
      streams: this.#handles.size - this.#listeners,
      listeners: this.#listeners,
      pending: this.#inFlight.pending,
      leases: this.#memory.leases,
      registeredBytes: this.#memory.registeredBytes,
      batches: this.#completions.batches,
      completions: this.#completions.delivered,
      ...countsOf(this.#mechanism.counters),
    };
  }

  [Symbol.asyncDispose](): Promise<void> {
    if (this.#disposal === null) {
      for (const entry of this.#handles.values()) this.#endSilently(entry);
      this.#disposal = new Promise((resolve) => {
        this.#onSettled = resolve;
      });
      // Disposed of in a microtask after a batch, nothing else tells the native half before it looks.
      this.#inFlight.beginDisposal();
      if (this.#control[ControlWord.inWakeup] === 0) this.#flush();
      this.#checkSettled();
    }
    return this.#disposal;
  }

  // Slots and handles

  #open(slot: number, isListener: boolean, operation: Operation | null): Handle {
    const entry = this.#enter(slot, isListener);
    if (operation !== null) this.#begin(entry, operation);
    return entry.handle;
  }

  #enter(slot: number, isListener: boolean): NativeHandle {
    const entry = new NativeHandle(slot, isListener);
    this.#bySlot[slot] = entry;
    this.#slots++;
    entry.handle = this.#handles.add(entry);
    return entry;
  }

  #end(entry: NativeHandle, operation: Operation): void {
    this.#remove(entry);
    this.#begin(entry, operation);
    this.#submissions.two(operation, entry.slot);
  }

  #endSilently(entry: NativeHandle): void {
    this.#remove(entry);
    this.#submissions.two(Verb.closeSilently, entry.slot);
  }

  /** The handle is stale from now on; the entry lives until its last completion. */
  #remove(entry: NativeHandle): void {
    this.#handles.remove(entry.handle);
    if (entry.isListener) this.#listeners--;
  }

  #checkOpen(): void {
    if (this.#disposal !== null) throw new BackendError('ERR_BACKEND_CLOSED', 'the port has been disposed of');
  }

  #unsupported(what: string): BackendError {
    return new BackendError('ERR_BACKEND_UNSUPPORTED', `${what} is not supported by the ${this.backend.name} backend`);
  }

  #checkPath(address: Address): void {
    if ('path' in address && !this.backend.supports.paths) throw this.#unsupported('a path');
  }

  #entry(handle: Handle): NativeHandle {
    return this.#handles.get(handle) ?? this.#stale(handle);
  }

  #stale(handle: Handle): never {
    this.#checkOpen();
    throw new BackendError('ERR_BACKEND_STALE_HANDLE', `handle ${handle} is closed or was never given out`);
  }

  #stream(handle: Handle): NativeHandle {
    const entry = this.#entry(handle);
    if (entry.isListener) throw argumentTypeError('stream', 'the handle of a stream', handle);
    return entry;
  }

  // Submitting

  /** Registered memory that was detached fails its sends later, in order. */
  readonly #isSpoilt = (memory: Uint8Array): boolean => this.#memory.isSpoilt(memory);

  /** Marks an operation as in flight, or throws when one of its kind is (C3). */
  #begin(entry: NativeHandle, operation: Operation): void {
    this.#inFlight.checkFree(entry, operation);
    this.#start(entry, operation);
  }

  #start(entry: NativeHandle, operation: Operation): void {
    this.#inFlight.start(entry, operation);
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
    this.#inFlight.tellReference();
    this.#binding.flush(this.#native);
  }

  // Delivering

  /** Called by the native half with completions in the ring; reads what is submitted meanwhile when this has returned. */
  #onWakeup(): void {
    const count = this.#control[ControlWord.completionCount] as number;
    const completions = this.#completions;
    completions.clear();
    for (let record = 0; record < count; record++) this.#account(record);
    completions.deliver(this.#sink);
    this.#memory.prepare();
    this.#inFlight.tellReference();
    if (this.#onSettled !== null) this.#checkSettled();
  }

  /** The operation is about to be delivered: it no longer counts, and its kind is free again. */
  #account(record: number): void {
    const completions = this.#completions;
    const operation = completions.word(record, CompletionWord.operation);
    const slot = completions.word(record, CompletionWord.slot);
    const entry = this.#bySlot[slot] as NativeHandle;
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
    this.#inFlight.finish(entry, operation as Operation);
    if (raw >= 0) completions.add(record, entry.handle, raw, lease);
    else this.#showFailure(record, entry, operation as Operation, raw);
  }

  /** One of the connections that were asked for, or the end of them all, or a pause. */
  #accountAccept(record: number, entry: NativeHandle, raw: number): void {
    const accepted = raw >= 0 ? this.#accepted(raw) : 0;
    if (raw >= 0 ? --entry.credits === 0 : endsAccepting(raw)) this.#inFlight.finish(entry, Operation.accept);
    if (raw >= 0) this.#completions.add(record, entry.handle, accepted, 0);
    else this.#showFailure(record, entry, Operation.accept, raw);
  }

  #showFailure(record: number, entry: NativeHandle, operation: Operation, raw: number): void {
    const result = tabled(raw);
    if (this.#onTrace !== undefined) {
      const code = this.#mechanism.rawCode(raw, this.#completions.word(record, CompletionWord.start));
      trace(this.#onTrace, { operation, handle: entry.handle, result, raw: code });
    }
    this.#completions.add(record, entry.handle, result, 0);
  }

  /** A connection that arrives after disposal has begun is closed with the rest. */
  #accepted(slot: number): Handle {
    const entry = this.#enter(slot, false);
    if (this.#disposal !== null) this.#endSilently(entry);
    return entry.handle;
  }

  // The life of the process and of the port

  #setReferenced(handle: Handle | undefined, referenced: boolean): void {
    this.#checkOpen();
    this.#inFlight.setReferenced(handle === undefined ? null : this.#entry(handle), referenced);
    this.#queueFlush();
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
