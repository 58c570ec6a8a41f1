import { createServer, type ListenOptions as NodeListenOptions, type Server, type Socket } from 'node:net';
import {
  type Address,
  type AddressPair,
  Errno,
  type Handle,
  type ListenOptions,
  Operation,
  systemError,
} from 'bufferevent-backend';
import type { Completions } from './completions.js';
import { rawCode, resultOfError } from './errors.js';
import { ipAddress } from './ip-address.js';
import { type Closing, NetHandle } from './net-handle.js';
import { abandon, STREAM_HIGH_WATER_MARK } from './net-stream.js';
import { bindWithMode, isTooLong } from './socket-file.js';

/** Connections that `node:net` may hand us while there are no credits. Further ones are reset. */
export const ACCEPT_AHEAD = 1024;

/**
 * A listener. `node:net` accepts whatever comes and cannot be told to wait, so that connections without a credit are
 * parked: unread and paused, in the order of arrival.
 */
export class NetListener extends NetHandle {
  readonly #completions: Completions;
  readonly #adopt: (socket: Socket, path: string | null) => Handle;
  readonly #server: Server;
  readonly #path: string | null;
  readonly #parked: Socket[] = [];
  #credits = 0;
  #state: 'starting' | 'listening' | 'failed' = 'starting';
  #local: Address | null = null;

  /** `adopt` makes a stream of an accepted socket and gives its handle. */
  constructor(completions: Completions, adopt: (socket: Socket, path: string | null) => Handle, address: Address) {
    super();
    this.#completions = completions;
    this.#adopt = adopt;
    this.#path = 'path' in address ? address.path : null;
    this.#server = createServer(
      { allowHalfOpen: true, pauseOnConnect: true, highWaterMark: STREAM_HIGH_WATER_MARK },
      (socket) => this.#onConnection(socket),
    );
    this.#server.on('listening', () => this.#onListening());
    this.#server.on('error', (error) => this.#onError(error));
    this.#server.unref();
  }

  listen(address: Address, options: ListenOptions): void {
    this.#completions.begin(this, Operation.listen);
    const where: NodeListenOptions =
      'path' in address ? { path: address.path } : { host: address.ip, port: address.port };
    // In a cluster worker, a port that is not exclusive would be opened by the primary process.
    where.exclusive = true;
    if (options.backlog !== undefined) where.backlog = options.backlog;
    if (options.ipv6Only === true) where.ipv6Only = true;
    if (options.reusePort === true) (where as { reusePort?: boolean }).reusePort = true;
    const bind = (): boolean => this.#server.listen(where).listening;
    try {
      if ('path' in address && isTooLong(address.path)) throw systemError(-Errno.ENAMETOOLONG, 'listen', address);
      if ('path' in address && options.mode !== undefined) bindWithMode(address.path, options.mode, bind);
      else bind();
    } catch (error) {
      this.#onError(error as Error);
    }
  }

  accept(credits: number): void {
    this.#completions.begin(this, Operation.accept);
    this.#credits = credits;
    if (this.#state === 'failed') this.#endCredits();
    while (this.#credits > 0 && this.#parked.length > 0) this.#accepted(this.#parked.shift() as Socket);
  }

  /** Ends the credits that are left, if any. */
  cancel(operation: Operation): void {
    if (operation === Operation.accept) this.#endCredits();
  }

  override close(how: Closing): void {
    this.beginClose(this.#completions, how);
    this.#endCredits();
    for (const socket of this.#parked) abandon(socket);
    this.#parked.length = 0;
    // A server that has not started yet would start after all: it is closed when it tells.
    if (this.#state !== 'starting') this.#closeServer();
  }

  address(): AddressPair {
    return { local: this.#local, peer: null };
  }

  override fillRecv(): void {}

  #onListening(): void {
    if (this.#state !== 'starting') return;
    this.#state = 'listening';
    if (this.#path !== null) this.#local = { path: this.#path };
    else {
      const bound = this.#server.address();
      if (bound !== null && typeof bound === 'object') this.#local = ipAddress(bound.address, bound.port);
    }
    this.#completions.finish(this, Operation.listen, this.closing !== null ? -Errno.ECANCELED : 0);
    if (this.closing !== null) this.#closeServer();
  }

  #onError(error: Error): void {
    // After the start, an error speaks of one connection that could not be accepted; node:net goes on by itself.
    if (this.#state !== 'starting') return;
    this.#state = 'failed';
    this.#completions.finish(this, Operation.listen, resultOfError(error), rawCode(error));
    this.#endCredits();
    if (this.closing !== null) this.#closeServer();
  }

  #onConnection(socket: Socket): void {
    socket.unref();
    if (this.closing !== null) abandon(socket);
    else if (this.#credits > 0) this.#accepted(socket);
    else if (this.#parked.length < ACCEPT_AHEAD) this.#parked.push(socket);
    else abandon(socket);
  }

  #accepted(socket: Socket): void {
    this.#credits--;
    const handle = this.#adopt(socket, this.#path);
    this.#completions.finish(this, Operation.accept, handle, undefined, this.#credits === 0);
  }

  #endCredits(): void {
    if (this.#credits === 0) return;
    this.#credits = 0;
    this.#completions.finish(this, Operation.accept, -Errno.ECANCELED);
  }

  /** The descriptor is closed when `close` returns; its event would wait for all accepted connections to end. */
  #closeServer(): void {
    this.#server.close();
    this.finishClose(this.#completions);
  }
}
