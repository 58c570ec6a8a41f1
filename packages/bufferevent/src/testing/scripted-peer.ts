import { type CompletionBatch, type Handle, Operation, type SystemError, systemError } from 'bufferevent-backend';
import { checkInteger } from '../arguments.js';
import { type Deferred, withResolvers } from '../deferred-promise.js';
import { BuffereventError } from '../errors.js';
import {
  EndExpectation,
  ExactExpectation,
  type Expectation,
  PatternExpectation,
  ResetExpectation,
} from './expectation.js';
import type { PeerEnd, PeerPort } from './peer-port.js';

export interface ExpectOptions {
  /** The real time to wait at most, in milliseconds. Default: the `guardMs` of the test base. */
  readonly guardMs?: number;
}

interface Piece extends Deferred<void> {
  bytes: Uint8Array;
}

const RECV_BYTES = 65_536;

/**
 * The far end of a connection, without any bufferevent in it: sends what it is told when it is told, takes what comes,
 * and compares it with what is expected. Nothing here depends on how much of which buffer was moved in one go.
 *
 *      received   │ consumed by expectations │ unexpected │
 *
 * What was asked for before the connection stands is done when it does.
 */
export class ScriptedPeer implements PeerEnd {
  readonly #peers: PeerPort;
  readonly #handle: Handle;
  readonly #queue: Piece[] = [];
  readonly #chunks: Uint8Array[] = [];
  readonly #expectations: Expectation[] = [];
  readonly #ready: Deferred<void> = withResolvers();
  #open = true;
  #sending = false;
  #receiving = false;
  #reading = true;
  #ending = false;
  #consumed = 0;
  #connected: boolean;
  #receivedBytes = 0;
  #unsentBytes = 0;
  #ended = false;
  #failure: SystemError | null = null;

  /** @internal */
  constructor(peers: PeerPort, handle: Handle, connected: boolean) {
    this.#peers = peers;
    this.#handle = handle;
    this.#connected = connected;
    this.#ready.promise.catch(() => {});
    if (!connected) return;
    this.#ready.resolve();
    this.#act();
  }

  /** Resolves when connected; rejects with the system's error, which may be ignored. */
  get ready(): Promise<void> {
    return this.#ready.promise;
  }

  get connected(): boolean {
    return this.#connected;
  }

