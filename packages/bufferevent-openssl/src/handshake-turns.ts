import { EventBase } from 'bufferevent';
import { argumentRangeError, argumentTypeError } from 'bufferevent-backend';

/**
 * Steps of handshakes (a flight that is made, a signature, a check of certificates) per turn of an event base: with
 * those of OpenSSL that take longest, some 10 ms.
 */
export const defaultHandshakeStepsPerTurn = 16;

/** A connection that takes part. */
export interface HandshakeTaker {
  /** The turns': it waits for a step, or one is granted to it. */
  turn: 'none' | 'waiting' | 'granted';
  /** It may go on: its next `take` will be granted. */
  granted(): void;
}

/**
 * Shares out the time that an event base spends on handshakes, so that a burst of them can't keep connections that are
 * open from being served: so many steps a turn, and who comes too late is called in one of the next, in the order of
 * coming.
 */
export class HandshakeTurns {
  static readonly #ofBases: WeakMap<EventBase, HandshakeTurns> = new WeakMap();

  readonly #base: EventBase;
  #perTurn: number = defaultHandshakeStepsPerTurn;
  #left: number = defaultHandshakeStepsPerTurn;
  #refilling = false;
  /** Who came to wait, first come first, from `#first` on; who has left meanwhile does not wait any more. */
  #queue: HandshakeTaker[] = [];
  #first = 0;
  #waiting = 0;

  private constructor(base: EventBase) {
    this.#base = base;
  }

  static of(base: EventBase): HandshakeTurns {
    let turns = HandshakeTurns.#ofBases.get(base);
    if (turns === undefined) {
      turns = new HandshakeTurns(base);
      HandshakeTurns.#ofBases.set(base, turns);
    }
    return turns;
  }

  get perTurn(): number {
    return this.#perTurn;
  }

  set perTurn(steps: number) {
    this.#left = steps;
    this.#perTurn = steps;
  }

  /** @returns whether `taker` may make a step now; if not, it will be told */
  take(taker: HandshakeTaker): boolean {
    if (taker.turn === 'waiting') return false;
    if (taker.turn === 'granted') {
      taker.turn = 'none';
      return true;
    }
    this.#refillSoon();
    if (this.#left <= 0 || this.#waiting > 0) {
      taker.turn = 'waiting';
      this.#waiting++;
      this.#queue.push(taker);
      return false;
    }
    this.#left--;
    return true;
  }

  /** The step that was taken cost nothing: too little had come for it. Who has waited longest gets it. */
  giveBack(): void {
    this.#left++;
    this.#grant();
  }

  /** Takes no part any more. */
  leave(taker: HandshakeTaker): void {
    if (taker.turn === 'waiting') this.#waiting--;
    taker.turn = 'none';
  }

  #refillSoon(): void {
    if (this.#refilling) return;
    this.#refilling = true;
    this.#base.clock.defer(() => this.#refill());
  }

  #refill(): void {
    this.#refilling = false;
    this.#left = this.#perTurn;
    this.#grant();
    if (this.#waiting > 0) this.#refillSoon();
  }

  #grant(): void {
    while (this.#left > 0 && this.#waiting > 0) {
      const taker = this.#queue[this.#first++] as HandshakeTaker;
      if (taker.turn !== 'waiting') continue;
      this.#left--;
      this.#waiting--;
      taker.turn = 'granted';
      taker.granted();
    }
    if (this.#waiting === 0 ? this.#queue.length > 0 : this.#first >= this.#perTurn) this.#forgetFront();
  }

  /** What was taken from the front is not kept, nor, where nobody waits any more, what has left. */
  #forgetFront(): void {
    this.#queue = this.#waiting === 0 ? [] : this.#queue.slice(this.#first);
    this.#first = 0;
  }
}

/**
 * How many steps of handshakes an event base makes in one turn of its loop (default
 * {@link defaultHandshakeStepsPerTurn}); `Infinity` lifts the limit. A handshake has one or two steps on each side. What
 * comes beyond waits for the next turn, in the order of coming. Throws `TypeError` for what is no base or no number,
 * `RangeError` for what is no positive integer.
 */
export function setHandshakeStepsPerTurn(base: EventBase, steps: number): void {
  if (!(base instanceof EventBase)) throw argumentTypeError('base', 'an EventBase', base);
  if (typeof steps !== 'number') throw argumentTypeError('steps', 'a number', steps);
  if (steps !== Infinity && (!Number.isSafeInteger(steps) || steps < 1)) {
    throw argumentRangeError('steps', 'an integer of at least 1', steps);
  }
  HandshakeTurns.of(base).perTurn = steps;
}
