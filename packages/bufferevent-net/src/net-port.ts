import type { Socket } from 'node:net';
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
  excludedListenOption,
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
} from 'bufferevent-backend';
import { Completions } from './completions.js';
import { NetListener } from './net-listener.js';
import { NetStream } from './net-stream.js';

/** Options of a port of {@link netBackend}. */
export interface NetPortOptions extends PortOptions {}

/** A port over `node:net`: arguments are checked here, streams and listeners do the work. */
export class NetPort implements Port {
  readonly backend: Backend<NetPortOptions>;
  readonly #completions: Completions;
  readonly #handles = new HandleTable<NetStream | NetListener>();
  readonly #adopt: (socket: Socket, path: string | null) => Handle;
  #listeners = 0;
  #disposal: Promise<void> | null = null;

  constructor(backend: Backend<NetPortOptions>, sink: CompletionSink, options: NetPortOptions = {}) {
    if (typeof sink !== 'function') throw argumentTypeError('sink', 'a function', sink);
    this.backend = backend;
    this.#completions = new Completions(sink, options.onTrace);
    this.#adopt = (socket, path) => this.#add(NetStream.accepted(this.#completions, socket, path));
  }

  listen(address: Address, options: ListenOptions = {}): Handle {
    this.#checkOpen();
    checkAddress('address', address);
    const excluded = excludedListenOption(options, this.backend.supports);
    if (excluded !== null) throw unsupported(`options.${excluded}`);
    checkListenOptions(address, options);
    const listener = new NetListener(this.#completions, this.#adopt, address);
    const handle = this.#add(listener);
    this.#listeners++;
    listener.listen(address, options);
    return handle;
  }

  accept(listener: Handle, credits: number): void {
    const entry = this.#listener(listener);
    checkInteger('credits', credits, 1, Number.MAX_SAFE_INTEGER);
    entry.accept(credits);
  }

  connect(address: Address, options: ConnectOptions = {}): Handle {
    this.#checkOpen();
    checkAddress('address', address);
    if (options.localAddress !== undefined) checkIpAddress('options.localAddress', options.localAddress);
    const stream = NetStream.create(this.#completions);
    const handle = this.#add(stream);
    stream.connect(address, options);
    return handle;
  }

  adopt(): Handle {
    this.#checkOpen();
    throw unsupported('adopt');
  }

  detach(stream: Handle): void {
    this.#stream(stream);
    throw unsupported('detach');
  }

  recv(stream: Handle, max: number): void {
    const entry = this.#stream(stream);
    checkInteger('max', max, 1, Number.MAX_SAFE_INTEGER);
    entry.recv(max);
  }

  lowerRecvMax(stream: Handle, max: number): void {
    const entry = this.#stream(stream);
    checkInteger('max', max, 1, Number.MAX_SAFE_INTEGER);
    entry.lowerRecvMax(max);
  }

  send(stream: Handle, segments: readonly Segment[], count: number = segments?.length): void {
    const entry = this.#stream(stream);
    checkSegments(segments, count);
    entry.send(segments, count);
  }

  sendFile(stream: Handle): void {
    this.#stream(stream);
    throw unsupported('sendFile');
  }

  shutdown(stream: Handle): void {
    this.#stream(stream).shutdown();
  }

  watchPeer(stream: Handle): void {
    this.#stream(stream);
    throw unsupported('watchPeer');
  }

  cancel(handle: Handle, operation: CancellableOperation): void {
    const entry = this.#entry(handle);
    checkCancellable(operation);
    if (operation === Operation.send || operation === Operation.sendFile) throw unsupported('cancel of a send');
    entry.cancel(operation);
  }

  close(handle: Handle): void {
    const entry = this.#entry(handle);
    this.#remove(entry);
    entry.close(Operation.close);
  }

  reset(stream: Handle): void {
    const entry = this.#stream(stream);
    this.#remove(entry);
    entry.close(Operation.reset);
  }

  setOption<Name extends keyof StreamOptions>(stream: Handle, name: Name, value: StreamOptions[Name]): number {
    const entry = this.#stream(stream);
    if (!this.backend.supports.streamOptions.includes(name)) throw unsupported(`option ${String(name)}`);
    checkStreamOption(name, value);
    return name === 'noDelay'
      ? entry.setNoDelay(value as boolean)
      : entry.setKeepAlive(value as StreamOptions['keepAlive']);
  }

  address(handle: Handle): AddressPair {
    return this.#entry(handle).address();
  }

  descriptor(handle: Handle): number {
    this.#entry(handle);
    throw unsupported('descriptor');
  }

  registerMemory(): void {
    this.#checkOpen();
    throw unsupported('registerMemory');
  }

  unregisterMemory(): void {
    this.#checkOpen();
    throw unsupported('unregisterMemory');
  }

  release(lease: Lease): void {
    this.#completions.release(lease);
  }

  /** Does nothing: every submission is handed to `node:net` as it is made. */
  flush(): void {
    this.#checkOpen();
  }

  ref(handle?: Handle): void {
    this.#setReferenced(handle, true);
  }

  unref(handle?: Handle): void {
    this.#setReferenced(handle, false);
  }

  stats(): PortStats {
    const { pending, leases, batches, delivered } = this.#completions;
    return {
      streams: this.#handles.size - this.#listeners,
      listeners: this.#listeners,
      pending,
      leases,
      registeredBytes: 0,
      batches,
      completions: delivered,
    };
  }

  [Symbol.asyncDispose](): Promise<void> {
    if (this.#disposal === null) {
      for (const entry of this.#handles.values()) {
        this.#remove(entry);
        entry.close('disposal');
      }
      this.#disposal = new Promise((resolve) => this.#completions.settle(resolve));
    }
    return this.#disposal;
  }

  #add(entry: NetStream | NetListener): Handle {
    entry.handle = this.#handles.add(entry);
    return entry.handle;
  }

  /** The handle is stale from now on; the entry lives until its last completion. */
  #remove(entry: NetStream | NetListener): void {
    this.#handles.remove(entry.handle);
    if (entry instanceof NetListener) this.#listeners--;
  }

  #checkOpen(): void {
    if (this.#disposal !== null) throw new BackendError('ERR_BACKEND_CLOSED', 'the port has been disposed of');
  }

  #entry(handle: Handle): NetStream | NetListener {
    const entry = this.#handles.get(handle);
    if (entry !== undefined) return entry;
    this.#checkOpen();
    throw new BackendError('ERR_BACKEND_STALE_HANDLE', `handle ${handle} is closed or was never given out`);
  }

  #stream(handle: Handle): NetStream {
    const entry = this.#entry(handle);
    if (entry instanceof NetStream) return entry;
    throw argumentTypeError('stream', 'the handle of a stream', handle);
  }

  #listener(handle: Handle): NetListener {
    const entry = this.#entry(handle);
    if (entry instanceof NetListener) return entry;
    throw argumentTypeError('listener', 'the handle of a listener', handle);
  }

  #setReferenced(handle: Handle | undefined, referenced: boolean): void {
    this.#checkOpen();
    if (handle === undefined) this.#completions.setReferenced(referenced);
    else this.#completions.setHandleReferenced(this.#entry(handle), referenced);
  }
}

function unsupported(what: string): BackendError {
  return new BackendError('ERR_BACKEND_UNSUPPORTED', `${what} is not supported by the net backend`);
}
