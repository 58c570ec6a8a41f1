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
import type {
  Address,
  AddressPair,
  Backend,
  CancellableOperation,
  CompletionSink,
  ConnectOptions,
  Handle,
  Lease,
  ListenOptions,
  Port,
  PortOptions,
  PortStats,
  Segment,
  StreamOptions,
} from '../contract.js';
import { Operation } from '../contract.js';
import { CountedHold } from '../counted-hold.js';
import { Errno, errnoName } from '../errno.js';
import { BackendError } from '../errors.js';
import { trace } from '../surface.js';
import { systemError } from '../system-error.js';
import { type Completion, carry } from './completion-queue.js';
import { ConnectionEnd } from './connection-end.js';
import type { Endpoint } from './endpoint.js';
import { EndpointTable } from './endpoint-table.js';
import { Handover } from './handover.js';
import { type ListenerPort, MemoryListener } from './memory-listener.js';
import { MemoryStream, type StreamPort } from './memory-stream.js';
import { RegisteredMemory } from './registered-memory.js';
import { type Block, SlabPool } from './slab-pool.js';
import type { Deliverer, World } from './world.js';

/** How the streams of a port behave where the contract leaves a choice. */
export interface PortManner {
  readonly sendsWhole: boolean;
  readonly strictMemory: boolean;
}

/** A port of the memory backend: checks arguments, keeps leases, gathers completions. */
export class MemoryPort implements Port, StreamPort, ListenerPort, Deliverer {
  readonly backend: Backend;
  readonly world: World;
  readonly sendsWhole: boolean;
  readonly #strictMemory: boolean;
  readonly #handover: Handover;
  readonly #onTrace: PortOptions['onTrace'];
  readonly #endpoints = new EndpointTable();
  readonly #slabs = new SlabPool();
  readonly #memory = new RegisteredMemory();
  /** Pending operations of referenced handles, and completions owed again after a sink threw. */
  readonly #hold: CountedHold;
  #pending = 0;
  /** Completions that are handed over again after a sink threw. */
  #owed = 0;
  #disposal: Promise<void> | null = null;
  #onDisposed: (() => void) | null = null;

  constructor(backend: Backend, world: World, manner: PortManner, sink: CompletionSink, options: PortOptions) {
    this.backend = backend;
    this.world = world;
    this.sendsWhole = manner.sendsWhole;
    this.#strictMemory = manner.strictMemory;
    this.#handover = new Handover(sink, (completion) => this.#settle(completion));
    this.#hold = new CountedHold((on) => world.hold(on));
    this.#onTrace = options.onTrace;
  }

  listen(address: Address, options: ListenOptions = {}): Handle {
    this.#demandOpen();
    this.#checkAddress(address);
    const excluded = excludedListenOption(options, this.backend.supports);
    this.#demand(excluded === null, `the option ${excluded}`);
    checkListenOptions(address, options);
    const listener = new MemoryListener(this, { ...address }, { ...options });
    this.#endpoints.add(listener);
    listener.begin(Operation.listen);
    return listener.handle;
  }

  accept(handle: Handle, credits: number): void {
    this.#demandOpen();
    const listener = this.#endpoints.listener(handle);
    checkInteger('credits', credits, 1, Number.MAX_SAFE_INTEGER);
    listener.demandFree(Operation.accept, 'accept');
    listener.accept(credits);
  }

  connect(address: Address, options: ConnectOptions = {}): Handle {
    this.#demandOpen();
    this.#checkAddress(address);
    if (options.localAddress !== undefined) checkIpAddress('options.localAddress', options.localAddress);
    const stream = new MemoryStream(this, this.world.newEnd());
    this.#welcome(stream);
    stream.connect(
      { ...address },
      options.localAddress === undefined ? {} : { localAddress: { ...options.localAddress } },
    );
    return stream.handle;
  }

  /** Throws a system error: `EBADF`, `ENOTSOCK` for what is no stream, `EEXIST` when a port has it already. */
  adopt(descriptor: number): Handle {
    this.#demandOpen();
    this.#demand(this.backend.supports.descriptors, 'descriptors');
    checkInteger('descriptor', descriptor, 0, 2 ** 31 - 1);
    const end = this.world.descriptors.get(descriptor);
    if (end === null) throw systemError(-Errno.EBADF, 'adopt');
    if (!(end instanceof ConnectionEnd)) throw systemError(-Errno.ENOTSOCK, 'adopt');
    if (end.owner !== null) throw systemError(-Errno.EEXIST, 'adopt');
    return this.welcome(end);
  }

  detach(handle: Handle): void {
    const stream = this.#stream(handle);
    this.#demand(this.backend.supports.descriptors, 'descriptors');
    const { end } = stream;
    this.#begin(stream, Operation.detach);
    stream.moveLast();
    stream.cancelAll();
    if (end.connected) {
      end.owner = null;
      stream.finish(Operation.detach, end.descriptor);
    } else {
      stream.dismantle();
      stream.finish(Operation.detach, -Errno.ENOTCONN);
    }
  }

