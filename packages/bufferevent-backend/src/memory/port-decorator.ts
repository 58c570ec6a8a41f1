import type {
  Address,
  AddressPair,
  Backend,
  CancellableOperation,
  ConnectOptions,
  Handle,
  Lease,
  ListenOptions,
  Port,
  PortStats,
  Segment,
  StreamOptions,
} from '../contract.js';

/** A port that hands every verb on to the one below. What wraps a port overrides what it is about. */
export class PortDecorator implements Port {
  readonly backend: Backend;
  protected readonly below: Port;

  constructor(backend: Backend, below: Port) {
    this.backend = backend;
    this.below = below;
  }

  listen(address: Address, options?: ListenOptions): Handle {
    return this.below.listen(address, options);
  }

  accept(listener: Handle, credits: number): void {
    this.below.accept(listener, credits);
  }

  connect(address: Address, options?: ConnectOptions): Handle {
    return this.below.connect(address, options);
  }

  adopt(descriptor: number): Handle {
    return this.below.adopt(descriptor);
  }

  detach(stream: Handle): void {
    this.below.detach(stream);
  }

  recv(stream: Handle, max: number): void {
    this.below.recv(stream, max);
  }

  lowerRecvMax(stream: Handle, max: number): void {
    this.below.lowerRecvMax(stream, max);
  }

  send(stream: Handle, segments: readonly Segment[], count?: number): void {
    this.below.send(stream, segments, count);
  }

  sendFile(stream: Handle, descriptor: number, offset: number, length: number): void {
    this.below.sendFile(stream, descriptor, offset, length);
  }

  shutdown(stream: Handle): void {
    this.below.shutdown(stream);
  }

  watchPeer(stream: Handle): void {
    this.below.watchPeer(stream);
  }

  cancel(handle: Handle, operation: CancellableOperation): void {
    this.below.cancel(handle, operation);
  }

  close(handle: Handle): void {
    this.below.close(handle);
  }

  reset(stream: Handle): void {
    this.below.reset(stream);
  }

  setOption<Name extends keyof StreamOptions>(stream: Handle, name: Name, value: StreamOptions[Name]): number {
    return this.below.setOption(stream, name, value);
  }

  address(handle: Handle): AddressPair {
    return this.below.address(handle);
  }

  descriptor(handle: Handle): number {
    return this.below.descriptor(handle);
  }

  registerMemory(memory: ArrayBuffer): void {
    this.below.registerMemory(memory);
  }

  unregisterMemory(memory: ArrayBuffer): void {
    this.below.unregisterMemory(memory);
  }

  release(lease: Lease): void {
    this.below.release(lease);
  }

  flush(): void {
    this.below.flush();
  }

  ref(handle?: Handle): void {
    this.below.ref(handle);
  }

  unref(handle?: Handle): void {
    this.below.unref(handle);
  }

  stats(): PortStats {
    return this.below.stats();
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.below[Symbol.asyncDispose]();
  }
}
