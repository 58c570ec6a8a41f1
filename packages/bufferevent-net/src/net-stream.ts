import type { Socket, SocketConnectOpts, SocketConstructorOpts } from 'node:net';
import {
  type Address,
  type AddressPair,
  type ConnectOptions,
  Errno,
  Operation,
  type Segment,
  systemError,
} from 'bufferevent-backend';
import type { CompletionQueue } from './completion-queue.js';
import type { Completions } from './completions.js';
import { rawCode, resultOfError } from './errors.js';
import { ipAddress } from './ip-address.js';
import { type Closing, NetHandle } from './net-handle.js';
import type { Piece } from './read-memory.js';
import { readAgain } from './second-read.js';
import { isTooLong } from './socket-file.js';
import { createSocket, readsByCallback } from './user-buffer.js';

/** What libuv reads at once, in bytes. */
export const CHUNK_BYTES = 65_536;

/**
 * `pause()` does not stop a socket that is read by events; a full stream buffer does. At one byte, the first chunk after
 * `pause()` fills it.
 */
export const STREAM_HIGH_WATER_MARK = 1;

/**
 * Most bytes handed to `node:net` in one send; more completes short (C9). Progress shows at this grain, and a peer that
 * does not read holds no more than this in a queue of libuv.
 */
const MAX_SEND_BYTES: number = 256 * 1024;

const owner = Symbol('bufferevent-net.stream');

interface OwnedSocket extends Socket {
  [owner]?: NetStream;
}

type ShutdownState = 'none' | 'waiting' | 'ending' | 'done';

/**
 * A connection.
 *
 * Received bytes pass through here in pieces, copied out of the buffer that all sockets read into, or, where there is none,
 * in chunks as `node:net` has allocated them:
 *
 *      socket ──onRead, 'data'──► parked ──fillRecv──► completion
 *                                 next      (rest stays parked)
 *
 * The socket is paused lazily: when a piece arrives that no recv waits for. Until then it keeps flowing, so that a
 * stream that is read steadily never pays for pausing and resuming.
 */
export class NetStream extends NetHandle {
  readonly #completions: Completions;
  readonly #socket: OwnedSocket;
  #address: AddressPair;
  #connected: boolean;
  /** `connect` was submitted and is not queued yet. */
  #connecting = false;
  #canceled = false;

  readonly #readsByCallback: boolean;
  #parked: Piece | null = null;
  /** Arrived while `parked` was promised to a recv that is queued. */
  #next: Piece | null = null;
  /** Asked for by the recv in flight; 0 when there is none. */
  #recvMax = 0;
  /** The recv in flight is queued, and will take from `parked`. */
  #recvQueued = false;
  #flowing = false;
  #ended = false;

  /** Bytes of the send that the system has not taken yet. */
  #sending = 0;
  #shutdown: ShutdownState = 'none';

  /** What the socket died of: a negative result, or 0. Answers everything from then on. */
  #failure = 0;
  #failureRaw = '';
  #closed = false;

  /** One for all writes of the stream. A write that was taken at once is known before; then this finds nothing to do. */
  readonly #onWritten = (error?: Error | null): void => {
    if (this.#sending > 0 && error == null && this.#socket.writableLength === 0) this.#sent();
  };

