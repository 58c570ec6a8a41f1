import { type Address, type ConnectOptions, type IpAddress, Operation, type Segment } from '../contract.js';
import { Errno } from '../errno.js';
import type { ConnectionEnd } from './connection-end.js';
import { Endpoint, type PortInside } from './endpoint.js';
import { MemoryFile } from './memory-file.js';
import { type Block, SlabPool } from './slab-pool.js';

/** What a stream needs of its port beyond {@link PortInside}. */
export interface StreamPort extends PortInside {
  /** A send completes when all is sent, instead of as soon as something is. */
  readonly sendsWhole: boolean;
  /** A failed send takes received bytes with it (C18 given up). */
  readonly losesReceivedBytes: boolean;
  takeBlock(bytes: number): Block;
  /** Whether memory is still what it was when it was submitted (registered memory: when it was registered). */
  isIntact(memory: Uint8Array, end: number): boolean;
}

/** A stream of a port: the operations in flight on one end of a connection. */
export class MemoryStream extends Endpoint {
  readonly end: ConnectionEnd;
  readonly #port: StreamPort;
  #target: Address | null = null;
  #localAddress: IpAddress | undefined;
  #recvMax = 0;
  /** The segments of the send in flight, copied from the caller's array; the memory is the caller's (C4). */
  readonly #segments: Segment[] = [];
  #segment = 0;
  #moved = 0;
  #file = -1;
  #fileOffset = 0;
  #fileLength = 0;
  #shutdownAfterSend = false;
  /** The result of the send that a waiting shutdown shares when it fails (C9). */
  #sendFailure = 0;
  /** Set by a failed send of a backend that loses received bytes. */
  #broken = 0;

  constructor(port: StreamPort, end: ConnectionEnd) {
    super(port);
    this.#port = port;
    this.end = end;
    end.owner = this;
  }

  connect(target: Address, options: ConnectOptions): void {
    this.#target = target;
    this.#localAddress = options.localAddress;
    this.begin(Operation.connect);
  }

  recv(max: number): void {
    this.#recvMax = Math.min(max, SlabPool.maxBlock);
    this.#submit(Operation.recv);
  }

