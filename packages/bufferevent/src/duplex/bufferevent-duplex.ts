import { Duplex } from 'node:stream';
import {
  type Address,
  type AddressPair,
  checkOptionNames,
  type OptionNames,
  type StreamOptions,
} from 'bufferevent-backend';
import { checkBoolean, checkInteger, checkObject, checkSignal } from '../arguments.js';
import type { Bufferevent } from '../bufferevent.js';
import type { BuffereventEvent, CloseCause } from '../events.js';
import { writePaced } from '../paced-write.js';
import { SocketBufferevent } from '../socket-bufferevent.js';
import { ownByStream } from '../stream-owner.js';

export interface DuplexOptions {
  /**
   * Whether writing goes on after the peer's end. Default true; `false` ends our side then, as sockets of Node do, and
   * as agents of an http client count on.
   */
  readonly allowHalfOpen?: boolean;
  /** Bytes that each side of the stream holds before it asks for a rest. Default: that of Node's streams. */
  readonly highWaterMark?: number;
  /** `highWaterMark` of one side. */
  readonly readableHighWaterMark?: number;
  readonly writableHighWaterMark?: number;
  /** Destroys the stream with an `AbortError`. */
  readonly signal?: AbortSignal;
}

const optionNames: OptionNames<DuplexOptions> = {
  allowHalfOpen: true,
  highWaterMark: true,
  readableHighWaterMark: true,
  writableHighWaterMark: true,
  signal: true,
};

/** Bytes in one chunk at most, as from Node's sockets. */
const CHUNK_BYTES: number = 64 * 1024;

const unknownAddresses: AddressPair = { local: null, peer: null };

type Callback = (error?: Error | null) => void;

/**
 * The stream that `toDuplex` makes. Besides what every `Duplex` has, it has what `node:http` and `node:tls` use of a
 * socket.
 *
 *      input ──► chunks of ≤ 64 KiB, copied ──► 'data'        rests while the stream is full
 *      output ◄── pieces of ≤ 64 KiB, copied ◄── write()      calls back when the output is below its high mark
 */
export class BuffereventDuplex extends Duplex {
  /** What it lies on. Its handlers are the stream's, and so are its `input` and `output`. */
  readonly bufferevent: Bufferevent;
  /** Bytes that the stream has taken out of the input. */
  bytesRead = 0;
  /** Milliseconds given to `setTimeout`; 0 for none. */
  timeout = 0;
  #bytesQueued = 0;
  /** The stream has room, and asked for more. */
  #wanted = false;
  /** Whether reading of the bufferevent is enabled by us. */
  #reading = false;
  #endPushed = false;
  /** The connection is to be ended, not cut, although the peer has not ended its side. */
  #endsOrderly = false;
  #addresses: AddressPair = unknownAddresses;
  /** Options that were set before there was a connection. */
  readonly #laterOptions: Map<keyof StreamOptions, StreamOptions[keyof StreamOptions]> = new Map();

  /** @internal */
  constructor(bufferevent: Bufferevent, options: DuplexOptions) {
    super({ ...options, autoDestroy: true, emitClose: true, decodeStrings: true, objectMode: false });
    this.bufferevent = bufferevent;
    bufferevent.setHandlers({
      onRead: () => this.#pump(),
      onEvent: (_, event) => this.#onEvent(event),
    });
    // What ends a connection without an event (free(), disposal of the base), and what had happened before.
    void bufferevent.closed.then((cause) => this.#onClosed(cause));
    // Reads ahead as sockets do, so that an end or a reset is noticed before anybody reads.
    this.read(0);
  }

  override _read(): void {
    this.#wanted = true;
    this.#pump();
  }

  #pump(): void {
    const bev = this.bufferevent;
    const { input } = bev;
    while (this.#wanted && input.length > 0) {
      const chunk = Buffer.allocUnsafeSlow(Math.min(input.length, CHUNK_BYTES));
      input.remove(chunk);
      this.bytesRead += chunk.length;
      this.#wanted = this.push(chunk);
    }
    if (bev.readEnded && input.length === 0 && !this.#endPushed) {
      this.#endPushed = true;
      this.push(null);
    }
    this.#setReading(this.#wanted && !bev.readEnded);
  }

