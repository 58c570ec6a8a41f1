import {
  type CompletionBatch,
  type Handle,
  type IpAddress,
  Operation,
  type Port,
  systemError,
} from 'bufferevent-backend';
import type { SslContext } from 'bufferevent-openssl';
import { openPort } from './mechanism.js';
import { Session } from './session.js';

export interface ServerOptions {
  readonly context: SslContext;
  readonly port: number;
  /** That wait for completions, where the mechanism has them. */
  readonly threads: number;
  /** How a session ended: `null` when both sides have said so. */
  readonly onEnd?: (failure: Error | null) => void;
}

/** The dispatcher: takes completions from the port, and gives each to the session that it belongs to. */
export class Server implements AsyncDisposable {
  readonly #options: ServerOptions;
  readonly #port: Port;
  readonly #sessions = new Map<Handle, Session>();
  readonly #listener: Handle;
  #listening: (result: number) => void = () => {};
  #disposing = false;

  /** Rejects when it can't listen. */
  static async start(options: ServerOptions): Promise<Server> {
    const server = new Server(options);
    const result = await new Promise<number>((resolve) => {
      server.#listening = resolve;
    });
    if (result === 0) return server;
    await server[Symbol.asyncDispose]();
    throw systemError(result, 'listen', { ip: '127.0.0.1', port: options.port });
  }

  private constructor(options: ServerOptions) {
    this.#options = options;
    this.#port = openPort((batch) => this.#dispatch(batch), options.threads);
    this.#listener = this.#port.listen({ ip: '127.0.0.1', port: options.port });
  }

  get address(): IpAddress {
    return this.#port.address(this.#listener).local as IpAddress;
  }

  get mechanism(): string {
    return this.#port.backend.name;
  }

  get sessions(): number {
    return this.#sessions.size;
  }

  /** Ends everything, also what is under way. */
  async [Symbol.asyncDispose](): Promise<void> {
    this.#disposing = true;
    await this.#port[Symbol.asyncDispose]();
    // Nobody has asked for their close, and so it does not complete.
    for (const session of this.#sessions.values()) session.closed();
  }

  #dispatch(batch: CompletionBatch): void {
    for (let index = 0; index < batch.length; index++) {
      const handle = batch.handle(index);
      const result = batch.result(index);
      const operation = batch.operation(index);
      if (this.#disposing) discard(this.#port, batch, index);
      else if (operation === Operation.listen) this.#listened(result);
      else if (operation === Operation.accept) this.#accepted(result);
      else if (operation === Operation.recv) this.#sessions.get(handle)?.received(batch, index);
      else if (operation === Operation.send) this.#sessions.get(handle)?.sent(result);
      else if (operation === Operation.close) this.#sessions.get(handle)?.closed();
    }
  }

  #listened(result: number): void {
    // As many as want to: each is one credit.
    if (result === 0) this.#port.accept(this.#listener, Number.MAX_SAFE_INTEGER);
    this.#listening(result);
  }

  #accepted(stream: Handle): void {
    // Below 0 the system could not accept, or the listener is closed; the credits say what goes on.
    if (stream < 0) return;
    const session = new Session(this.#port, stream, this.#options.context, (ended, failure) => {
      this.#sessions.delete(ended);
      this.#options.onEnd?.(failure);
    });
    this.#sessions.set(stream, session);
  }
}

/** What still comes while the port is disposed of, when nothing can be submitted any more. */
function discard(port: Port, batch: CompletionBatch, index: number): void {
  if (batch.operation(index) === Operation.recv && batch.result(index) > 0) port.release(batch.lease(index));
}