  recv(handle: Handle, max: number): void {
    const stream = this.#stream(handle);
    checkInteger('max', max, 1, Number.MAX_SAFE_INTEGER);
    stream.demandFree(Operation.recv, 'recv');
    stream.recv(max);
  }

  lowerRecvMax(handle: Handle, max: number): void {
    const stream = this.#stream(handle);
    checkInteger('max', max, 1, Number.MAX_SAFE_INTEGER);
    stream.lowerRecvMax(max);
  }

  /** The send of registered memory that was detached since fails with EFAULT: it is no caller's mistake. */
  readonly #isSpoilt = (memory: Uint8Array): boolean => this.#memory.isSpoilt(memory);

  send(handle: Handle, segments: readonly Segment[], count: number = segments?.length): void {
    const stream = this.#stream(handle);
    checkSegments(segments, count, this.#isSpoilt);
    this.#demandSendFree(stream);
    stream.send(this.#strictMemory ? this.#memory.copyForeign(segments, count) : segments, count);
  }

  sendFile(handle: Handle, descriptor: number, offset: number, length: number): void {
    const stream = this.#stream(handle);
    this.#demand(this.backend.supports.sendFile, 'sendFile');
    checkInteger('descriptor', descriptor, 0, 2 ** 31 - 1);
    checkInteger('offset', offset, 0, Number.MAX_SAFE_INTEGER);
    checkInteger('length', length, 1, Number.MAX_SAFE_INTEGER);
    this.#demandSendFree(stream);
    stream.sendFile(descriptor, offset, length);
  }

  shutdown(handle: Handle): void {
    const stream = this.#stream(handle);
    stream.demandFree(Operation.shutdown, 'shutdown');
    stream.shutdown();
  }

  watchPeer(handle: Handle): void {
    const stream = this.#stream(handle);
    this.#demand(this.backend.supports.peerClose, 'peerClose');
    stream.demandFree(Operation.watchPeer, 'watchPeer');
    stream.watchPeer();
  }

  cancel(handle: Handle, operation: CancellableOperation): void {
    const endpoint = this.#endpoint(handle);
    checkCancellable(operation);
    if (operation === Operation.send || operation === Operation.sendFile) {
      this.#demand(this.backend.supports.cancelSend, 'cancelSend');
    }
    if (endpoint instanceof MemoryStream) endpoint.cancel(operation);
    else if (endpoint instanceof MemoryListener && operation === Operation.accept) endpoint.cancel();
  }

  close(handle: Handle): void {
    this.#close(this.#endpoint(handle));
  }

  reset(handle: Handle): void {
    const stream = this.#stream(handle);
    this.#begin(stream, Operation.reset);
    stream.cancelAll();
    this.world.closeEnd(stream.end, true);
    stream.finish(Operation.reset, 0);
  }

  setOption<Name extends keyof StreamOptions>(handle: Handle, name: Name, value: StreamOptions[Name]): number {
    const { end } = this.#stream(handle);
    this.#demand(this.backend.supports.streamOptions.includes(name), `streamOptions: ${String(name)}`);
    checkStreamOption(name, value);
    if (name === 'recvBufferSize') end.limitReceiving((value as number) + this.backend.supports.readAhead);
    if (name === 'sendBufferSize') end.limitSending(value as number);
    return 0;
  }

  address(handle: Handle): AddressPair {
    const endpoint = this.#endpoint(handle);
    if (endpoint instanceof MemoryListener) return { local: endpoint.bound, peer: null };
    const { end } = endpoint as MemoryStream;
    return end.connected ? { local: end.local, peer: end.remote } : { local: null, peer: null };
  }

  descriptor(handle: Handle): number {
    const endpoint = this.#endpoint(handle);
    this.#demand(this.backend.supports.descriptors, 'descriptors');
    return endpoint instanceof MemoryListener ? endpoint.descriptor : (endpoint as MemoryStream).end.descriptor;
  }

  registerMemory(memory: ArrayBuffer): void {
    this.#demandOpen();
    this.#demand(this.backend.supports.registeredMemory, 'registeredMemory');
    this.#memory.add(memory);
  }

  unregisterMemory(memory: ArrayBuffer): void {
    this.#demandOpen();
    this.#demand(this.backend.supports.registeredMemory, 'registeredMemory');
    this.#memory.remove(memory);
  }

  release(lease: Lease): void {
    this.#slabs.release(lease);
  }

  flush(): void {
    // Everything submitted is in the world already; its next step is under way.
    this.#demandOpen();
  }

  ref(handle?: Handle): void {
    this.#setReferenced(handle, true);
  }

  unref(handle?: Handle): void {
    this.#setReferenced(handle, false);
  }

  stats(): PortStats {
    return {
      streams: this.#endpoints.streams,
      listeners: this.#endpoints.listeners,
      pending: this.#pending,
      leases: this.#slabs.leases,
      registeredBytes: this.#memory.bytes,
      batches: this.#handover.batches,
      completions: this.#handover.completions,
    };
  }

  [Symbol.asyncDispose](): Promise<void> {
    if (this.#disposal === null) {
      this.#disposal = new Promise((resolve) => {
        this.#onDisposed = resolve;
      });
      for (const endpoint of this.#endpoints.values()) if (!endpoint.closing) this.#abandon(endpoint);
      this.#settleDisposal();
    }
    return this.#disposal;
  }

  // What endpoints and the world ask for.

  get acceptAhead(): number {
    return this.backend.supports.acceptAhead;
  }

  get reportsAcceptErrors(): boolean {
    return this.backend.supports.acceptErrors;
  }

  get losesReceivedBytes(): boolean {
    return !this.backend.supports.readAfterWriteError;
  }

  welcome(end: ConnectionEnd): Handle {
    const stream = new MemoryStream(this, end);
    this.#welcome(stream);
    return stream.handle;
  }

  takeBlock(bytes: number): Block {
    return this.#slabs.take(bytes);
  }

  isIntact(memory: Uint8Array, end: number): boolean {
    return this.#memory.isIntact(memory, end);
  }

  began(endpoint: Endpoint): void {
    this.#pending++;
    endpoint.pending++;
    if (endpoint.referenced) this.#hold.add(1);
  }

  completed(endpoint: Endpoint, operation: Operation, result: number, final: boolean, block: Block | null): void {
    const { gathering } = this.#handover;
    if (gathering.length === 0) this.world.deliverable(this);
    const record = gathering.push(operation, endpoint.handle, result, final);
    record.endpoint = endpoint;
    if (block !== null) carry(record, block, this.#slabs.lease(block));
  }

  /** Hands over what was gathered, once per step. */
  deliver(): void {
    this.#hold.add(-this.#owed);
    this.#owed = this.#handover.deliver();
    this.#hold.add(this.#owed);
    // Completions gathered by the sink have announced themselves; those owed again come before them.
    if (this.#owed > 0 && this.#handover.gathering.length === this.#owed) this.world.deliverable(this);
    this.#settleDisposal();
  }

  /** A completion is about to be handed over: its operation no longer counts, and a closed handle is forgotten. */
  #settle({ endpoint, operation, handle, result, final }: Completion): void {
    if (endpoint === null) return;
    if (result < 0) this.#trace(operation, handle, result);
    if (!final) return;
    endpoint.delivered(operation);
    endpoint.pending--;
    this.#pending--;
    if (endpoint.referenced) this.#hold.add(-1);
    const last = operation === Operation.close || operation === Operation.reset || operation === Operation.detach;
    if (last || (this.#disposal !== null && endpoint.pending === 0)) this.#endpoints.remove(endpoint);
  }

  #trace(operation: Operation, handle: Handle, result: number): void {
    if (this.#onTrace !== undefined) trace(this.#onTrace, { operation, handle, result, raw: errnoName(result) });
  }

  #settleDisposal(): void {
    if (this.#onDisposed === null || this.#endpoints.size > 0 || this.#handover.gathering.length > 0) return;
    this.#onDisposed();
    this.#onDisposed = null;
  }

  #welcome(stream: MemoryStream): void {
    stream.end.incoming.capacity += this.backend.supports.readAhead;
    this.#endpoints.add(stream);
  }

  #begin(endpoint: Endpoint, operation: Operation): void {
    endpoint.closing = true;
    endpoint.begin(operation);
  }

  #close(endpoint: Endpoint): void {
    this.#begin(endpoint, Operation.close);
    if (endpoint instanceof MemoryStream) endpoint.moveLast();
    endpoint.cancelAll();
    endpoint.dismantle();
    endpoint.finish(Operation.close, 0);
  }

  /** As {@link #close}, but nobody asked for it: only what is in flight completes (C2). */
  #abandon(endpoint: Endpoint): void {
    endpoint.closing = true;
    endpoint.cancelAll();
    endpoint.dismantle();
    if (endpoint.pending === 0) this.#endpoints.remove(endpoint);
  }