  #setReading(reading: boolean): void {
    if (reading === this.#reading || this.bufferevent.freed) return;
    this.#reading = reading;
    if (reading) this.bufferevent.enable('read');
    else this.bufferevent.disable('read');
  }

  override _write(chunk: Buffer, _encoding: BufferEncoding, callback: Callback): void {
    this.#bytesQueued += chunk.length;
    writePaced(this.bufferevent, [chunk], callback);
  }

  override _writev(entries: { readonly chunk: Buffer }[], callback: Callback): void {
    const chunks = entries.map(({ chunk }) => chunk);
    for (const { length } of chunks) this.#bytesQueued += length;
    writePaced(this.bufferevent, chunks, callback);
  }

  override _final(callback: Callback): void {
    const bev = this.bufferevent;
    if (bev.writeEnded) {
      callback();
      return;
    }
    try {
      bev.halfClose();
    } catch (error) {
      callback(error as Error);
      return;
    }
    bev.drained().then(() => callback(), callback);
  }

  /**
   * Both sides have ended, or `destroySoon` was called: the connection is ended (`bev.end()`). Otherwise it is cut
   * (`bev.free()`). 'close' comes when the transport is gone.
   */
  override _destroy(error: Error | null, callback: Callback): void {
    const bev = this.bufferevent;
    const orderly = error === null && this.writableFinished && (this.#endPushed || this.#endsOrderly);
    if (orderly && !bev.freed) bev.setHandlers(null);
    else bev.free();
    void bev.end().then(() => {
      bev.free();
      callback(error);
    });
  }

  #onEvent(event: BuffereventEvent): void {
    switch (event.kind) {
      case 'connected':
        for (const [name, value] of this.#laterOptions) this.#setOption(name, value);
        this.emit('connect');
        this.emit('ready');
        break;
      case 'eof':
        this.#pump();
        break;
      case 'timeout':
        if (event.timeout === 'idle') this.emit('timeout');
        else this.#fail(event.error);
        break;
      case 'error':
        this.#fail(event.error);
    }
  }

  #onClosed(cause: CloseCause): void {
    if (this.destroyed) return;
    if (cause.kind === 'freed') this.destroy();
    else if (cause.kind !== 'clean') this.#fail(cause.error);
    else {
      this.#pump();
      if (!this.writableEnded) this.end();
    }
  }