  /** A copy of everything that has arrived. */
  get received(): Buffer {
    return Buffer.concat(this.#chunks);
  }

  get receivedBytes(): number {
    return this.#receivedBytes;
  }

  /** A copy of what has arrived and no expectation has consumed yet. */
  get unexpected(): Buffer {
    return this.received.subarray(this.#consumed);
  }

  /** Bytes that were sent here and that the network has not taken yet. */
  get unsentBytes(): number {
    return this.#unsentBytes;
  }

  /** Whether the code under test has ended its side. */
  get ended(): boolean {
    return this.#ended;
  }

  /** What the connection failed with (`ECONNREFUSED`, `ECONNRESET`, `EPIPE`), as a peer hears of it; `null` while it has not. */
  get failure(): SystemError | null {
    return this.#failure;
  }

  /**
   * Sends bytes, or text as UTF-8, in one go; a piece of its own, behind what was sent before. Keeps the bytes, without a
   * copy, until they have left.
   *
   * @returns when the network has taken all of them. Rejects when it can't, which may be ignored.
   */
  send(data: string | Uint8Array): Promise<void> {
    const bytes = typeof data === 'string' ? Buffer.from(data, 'utf8') : data;
    if (bytes.length === 0) return Promise.resolve();
    const piece: Piece = { ...withResolvers<void>(), bytes };
    piece.promise.catch(() => {});
    if (!this.#open || this.#failure !== null) piece.reject(this.#failure ?? closedError());
    else {
      this.#queue.push(piece);
      this.#unsentBytes += bytes.length;
      this.#act();
    }
    return piece.promise;
  }

  /** Sends pieces of so many bytes, each when the one before has been dealt with and everything is at rest. */
  async sendSlowly(data: string | Uint8Array, pieceBytes = 1): Promise<void> {
    checkInteger('pieceBytes', pieceBytes, 1);
    const bytes = typeof data === 'string' ? Buffer.from(data, 'utf8') : data;
    for (let at = 0; at < bytes.length; at += pieceBytes) {
      await this.send(bytes.subarray(at, at + pieceBytes));
      await this.#peers.host.settle();
    }
  }

  /**
   * Waits until this arrives, next after what was expected before, and consumes it. Expectations may be made ahead; they
   * are met in order.
   *
   * @param wanted text (UTF-8) or bytes: exactly these come next. A regular expression: something that matches is among
   *   what comes next, as UTF-8 text; it and what stands before it are consumed (anchor it with `^` to allow nothing before)
   * @returns the match of a regular expression
   * @throws AssertionError (as a rejection) with both sides and the place where they differ, as soon as a byte differs,
   *   when the stream ends or fails first, or when the guard's time is over
   */
  expect(wanted: string | Uint8Array, options?: ExpectOptions): Promise<void>;
  expect(wanted: RegExp, options?: ExpectOptions): Promise<RegExpExecArray>;
  expect(wanted: string | Uint8Array | RegExp, options: ExpectOptions = {}): Promise<unknown> {
    if (wanted instanceof RegExp) return this.#await(new PatternExpectation(wanted), options);
    return this.#await(new ExactExpectation(wanted), options);
  }

  /** Waits for the end of the other side. Rejects as {@link expect} does, also when bytes come instead. */
  expectEnd(options: ExpectOptions = {}): Promise<void> {
    return this.#await(new EndExpectation(), options);
  }

  /** Waits for the connection to be reset. Rejects as {@link expect} does, also when bytes or an end come instead. */
  expectReset(options: ExpectOptions = {}): Promise<void> {
    return this.#await(new ResetExpectation(), options);
  }

  /** Lets everything come to rest; rejects when bytes, an end or a reset has come that nothing expected. */
  async expectNothing(): Promise<void> {
    await this.#peers.host.settle();
    const { unexpected } = this;
    if (unexpected.length > 0) throw new ExactExpectation('').failed(this.#state(), 'something came');
    if (this.#ended) throw new ExactExpectation('').failed(this.#state(), 'the end came');
    if (this.#failure !== null) throw new ExactExpectation('').failed(this.#state(), `${this.#failure.code} came`);
  }

  /** Ends our side after what was sent. */
  end(): void {
    this.#ending = true;
    this.#act();
  }

  /** Resets the connection: it is lost at once, and what was not sent with it. */
  reset(): void {
    this.#close(true);
  }

  /** Closes; what was not sent yet is dropped. */
  close(): void {
    this.#close(false);
  }

  /** Takes nothing any more, so that the sender feels it. A peer reads from the start. */
  stopReading(): void {
    this.#reading = false;
    if (this.#receiving && this.#open) this.#peers.port.cancel(this.#handle, Operation.recv);
  }

  readOn(): void {
    this.#reading = true;
    this.#act();
  }

  #close(abrupt: boolean): void {
    if (!this.#open) return;
    this.#open = false;
    if (abrupt) this.#peers.port.reset(this.#handle);
    else this.#peers.port.close(this.#handle);
    this.#dropUnsent(closedError());
  }

  #dropUnsent(error: Error): void {
    for (const piece of this.#queue.splice(0)) piece.reject(error);
  }

  #act(): void {
    if (!this.#open || !this.#connected || this.#failure !== null) return;
    const { port } = this.#peers;
    const first = this.#queue[0];
    if (!this.#sending && first !== undefined) {
      this.#sending = true;
      port.send(this.#handle, [{ memory: first.bytes, start: 0, end: first.bytes.length }]);
    } else if (!this.#sending && this.#ending) {
      this.#ending = false;
      port.shutdown(this.#handle);
    }
    if (this.#reading && !this.#receiving && !this.#ended) {
      this.#receiving = true;
      port.recv(this.#handle, RECV_BYTES);
    }
  }

  /** @internal */
  onCompletion(operation: Operation, result: number, batch: CompletionBatch, index: number): void {
    switch (operation) {
      case Operation.connect:
        this.#connected = result === 0;
        if (result === 0) this.#ready.resolve();
        else this.#fail(systemError(result, 'connect'));
        break;
      case Operation.recv:
        this.#receiving = false;
        if (result > 0) this.#take(batch, index, result);
        else if (result === 0) this.#ended = true;
        else if (this.#reading && this.#open) this.#fail(systemError(result, 'read'));
        break;
      case Operation.send:
        this.#sending = false;
        if (result >= 0) this.#sent(result);
        else if (this.#open) this.#fail(systemError(result, 'write'));
        break;
    }
    this.#act();
    this.#look();
  }

  #take(batch: CompletionBatch, index: number, bytes: number): void {
    const start = batch.start(index);
    this.#chunks.push(batch.memory(index).slice(start, start + bytes));
    this.#receivedBytes += bytes;
    this.#peers.port.release(batch.lease(index));
  }

  #sent(bytes: number): void {
    this.#unsentBytes -= bytes;
    const piece = this.#queue[0];
    if (piece === undefined) return;
    piece.bytes = piece.bytes.subarray(bytes);
    if (piece.bytes.length > 0) return;
    this.#queue.shift();
    piece.resolve();
  }

  #fail(error: SystemError): void {
    this.#failure ??= error;
    this.#ready.reject(error);
    this.#dropUnsent(error);
  }

  #await<Value>(
    expectation: Expectation<Value>,
    { guardMs = this.#peers.host.guardMs }: ExpectOptions,
  ): Promise<Value> {
    this.#expectations.push(expectation as Expectation);
    expectation.guard(guardMs, () => {
      const index = this.#expectations.indexOf(expectation as Expectation);
      if (index < 0) return;
      this.#expectations.splice(index, 1);
      expectation.reject(expectation.failed(this.#state(), `nothing more came within ${guardMs} ms`));
      this.#look();
    });
    this.#look();
    return expectation.promise;
  }

  /** Settles from the front of the line as many expectations as what has come decides. */
  #look(): void {
    for (let first = this.#expectations[0]; first !== undefined; first = this.#expectations[0]) {
      const taken = first.look(this.#state());
      if (taken === null) return;
      this.#consumed += taken;
      this.#expectations.shift();
    }
  }

  #state() {
    return { bytes: this.unexpected, ended: this.#ended, failure: this.#failure, before: this.#consumed };
  }
}

function closedError(): BuffereventError {
  return new BuffereventError('ERR_BUFFEREVENT_CLOSED', 'this peer has closed the connection');
}