  private constructor(completions: Completions, socket: Socket, address: AddressPair, connected: boolean) {
    super();
    this.#completions = completions;
    this.#socket = socket;
    this.#address = address;
    this.#connected = connected;
    this.#socket[owner] = this;
    this.#readsByCallback = readsByCallback(socket, onRead);
    if (!this.#readsByCallback) socket.on('data', onData);
    socket.on('end', onEnd);
    socket.on('error', onError);
    socket.on('close', onClose);
  }

  /** A stream over a socket that a listener accepted, not yet reading. `path` is the path of the listener. */
  static accepted(completions: Completions, socket: Socket, path: string | null): NetStream {
    const address = path === null ? socketAddress(socket) : { local: { path }, peer: null };
    return new NetStream(completions, socket, address, true);
  }

  /** A stream that is not connected yet. */
  static create(completions: Completions): NetStream {
    const options: SocketConstructorOpts & { readableHighWaterMark: number; writableHighWaterMark: number } = {
      allowHalfOpen: true,
      readableHighWaterMark: STREAM_HIGH_WATER_MARK,
      writableHighWaterMark: STREAM_HIGH_WATER_MARK,
    };
    const socket = createSocket(options, onRead);
    // Before the 'data' handler is attached, which would start the flow.
    socket.pause();
    return new NetStream(completions, socket, { local: null, peer: null }, false);
  }

  connect(address: Address, options: ConnectOptions): void {
    this.#completions.begin(this, Operation.connect);
    this.#connecting = true;
    const socket = this.#socket;
    socket.once('connect', () => this.#onConnect(address));
    let where: SocketConnectOpts;
    if ('path' in address) where = { path: address.path };
    else {
      where = { host: address.ip, port: address.port };
      if (options.localAddress !== undefined) {
        where.localAddress = options.localAddress.ip;
        where.localPort = options.localAddress.port;
      }
    }
    try {
      if ('path' in address && isTooLong(address.path)) throw systemError(-Errno.ENAMETOOLONG, 'connect', address);
      socket.connect(where);
    } catch (error) {
      socket.destroy(error as Error);
    }
    socket.unref();
  }

  recv(max: number): void {
    this.#completions.begin(this, Operation.recv);
    if (this.#parked !== null) {
      this.#recvMax = max;
      this.#recvQueued = true;
      this.#completions.finishRecv(this);
    } else if (this.#ended) this.#completions.finish(this, Operation.recv, 0);
    else if (!this.#connected) this.#completions.finish(this, Operation.recv, -Errno.ENOTCONN);
    else if (this.#closed) this.#completions.finish(this, Operation.recv, this.#failure, this.#failureRaw);
    else {
      this.#recvMax = max;
      if (!this.#flowing) {
        this.#flowing = true;
        // The stream stays paused where nothing goes through it.
        if (this.#readsByCallback) this.#socket.read(0);
        else this.#socket.resume();
      }
    }
  }

  lowerRecvMax(max: number): void {
    if (max < this.#recvMax) this.#recvMax = max;
  }

  send(segments: readonly Segment[], count: number): void {
    this.#completions.begin(this, Operation.send);
    if (!this.#connected) this.#completions.finish(this, Operation.send, -Errno.ENOTCONN);
    else if (this.#failure !== 0) this.#completions.finish(this, Operation.send, this.#failure, this.#failureRaw);
    else if (this.#shutdown !== 'none' || this.#closed) this.#completions.finish(this, Operation.send, -Errno.EPIPE);
    else this.#write(segments, count);
  }

  shutdown(): void {
    this.#completions.begin(this, Operation.shutdown);
    if (!this.#connected) this.#completions.finish(this, Operation.shutdown, -Errno.ENOTCONN);
    else if (this.#failure !== 0) {
      this.#completions.finish(this, Operation.shutdown, this.#failure, this.#failureRaw);
    } else if (this.#shutdown !== 'none' || this.#closed) this.#completions.finish(this, Operation.shutdown, 0);
    else if (this.#sending > 0) this.#shutdown = 'waiting';
    else this.#endWriting();
  }

  cancel(operation: Operation): void {
    if (operation === Operation.recv) this.#finishRecvEmpty(-Errno.ECANCELED);
    else if (operation === Operation.connect && this.#connecting) {
      this.#canceled = true;
      this.#socket.destroy();
    }
  }

  /** What the system still holds of ours is waited for (C4, C11). */
  override close(how: Closing): void {
    this.beginClose(this.#completions, how);
    this.#finishRecvEmpty(-Errno.ECANCELED);
    if (!this.#recvQueued) this.#parked = this.#drop(this.#parked);
    this.#next = this.#drop(this.#next);
    if (this.#connecting) {
      this.#connecting = false;
      this.#completions.finish(this, Operation.connect, -Errno.ECANCELED);
    }
    if (this.#closed) this.finishClose(this.#completions);
    else if (how === Operation.reset && this.#connected) abandon(this.#socket);
    else this.#socket.destroy();
  }

  setNoDelay(noDelay: boolean): number {
    if (!this.#connected || this.#closed) return -Errno.ENOTCONN;
    if (isPath(this.#address)) return -Errno.ENOTSUP;
    this.#socket.setNoDelay(noDelay);
    return 0;
  }

  /** `idleMs` counts in whole seconds, at least one. */
  setKeepAlive(idleMs: number | false): number {
    if (!this.#connected || this.#closed) return -Errno.ENOTCONN;
    if (isPath(this.#address)) return -Errno.ENOTSUP;
    if (idleMs === false) this.#socket.setKeepAlive(false);
    else this.#socket.setKeepAlive(true, Math.max(idleMs, 1000));
    return 0;
  }

  address(): AddressPair {
    return this.#address;
  }

  override fillRecv(queue: CompletionQueue, index: number): void {
    const piece = this.#parked as Piece;
    const { memory, start, end, slab } = piece;
    const length = Math.min(end - start, this.#recvMax);
    this.#recvMax = 0;
    this.#recvQueued = false;
    // What is left of it when the stream is closing reaches nobody.
    if (start + length < end && this.closing === null) {
      piece.start = start + length;
      if (slab !== null) this.#completions.memory.hold(slab);
      this.#pause();
    } else {
      this.#parked = this.#next;
      this.#next = null;
    }
    queue.attach(index, memory, start, length, this.#completions.lease(slab));
  }

  /** The first `count` bytes of `bytes`, which are ours for the time of the call. */
  onRead(count: number, bytes: Buffer): void {
    if (this.closing === null) this.#received(this.#completions.memory.copy(bytes, count));
  }

  onData(chunk: Uint8Array): void {
    if (this.closing === null) this.#received({ memory: chunk, start: 0, end: chunk.length, slab: null });
  }

  #received(piece: Piece): void {
    if (this.#parked !== null) {
      // Promised to a recv that is queued; one piece more comes at most, as the flow stops here.
      this.#next = piece;
      this.#pause();
      return;
    }
    this.#parked = piece;
    const length = piece.end - piece.start;
    if (this.#recvMax < length) this.#pause();
    if (this.#recvMax === 0) return;
    this.#recvQueued = true;
    this.#completions.received(this, length);
  }

  #drop(piece: Piece | null): null {
    if (piece !== null && piece.slab !== null) this.#completions.memory.release(piece.slab);
    return null;
  }

  onEnd(): void {
    if (!readAgain(this.#socket, () => this.#end())) this.#end();
  }

  #end(): void {
    this.#ended = true;
    this.#finishRecvEmpty(0);
  }

  onError(error: Error): void {
    if (this.#failure !== 0) return;
    this.#failure = resultOfError(error);
    this.#failureRaw = rawCode(error);
  }

  /** Nothing of ours is in use by the system any more: settles all that is left. */
  onClose(): void {
    this.#closed = true;
    if (this.#failure === 0 && !this.#ended) this.#failure = this.#canceled ? -Errno.ECANCELED : -Errno.ECONNABORTED;
    const result = this.closing !== null ? -Errno.ECANCELED : this.#failure === 0 ? -Errno.EPIPE : this.#failure;
    const raw = this.closing !== null || this.#failureRaw === '' ? undefined : this.#failureRaw;
    if (this.#connecting) {
      this.#connecting = false;
      this.#completions.finish(this, Operation.connect, result, raw);
    }
    this.#finishRecvEmpty(result, raw);
    if (this.#sending > 0) {
      this.#sending = 0;
      this.#completions.finish(this, Operation.send, result, raw);
    }
    if (this.#shutdown === 'waiting' || this.#shutdown === 'ending') {
      this.#shutdown = 'done';
      this.#completions.finish(this, Operation.shutdown, result, raw);
    }
    if (this.closing !== null) this.finishClose(this.#completions);
  }

  #onConnect(address: Address): void {
    if (!this.#connecting) return;
    const socket = this.#socket;
    if (hasMetItself(socket)) {
      this.#failure = -Errno.ECONNREFUSED;
      this.#failureRaw = 'ECONNREFUSED';
      abandon(socket);
      return;
    }
    this.#connecting = false;
    this.#connected = true;
    this.#address = 'path' in address ? { local: null, peer: address } : socketAddress(socket);
    this.#completions.finish(this, Operation.connect, 0);
  }

  /** Completes a recv that waits and has no bytes. */
  #finishRecvEmpty(result: number, raw?: string): void {
    if (this.#recvMax === 0 || this.#recvQueued) return;
    this.#recvMax = 0;
    this.#completions.finish(this, Operation.recv, result, raw);
  }

  #pause(): void {
    if (!this.#flowing) return;
    this.#flowing = false;
    this.#socket.pause();
  }

  #write(segments: readonly Segment[], count: number): void {
    const socket = this.#socket;
    if (count === 1) {
      const bytes = viewOf(segments[0] as Segment, MAX_SEND_BYTES);
      this.#sending = bytes.length;
      socket.write(bytes, this.#onWritten);
    } else this.#writeAll(segments, count);
    // The system has taken the bytes already, as it mostly does: no need to wait for the callback.
    if (socket.writableLength === 0 && socket.errored === null) this.#sent();
  }

  #writeAll(segments: readonly Segment[], count: number): void {
    const socket = this.#socket;
    let room = MAX_SEND_BYTES;
    // Gathered by the stream into one vectored write. Each piece has the callback: any of them may be the last.
    socket.cork();
    for (let index = 0; index < count && room > 0; index++) {
      const bytes = viewOf(segments[index] as Segment, room);
      if (bytes.length === 0) continue;
      room -= bytes.length;
      socket.write(bytes, this.#onWritten);
    }
    this.#sending = MAX_SEND_BYTES - room;
    socket.uncork();
  }

  #sent(): void {
    const sent = this.#sending;
    this.#sending = 0;
    this.#completions.finish(this, Operation.send, sent);
    if (this.#shutdown === 'waiting') this.#endWriting();
  }

  #endWriting(): void {
    this.#shutdown = 'ending';
    this.#socket.once('finish', () => {
      if (this.#shutdown !== 'ending' || this.closing !== null) return;
      this.#shutdown = 'done';
      this.#completions.finish(this, Operation.shutdown, 0);
    });
    this.#socket.end();
  }
}

/** Takes a connection down with RST, where its kind has one. */
export function abandon(socket: Socket): void {
  if (socket.listenerCount('error') === 0) socket.on('error', ignore);
  // Sockets without a TCP address (Unix-domain) know no reset.
  if (socket.destroyed || socket.remoteAddress === undefined) socket.destroy();
  // libuv refuses to reset while it shuts down; that is over soon, as nothing is queued before it.
  else if (socket.writableEnded && !socket.writableFinished) socket.once('finish', () => socket.resetAndDestroy());
  else socket.resetAndDestroy();
}

/**
 * Whether the system has picked for a TCP socket the very port that it connects to, where nobody listens. It would hear what
 * it says, and keep the port from whoever wants to listen there.
 */
function hasMetItself({ localAddress, localPort, remoteAddress, remotePort }: Socket): boolean {
  return localPort !== undefined && localPort === remotePort && localAddress === remoteAddress;
}

function viewOf(segment: Segment, room: number): Uint8Array {
  const { memory, start } = segment;
  const end = segment.end - start > room ? start + room : segment.end;
  return start === 0 && end === memory.length ? memory : memory.subarray(start, end);
}

function socketAddress(socket: Socket): AddressPair {
  return {
    local: ipAddress(socket.localAddress, socket.localPort),
    peer: ipAddress(socket.remoteAddress, socket.remotePort),
  };
}

function isPath({ local, peer }: AddressPair): boolean {
  return (local !== null && 'path' in local) || (peer !== null && 'path' in peer);
}

function ignore(): void {}

// One function each for all sockets; `this` is the socket.
function onRead(this: OwnedSocket, count: number, bytes: Buffer): boolean {
  this[owner]?.onRead(count, bytes);
  return true;
}

function onData(this: OwnedSocket, chunk: Uint8Array): void {
  this[owner]?.onData(chunk);
}

function onEnd(this: OwnedSocket): void {
  this[owner]?.onEnd();
}

function onError(this: OwnedSocket, error: Error): void {
  this[owner]?.onError(error);
}

function onClose(this: OwnedSocket): void {
  this[owner]?.onClose();
}
