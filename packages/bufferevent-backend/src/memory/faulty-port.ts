import { checkInteger, checkSegments } from '../arguments.js';
import {
  type Address,
  type Backend,
  type CompletionBatch,
  type CompletionSink,
  type ConnectOptions,
  type Handle,
  type ListenOptions,
  Operation,
  type Port,
  type PortOptions,
  type PortStats,
  type Segment,
} from '../contract.js';
import { Errno } from '../errno.js';
import { BackendError } from '../errors.js';
import { trace } from '../surface.js';
import type { Completion } from './completion-queue.js';
import type { FaultDice, FaultyOperation } from './fault-plan.js';
import { Handover } from './handover.js';
import { PortDecorator } from './port-decorator.js';

/** What is in flight on a handle as the user sees it: also what is finished below and held back here. */
interface Flights {
  readonly stream: boolean;
  /** One bit for each operation, `1 << operation`. */
  busy: number;
  /** Credits of the accept in flight. */
  credits: number;
  /** A failure that replaces the result of the connect in flight, or 0. */
  connectError: number;
}

/** Completions that are not handed over yet, and for how many more turns. */
interface Held {
  turns: number;
  readonly completions: readonly Completion[];
}

const finals: readonly Operation[] = [Operation.close, Operation.reset, Operation.detach];

/*
 *   port below ──batch──► [ held | held | held ] ──each after its turns, in order──► sink
 *                            ▲
 *      injected errors ──────┘       An operation that shall fail is never submitted below (except connect).
 */

/** The port of `withFaults`. */
export class FaultyPort extends PortDecorator {
  readonly #dice: FaultDice;
  readonly #handover: Handover;
  readonly #onTrace: PortOptions['onTrace'];
  readonly #flights: Map<Handle, Flights> = new Map();
  readonly #held: Held[] = [];
  #pending = 0;
  #armed = false;
  #disposal: Promise<void> | null = null;
  #onDrained: (() => void) | null = null;

  /** Makes the port below with a sink that leads here. */
  static over(
    backend: Backend,
    dice: FaultDice,
    sink: CompletionSink,
    options: PortOptions | undefined,
    create: (sink: CompletionSink) => Port,
  ): FaultyPort {
    // The port below never calls its sink while it is being made (C1).
    const below = create((batch) => port.#receive(batch));
    const port: FaultyPort = new FaultyPort(backend, below, dice, sink, options?.onTrace);
    return port;
  }

  constructor(
    backend: Backend,
    below: Port,
    dice: FaultDice,
    sink: CompletionSink,
    onTrace: PortOptions['onTrace'] | undefined,
  ) {
    super(backend, below);
    this.#dice = dice;
    this.#onTrace = onTrace;
    this.#handover = new Handover(sink, (completion) => this.#settle(completion));
  }

  override listen(address: Address, options?: ListenOptions): Handle {
    const handle = this.below.listen(address, options);
    this.#begin(this.#open(handle, false), Operation.listen);
    return handle;
  }

  override accept(listener: Handle, credits: number): void {
    this.below.address(listener);
    const flights = this.#flights.get(listener);
    if (flights !== undefined) this.#demandFree(flights, Operation.accept);
    this.below.accept(listener, credits);
    if (flights === undefined) return;
    this.#begin(flights, Operation.accept);
    flights.credits = credits;
    const error = this.#dice.error(Operation.accept);
    // An accept goes on after an error; it uses no credit (C20).
    if (error !== 0) this.#inject(Operation.accept, listener, error, false);
  }

  override connect(address: Address, options?: ConnectOptions): Handle {
    const handle = this.below.connect(address, options);
    const flights = this.#open(handle, true);
    this.#begin(flights, Operation.connect);
    flights.connectError = this.#dice.error(Operation.connect);
    // The handle must exist below; what becomes of the connection does not matter any more.
    if (flights.connectError !== 0) this.below.cancel(handle, Operation.connect);
    return handle;
  }

  override adopt(descriptor: number): Handle {
    const handle = this.below.adopt(descriptor);
    this.#open(handle, true);
    return handle;
  }

  override recv(stream: Handle, max: number): void {
    this.#submit(stream, Operation.recv, () => {
      checkInteger('max', max, 1, Number.MAX_SAFE_INTEGER);
      const error = this.#dice.error(Operation.recv);
      if (error !== 0) return error;
      this.below.recv(stream, this.#dice.recvLimit(max));
      return 0;
    });
  }