  #endpoint(handle: Handle): Endpoint {
    this.#demandOpen();
    return this.#endpoints.endpoint(handle);
  }

  #stream(handle: Handle): MemoryStream {
    this.#demandOpen();
    return this.#endpoints.stream(handle);
  }

  #checkAddress(address: Address): void {
    checkAddress('address', address);
    if ('path' in address) this.#demand(this.backend.supports.paths, 'paths');
  }

  #demandOpen(): void {
    if (this.#disposal !== null) throw new BackendError('ERR_BACKEND_CLOSED', 'the port was disposed of');
  }

  #demand(supported: boolean, what: string): void {
    if (!supported) {
      throw new BackendError('ERR_BACKEND_UNSUPPORTED', `the backend ${this.backend.name} does not support ${what}`);
    }
  }

  #demandSendFree(stream: MemoryStream): void {
    stream.demandFree(Operation.send, 'send');
    stream.demandFree(Operation.sendFile, 'sendFile');
  }

  #setReferenced(handle: Handle | undefined, on: boolean): void {
    this.#demandOpen();
    if (handle === undefined) {
      this.#hold.setReferenced(on);
      return;
    }
    const endpoint = this.#endpoint(handle);
    if (endpoint.referenced === on) return;
    endpoint.referenced = on;
    this.#hold.add(on ? endpoint.pending : -endpoint.pending);
  }
}