  lowerRecvMax(max: number): void {
    if (this.isActive(Operation.recv) && max < this.#recvMax) this.#recvMax = max;
  }

  /** `segments` are this stream's from now on. */
  send(segments: readonly Segment[], count: number): void {
    this.#segments.length = 0;
    for (let index = 0; index < count; index++) {
      const { memory, start, end } = segments[index] as Segment;
      if (end > start) this.#segments.push({ memory, start, end });
    }
    this.#segment = 0;
    this.#moved = 0;
    this.#submit(Operation.send);
  }

  sendFile(descriptor: number, offset: number, length: number): void {
    this.#file = descriptor;
    this.#fileOffset = offset;
    this.#fileLength = length;
    this.#moved = 0;
    this.#submit(Operation.sendFile);
  }

  shutdown(): void {
    this.#shutdownAfterSend = this.#sending;
    this.#sendFailure = 0;
    this.#submit(Operation.shutdown);
  }

  watchPeer(): void {
    this.#submit(Operation.watchPeer);
  }

  /** Ends one operation early, when the mechanism still works on it. */
  cancel(operation: Operation): void {
    if (!this.isActive(operation)) return;
    if (operation === Operation.connect) {
      // The end may not come to life later, behind the caller's back.
      this.#target = null;
      this.end.close();
    }
    if (operation === Operation.send || operation === Operation.sendFile) this.#finishSend(operation, -Errno.ECANCELED);
    else this.finish(operation, -Errno.ECANCELED);
    this.wake();
  }

  /** The stream is let go of in peace: what a system would have been handed by now moves as far as there is space. */
  moveLast(): void {
    if (this.isActive(Operation.send)) this.#progressSend();
    else if (this.isActive(Operation.sendFile)) this.#progressSendFile();
  }

  override cancelAll(): void {
    this.cancel(Operation.connect);
    this.cancel(Operation.recv);
    this.cancel(Operation.send);
    this.cancel(Operation.sendFile);
    this.cancel(Operation.shutdown);
    this.cancel(Operation.watchPeer);
  }

  override dismantle(): void {
    this.port.world.closeEnd(this.end, false);
  }

  override progress(): void {
    if (this.isActive(Operation.connect)) this.#progressConnect();
    if (this.isActive(Operation.shutdown) && !this.#shutdownAfterSend) this.#progressShutdown();
    if (this.isActive(Operation.send)) this.#progressSend();
    else if (this.isActive(Operation.sendFile)) this.#progressSendFile();
    if (this.isActive(Operation.shutdown) && !this.#sending) this.#progressShutdown();
    if (this.isActive(Operation.recv)) this.#progressRecv();
    if (this.isActive(Operation.watchPeer)) this.#progressWatch();
  }

  get #sending(): boolean {
    return this.isActive(Operation.send) || this.isActive(Operation.sendFile);
  }

  #submit(operation: Operation): void {
    this.begin(operation);
    if (!this.end.connected) this.finish(operation, -Errno.ENOTCONN);
  }

  #progressConnect(): void {
    const result = this.port.world.dial(this, this.end, this.#target as Address, this.#localAddress);
    if (result !== null) this.finish(Operation.connect, result);
  }

  #progressRecv(): void {
    const { end } = this;
    const available = end.incoming.length;
    if (this.#broken !== 0) this.finish(Operation.recv, this.#broken);
    else if (available > 0) {
      const count = Math.min(available, this.#recvMax);
      const block = this.#port.takeBlock(count);
      end.read(block.memory, block.start, count);
      this.finish(Operation.recv, count, block);
    } else if (end.failure !== 0) this.finish(Operation.recv, end.failure);
    else if (end.incoming.ended) this.finish(Operation.recv, 0);
  }

  #progressSend(): void {
    const { end } = this;
    const failure = end.sendFailure();
    if (failure !== 0) {
      this.#failSend(Operation.send, failure);
      return;
    }
    const before = this.#moved;
    while (this.#segment < this.#segments.length) {
      const part = this.#segments[this.#segment] as Segment;
      if (!this.#port.isIntact(part.memory, part.end)) {
        this.#failSend(Operation.send, -Errno.EFAULT);
        return;
      }
      const moved = end.write(part.memory, part.start, part.end);
      this.#moved += moved;
      part.start += moved;
      if (part.start < part.end) break;
      this.#segment++;
    }
    const whole = this.#segment === this.#segments.length;
    if (whole || (this.#moved > before && !this.#port.sendsWhole)) this.#finishSend(Operation.send, 0);
  }

  #progressSendFile(): void {
    const { end } = this;
    const file = this.port.world.descriptors.get(this.#file);
    const failure = end.sendFailure();
    if (failure !== 0 || !(file instanceof MemoryFile)) {
      this.#failSend(Operation.sendFile, failure || (file === null ? -Errno.EBADF : -Errno.EINVAL));
      return;
    }
    const last = Math.min(file.size, this.#fileOffset + this.#fileLength);
    const before = this.#moved;
    for (let from = this.#fileOffset + before; from < last; from = this.#fileOffset + this.#moved) {
      const { memory, start, end: until } = file.piece(from, last);
      const moved = end.write(memory, start, until);
      if (moved === 0) break;
      this.#moved += moved;
    }
    const whole = this.#fileOffset + this.#moved >= last;
    if (whole || (this.#moved > before && !this.#port.sendsWhole)) this.#finishSend(Operation.sendFile, 0);
  }

  /** A send that moved bytes says so; its failure is met again by the next one (C17). */
  #failSend(operation: Operation, failure: number): void {
    if (this.#port.losesReceivedBytes && failure !== -Errno.EFAULT) {
      this.#broken = failure;
      this.end.incoming.discard();
    }
    this.#finishSend(operation, failure);
  }

  #finishSend(operation: Operation, failure: number): void {
    const result = this.#moved > 0 ? this.#moved : failure;
    this.#segments.length = 0;
    this.#sendFailure = Math.min(result, 0);
    this.finish(operation, result);
  }

  #progressShutdown(): void {
    const failure = (this.#shutdownAfterSend && this.#sendFailure) || this.end.failure;
    if (failure === 0) this.end.finish();
    this.finish(Operation.shutdown, failure);
  }

  #progressWatch(): void {
    const { end } = this;
    if (end.failure !== 0) this.finish(Operation.watchPeer, end.failure);
    else if (end.incoming.ended) this.finish(Operation.watchPeer, 0);
  }
}