  override send(stream: Handle, segments: readonly Segment[], count: number = segments?.length): void {
    this.#submit(stream, Operation.send, () => {
      const offered = offeredBytes(segments, count);
      const error = offered === 0 ? 0 : this.#dice.error(Operation.send);
      if (error !== 0) return error;
      const limit = offered === 0 ? 0 : this.#dice.sendLimit(offered);
      if (limit === offered) this.below.send(stream, segments, count);
      else this.below.send(stream, firstBytes(segments, limit));
      return 0;
    });
  }

  override sendFile(stream: Handle, descriptor: number, offset: number, length: number): void {
    this.#submit(stream, Operation.sendFile, () => {
      if (!this.backend.supports.sendFile || !(length >= 1)) {
        this.below.sendFile(stream, descriptor, offset, length);
        return 0;
      }
      const error = this.#dice.error(Operation.sendFile);
      if (error !== 0) return error;
      this.below.sendFile(stream, descriptor, offset, this.#dice.sendLimit(length));
      return 0;
    });
  }

  override shutdown(stream: Handle): void {
    this.#submit(stream, Operation.shutdown, (flights) => {
      // It acts after the send in flight (C9): then only the port below knows when.
      const sending = (flights.busy & ((1 << Operation.send) | (1 << Operation.sendFile))) !== 0;
      const error = sending ? 0 : this.#dice.error(Operation.shutdown);
      if (error !== 0) return error;
      this.below.shutdown(stream);
      return 0;
    });
  }

  override watchPeer(stream: Handle): void {
    this.#submit(stream, Operation.watchPeer, () => {
      const error = this.backend.supports.peerClose ? this.#dice.error(Operation.watchPeer) : 0;
      if (error !== 0) return error;
      this.below.watchPeer(stream);
      return 0;
    });
  }

  override close(handle: Handle): void {
    this.below.close(handle);
    this.#begin(this.#flights.get(handle), Operation.close);
  }

  override reset(stream: Handle): void {
    this.below.reset(stream);
    this.#begin(this.#flights.get(stream), Operation.reset);
  }

  override detach(stream: Handle): void {
    this.below.detach(stream);
    this.#begin(this.#flights.get(stream), Operation.detach);
  }

  override stats(): PortStats {
    const { batches, completions } = this.#handover;
    return { ...this.below.stats(), pending: this.#pending, batches, completions };
  }

  override [Symbol.asyncDispose](): Promise<void> {
    this.#disposal ??= this.below[Symbol.asyncDispose]().then(() => this.#drained());
    return this.#disposal;
  }

  /** Submits below, or injects the error that `attempt` answers. A second one of a kind is refused (C3). */
  #submit(stream: Handle, operation: FaultyOperation, attempt: (flights: Flights) => number): void {
    // Throws what the port below throws for a stale handle or after disposal (C12).
    this.below.address(stream);
    const flights = this.#flights.get(stream);
    if (flights?.stream !== true) {
      // A listener, or no number: the port below says what is wrong with it.
      attempt(flights ?? { stream: false, busy: 0, credits: 0, connectError: 0 });
      return;
    }
    this.#demandFree(flights, operation);
    const error = attempt(flights);
    this.#begin(flights, operation);
    if (error !== 0) this.#inject(operation, stream, error, true);
  }

  #open(handle: Handle, stream: boolean): Flights {
    const flights = { stream, busy: 0, credits: 0, connectError: 0 };
    this.#flights.set(handle, flights);
    return flights;
  }

  #demandFree(flights: Flights, operation: Operation): void {
    const sending = (1 << Operation.send) | (1 << Operation.sendFile);
    const bits = ((1 << operation) & sending) !== 0 ? sending : 1 << operation;
    if ((flights.busy & bits) !== 0) {
      throw new BackendError('ERR_BACKEND_BUSY', 'an operation of this kind is in flight on this handle');
    }
  }

  #begin(flights: Flights | undefined, operation: Operation): void {
    if (flights === undefined) return;
    flights.busy |= 1 << operation;
    this.#pending++;
  }

  #inject(operation: Operation, handle: Handle, result: number, final: boolean): void {
    this.#trace(operation, handle, result);
    this.#hold(Math.max(1, this.#dice.turns()), [blankCompletion(operation, handle, result, final)]);
  }

  #trace(operation: Operation, handle: Handle, result: number): void {
    if (this.#onTrace !== undefined) trace(this.#onTrace, { operation, handle, result, raw: 'injected' });
  }

  /** Takes a batch of the port below out; it is valid only now. */
  #receive(batch: CompletionBatch): void {
    const completions: Completion[] = [];
    for (let index = 0; index < batch.length; index++) completions.push(this.#takeOut(batch, index));
    this.#hold(this.#dice.turns(), completions);
  }

  #takeOut(batch: CompletionBatch, index: number): Completion {
    const operation = batch.operation(index);
    const handle = batch.handle(index);
    let result = batch.result(index);
    const flights = this.#flights.get(handle);
    if (operation === Operation.connect && flights !== undefined && flights.connectError !== 0) {
      result = flights.connectError;
      flights.connectError = 0;
      this.#trace(operation, handle, result);
    }
    const completion = blankCompletion(operation, handle, result, true);
    if (operation === Operation.recv && result > 0) {
      completion.memory = batch.memory(index);
      completion.start = batch.start(index);
      completion.lease = batch.lease(index);
    }
    return completion;
  }

  #hold(turns: number, completions: readonly Completion[]): void {
    this.#held.push({ turns, completions });
    if (this.#armed || turns > 0) this.#arm();
    else this.#handOver();
  }

  #arm(): void {
    if (this.#armed) return;
    this.#armed = true;
    this.#dice.defer(() => {
      this.#armed = false;
      for (const held of this.#held) held.turns--;
      this.#handOver();
    });
  }

  /** Hands over everything that is due, in one batch, and waits for the rest. */
  #handOver(): void {
    const { gathering } = this.#handover;
    while (this.#held.length > 0 && (this.#held[0] as Held).turns <= 0) {
      for (const held of (this.#held.shift() as Held).completions) {
        const { operation, handle, result, final, memory, start, lease } = held;
        const record = gathering.push(operation, handle, result, final);
        record.memory = memory;
        record.start = start;
        record.lease = lease;
      }
    }
    if (gathering.length > 0 && this.#handover.deliver() > 0) {
      // Owed again after the sink threw (C19): the next turn brings them.
      this.#held.unshift({ turns: 1, completions: [] });
    }
    if (this.#held.length > 0) this.#arm();
    else if (this.#onDrained !== null) this.#onDrained();
  }

  /** The user is about to hear of a completion: the operation may be submitted again. */
  #settle({ operation, handle, result, final }: Completion): void {
    const flights = this.#flights.get(handle);
    if (flights === undefined) return;
    if (operation === Operation.accept) {
      if (result >= 0) {
        this.#open(result, true);
        flights.credits--;
      }
      if (flights.credits > 0 && result !== -Errno.ECANCELED) return;
    } else if (!final) return;
    flights.busy &= ~(1 << operation);
    this.#pending--;
    if (finals.includes(operation)) this.#flights.delete(handle);
  }

  #drained(): Promise<void> {
    return new Promise((resolve) => {
      this.#onDrained = () => {
        this.#flights.clear();
        this.#onDrained = null;
        resolve();
      };
      if (this.#held.length === 0) this.#onDrained();
    });
  }
}

function blankCompletion(operation: Operation, handle: Handle, result: number, final: boolean): Completion {
  return { operation, handle, result, final, memory: null, start: 0, lease: 0, endpoint: null, settled: false };
}

/** Bytes in the first `count` segments; 0 for segments that the port below shall refuse. */
function offeredBytes(segments: readonly Segment[], count: number): number {
  try {
    checkSegments(segments, count);
  } catch {
    return 0;
  }
  let total = 0;
  for (let index = 0; index < count; index++)
    total += (segments[index] as Segment).end - (segments[index] as Segment).start;
  return total;
}

/** Segments that cover the first `limit` bytes. */
function firstBytes(segments: readonly Segment[], limit: number): Segment[] {
  const parts: Segment[] = [];
  for (const { memory, start, end } of segments) {
    if (limit === 0) break;
    const length = Math.min(limit, end - start);
    if (length > 0) parts.push({ memory, start, end: start + length });
    limit -= length;
  }
  return parts;
}