  /** A stream that flows has everything that came before the failure. */
  #fail(error: Error): void {
    this.#pump();
    this.destroy(error);
  }

  /** Ends our side, and the connection as soon as everything was sent, as sockets do. */
  destroySoon(): void {
    this.#endsOrderly = true;
    if (!this.writableEnded) this.end();
    if (this.writableFinished) this.destroy();
    else this.once('finish', () => this.destroy());
  }

  /** Bytes given to the connection, and those that wait in the stream. */
  get bytesWritten(): number {
    return this.#bytesQueued + this.writableLength;
  }

  /** Emits 'timeout' after `timeoutMs` without a byte in either direction (`idleMs`); closes nothing. 0 for never. */
  setTimeout(timeoutMs: number, onTimeout?: () => void): this {
    if (!this.bufferevent.freed) this.bufferevent.setTimeouts({ idleMs: timeoutMs });
    this.timeout = timeoutMs;
    if (onTimeout !== undefined) {
      if (timeoutMs === 0) this.off('timeout', onTimeout);
      else this.once('timeout', onTimeout);
    }
    return this;
  }

  /** Without effect where there is no socket below, or one that does not know the option; before connecting, afterwards. */
  setNoDelay(noDelay = true): this {
    this.#setOption('noDelay', noDelay);
    return this;
  }

  /** As {@link setNoDelay}. */
  setKeepAlive(enable = false, initialDelayMs = 0): this {
    this.#setOption('keepAlive', enable ? initialDelayMs : false);
    return this;
  }

  #setOption<Name extends keyof StreamOptions>(name: Name, value: StreamOptions[Name]): void {
    const socket = socketBelow(this.bufferevent);
    if (socket === null || socket.freed) return;
    this.#laterOptions.delete(name);
    try {
      socket.setOption(name, value);
    } catch (error) {
      if ((error as { code?: string }).code === 'ENOTCONN') this.#laterOptions.set(name, value);
    }
  }

  ref(): this {
    this.bufferevent.ref();
    return this;
  }

  unref(): this {
    this.bufferevent.unref();
    return this;
  }

  /** The local end as `net.Socket.address()` gives it; `{}` where it is not known. */
  address(): { address?: string; family?: string; port?: number } {
    const { local } = this.#ends();
    return local !== null && 'ip' in local
      ? { address: local.ip, family: familyOf(local) as string, port: local.port }
      : {};
  }

  /** `undefined` where there is none: not connected yet, or no IP connection. Kept after the end. */
  get remoteAddress(): string | undefined {
    return ipOf(this.#ends().peer);
  }

  get remotePort(): number | undefined {
    return portOf(this.#ends().peer);
  }

  get remoteFamily(): string | undefined {
    return familyOf(this.#ends().peer);
  }

  get localAddress(): string | undefined {
    return ipOf(this.#ends().local);
  }

  get localPort(): number | undefined {
    return portOf(this.#ends().local);
  }

  get localFamily(): string | undefined {
    return familyOf(this.#ends().local);
  }

  #ends(): AddressPair {
    const current = this.bufferevent.address;
    if (current.local !== null || current.peer !== null) this.#addresses = current;
    return this.#addresses;
  }
}

/** The socket at the bottom of a stack of bufferevents. */
function socketBelow(bev: Bufferevent): SocketBufferevent | null {
  let current: Bufferevent | null = bev;
  while (current !== null && !(current instanceof SocketBufferevent)) {
    current = current.underlying;
  }
  return current;
}

function ipOf(address: Address | null): string | undefined {
  return address !== null && 'ip' in address ? address.ip : undefined;
}

function portOf(address: Address | null): number | undefined {
  return address !== null && 'ip' in address ? address.port : undefined;
}

function familyOf(address: Address | null): string | undefined {
  const ip = ipOf(address);
  if (ip === undefined) return undefined;
  return ip.includes(':') ? 'IPv6' : 'IPv4';
}

/**
 * A Node stream over any bufferevent, for `pipeline`, and as the socket of `tls.connect({ socket })`,
 * `new TLSSocket(stream)`, an http client (`createConnection`) or server (`server.emit('connection', stream)`).
 *
 * The stream owns the bufferevent from then on: its handlers, what it reads and writes, and its end. Chunks are copies
 * that belong to their reader; what is written is copied before its callback runs. The stream reads only while it has
 * room; a write calls back when the output is below its high mark. Marks and time-outs of the bufferevent hold: 'timeout'
 * tells of the idle one, the others destroy the stream with their error.
 *
 * The peer's end is 'end', a failure 'error' with the error of the bufferevent and then 'close'; `end()` ends our side
 * and 'finish' comes when the system has taken all. `destroy()` is `bev.free()`, `bev.free()` is `destroy()`. When both
 * sides have ended the connection is closed cleanly. 'close' comes when the transport is gone.
 *
 * @throws BuffereventError `ERR_BUFFEREVENT_FREED`, `ERR_BUFFEREVENT_COVERED` when a stream owns it already
 */
export function toDuplex(bev: Bufferevent, options: DuplexOptions = {}): BuffereventDuplex {
  checkObject('bev', bev);
  checkObject('options', options);
  checkOptionNames('options', options, optionNames);
  const { allowHalfOpen, signal } = options;
  checkBoolean('allowHalfOpen', allowHalfOpen);
  checkSignal(signal);
  for (const name of ['highWaterMark', 'readableHighWaterMark', 'writableHighWaterMark'] as const) {
    if (options[name] !== undefined) checkInteger(name, options[name], 0);
  }
  ownByStream(bev);
  return new BuffereventDuplex(bev, options);
}
