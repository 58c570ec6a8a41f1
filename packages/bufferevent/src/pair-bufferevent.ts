import { checkOptionNames, Errno, type OptionNames, systemError } from 'bufferevent-backend';
import { Evbuffer } from 'evbuffer';
import { checkObject } from './arguments.js';
import { Bufferevent } from './bufferevent.js';
import { EventBase } from './event-base.js';
import type { BuffereventHandlers, Direction } from './events.js';
import type { FlushMode } from './layer.js';

export interface PairOptions {
  /** Of the first and of the second. */
  readonly handlers?: readonly [BuffereventHandlers | undefined, BuffereventHandlers | undefined];
}

const optionNames: OptionNames<PairOptions> = { handlers: true };

/**
 * Two bufferevents without a transport: what one writes, the other receives. Both are connected from the start; as
 * everywhere, writing is enabled and reading is not. Bytes are moved, not copied, when the writer may write, the reader
 * reads and its input is below the high mark (PA-1).
 *
 * @param base default {@link EventBase.default}
 * @throws `TypeError`/`RangeError` for malformed and for unknown options
 */
export function createPair(
  base: EventBase = EventBase.default,
  options: PairOptions = {},
): [PairBufferevent, PairBufferevent] {
  checkObject('options', options);
  checkOptionNames('options', options, optionNames);
  return PairBufferevent.create(base, options);
}

/** One half of a pair; made by {@link createPair}. */
export class PairBufferevent extends Bufferevent {
  #partner: PairBufferevent | null = null;
  #open = true;
  #dirty = false;
  /** The partner has ended its output, and everything before that was received. */
  #peerEnded = false;
  #peerEndTold = false;
  /** The partner was cut off. */
  #peerReset = false;
  #shutDown = false;
  /** A flush has told an end that comes behind what did not fit at once. */
  #owesFlushedEnd = false;
  /** Bytes on their way to the partner; of this half alone, because watchers run meanwhile. */
  readonly #passing: Evbuffer = new Evbuffer();

  private constructor(base: EventBase, handlers: BuffereventHandlers | undefined) {
    super(base);
    if (handlers !== undefined) this.setHandlers(handlers);
    base.enter(this);
  }

  /** @internal */
  static create(
    base: EventBase,
    { handlers = [undefined, undefined] }: PairOptions,
  ): [PairBufferevent, PairBufferevent] {
    const first = new PairBufferevent(base, handlers[0]);
    const second = new PairBufferevent(base, handlers[1]);
    first.#partner = second;
    second.#partner = first;
    first.opened(false);
    second.opened(false);
    return [first, second];
  }

  /** The other half; `null` once it is closed. */
  get partner(): PairBufferevent | null {
    return this.#partner;
  }

  /** @internal */
  protected override get isOpen(): boolean {
    return this.#open;
  }

  /** @internal */
  protected override get isAlive(): boolean {
    return this.#open;
  }

  /** @internal Nobody else would ever move its bytes. */
  override holdProcess(): void {}

  /** @internal */
  override wake(): void {
    if (this.#dirty) return;
    this.#dirty = true;
    this.base.markDirty(this);
  }

  /** @internal */
  reconcile(): void {
    this.#dirty = false;
    if (!this.#open) {
      this.freeWhenTaken();
      return;
    }
    this.pump();
    this.#give();
    if (this.#partner !== null) this.#partner.#give();
    this.#hearEnd();
    if (!this.timeouts.timesProgress || !this.#open) return;
    this.timeouts.follow(this.isReading(this.readAllowance()), this.isWriting(this.writeAllowance()));
  }

  /** Hands over what may be handed over, then the end. */
  #give(): void {
    const partner = this.#partner;
    if (!this.#open) return;
    if (partner === null) {
      if (this.writeAllowance() > 0 || this.wantsShutdown) this.#peerIsGone();
      return;
    }
    const most = this.writeAllowance();
    const count = most === 0 ? 0 : Math.min(most, partner.readAllowance());
    if (count > 0) this.#pass(partner, count);
    this.#tellFlushedEnd();
    if (this.wantsShutdown && !this.#shutDown) {
      this.#shutDown = true;
      partner.#peerEnded = true;
      partner.wake();
      this.sentEnd();
    }
  }

  #tellFlushedEnd(): void {
    if (!this.#owesFlushedEnd || this.outputSide.length > 0 || !this.settled()) return;
    this.#owesFlushedEnd = false;
    this.#partner?.receivedEnd();
  }

  #pass(partner: PairBufferevent, max: number): boolean {
    const count = this.takeSendable(this.#passing, max, (bytes) => partner.receivedFrom(this.#passing, bytes));
    if (count === 0) return false;
    if (this.#open) this.wakeIfOwing();
    partner.#wakeIfAnswering();
    return true;
  }

  /** After bytes have come: of what may be sent or ended, only layers and `end()` can have changed something. */
  #wakeIfAnswering(): void {
    const mayAnswer = this.isLayered && this.owesMore;
    if (this.#open && (mayAnswer || this.ending || this.timeouts.timesProgress)) this.wake();
  }

  /** What is written now reaches nobody (as a socket says `EPIPE`); an end, all the same, has been said. */
  #peerIsGone(): void {
    if (this.writeAllowance() > 0) this.failed('write', systemError(-Errno.EPIPE, 'write'));
    else if (!this.#shutDown) {
      this.#shutDown = true;
      this.sentEnd();
    }
  }

  /** The end is noticed by reading, as on a socket: after the data, and not while reading rests. */
  #hearEnd(): void {
    if (!(this.#peerReset || this.#peerEnded) || !this.#open || this.readAllowance() === 0) return;
    if (this.#peerReset) {
      this.failed('read', systemError(-Errno.ECONNRESET, 'read'));
    } else if (this.#peerEnded && (!this.#peerEndTold || this.inputSide.gate.enabled)) {
      this.#peerEndTold = true;
      this.receivedEnd();
    }
  }

  /**
   * @internal `flush` and `finished` move without asking whether the directions are enabled; above the partner's high
   * mark everything, below it as much as fits (PA-4). `finished` tells the partner the end of what was flushed (PA-3).
   */
  protected override flushTransport(direction: Direction, mode: FlushMode): boolean {
    const partner = this.#partner;
    if (partner === null) return false;
    const from: PairBufferevent = direction === 'write' ? this : partner;
    const to: PairBufferevent = direction === 'write' ? partner : this;
    if (mode === 'normal') {
      const count = Math.min(from.writeAllowance(), to.readAllowance());
      return count > 0 && from.#pass(to, count);
    }
    const { high } = to.getWatermarks('read');
    const room = high === 0 || to.input.length >= high ? Infinity : high - to.input.length;
    const moved = from.#pass(to, room);
    from.#tellFlushedEnd();
    if (mode === 'finished') {
      if (direction === 'write') {
        this.#owesFlushedEnd = true;
        this.#tellFlushedEnd();
      } else partner.callbacks.event({ kind: 'eof', direction: 'write' });
    }
    return moved;
  }

  /** @internal Stays a member of the base until freed: bytes that nobody has taken yet end with the base. */
  protected override closeTransport(abrupt: boolean): void {
    this.timeouts.rest();
    if (this.freed) this.base.leave(this);
    if (!this.#open) return;
    this.#open = false;
    const partner = this.#partner;
    this.#partner = null;
    if (partner !== null) {
      partner.#partner = null;
      if (abrupt) partner.#peerReset = true;
      else partner.#peerEnded = true;
      partner.wake();
    }
    this.transportGoneSoon();
  }

  /** @internal */
  abandon(): void {
    this.free();
  }
}
