import type { Segment } from '../contract.js';
import { ControlWord, PIECE_WORDS, Verb } from '../ring.js';
import type { PortMemory } from './port-memory.js';

/** Words of the ring: many times the longest submission. */
const RING_WORDS = 16 * 1024;
/** The largest count that fits into a word; more is asked for by the next operation. */
const MAX_COUNT = 2 ** 30;
/** Pieces of one send; more complete short (C9). */
const MAX_PIECES = 64;
/** Words of a send before its pieces. */
const SEND_WORDS = 3;
const WORD = 2 ** 32;

/**
 * Where submissions wait until the native half reads them:
 *
 *     ┌──────┬──────┬─────┬──────┬───────────────┐
 *     │ recv │ slot │ max │ send │ …             │   `control[submissionWords]` words are used
 *     └──────┴──────┴─────┴──────┴───────────────┘
 */
export class Submissions {
  readonly words: Int32Array = new Int32Array(RING_WORDS);
  readonly #control: Int32Array;
  readonly #flush: () => void;

  /** @param flush makes the native half read everything at once */
  constructor(control: Int32Array, flush: () => void) {
    this.#control = control;
    this.#flush = flush;
  }

  get isEmpty(): boolean {
    return this.#control[ControlWord.submissionWords] === 0;
  }

  /**
   * Index of `count` words to be written now, all of them, and then published. Between the two nothing may run that could
   * submit; what unwinds there, as the end of a worker does at any call, leaves the words before alone.
   */
  #reserve(count: number): number {
    const at = this.#control[ControlWord.submissionWords] as number;
    if (at + count <= RING_WORDS) return at;
    this.#flush();
    return this.#control[ControlWord.submissionWords] as number;
  }

  /** What stands before `end` is for the native half, which parses it without asking whether it is whole. */
  #publish(end: number): void {
    this.#control[ControlWord.submissionWords] = end;
  }

  two(verb: number, subject: number): void {
    const at = this.#reserve(2);
    this.words[at] = verb;
    this.words[at + 1] = subject;
    this.#publish(at + 2);
  }

  three(verb: number, subject: number, argument: number): void {
    const at = this.#reserve(3);
    this.words[at] = verb;
    this.words[at + 1] = subject;
    this.words[at + 2] = argument;
    this.#publish(at + 3);
  }

  /** `recv` or `lowerRecvMax`. */
  receive(verb: number, slot: number, max: number): void {
    this.three(verb, slot, Math.min(max, MAX_COUNT));
  }

  accept(slot: number, credits: number): void {
    const at = this.#reserve(4);
    const { words } = this;
    words[at] = Verb.accept;
    words[at + 1] = slot;
    words[at + 2] = credits % WORD;
    words[at + 3] = credits / WORD;
    this.#publish(at + 4);
  }

  sendFile(slot: number, descriptor: number, offset: number, length: number): void {
    const at = this.#reserve(6);
    const { words } = this;
    words[at] = Verb.sendFile;
    words[at + 1] = slot;
    words[at + 2] = descriptor;
    words[at + 3] = offset % WORD;
    words[at + 4] = offset / WORD;
    words[at + 5] = Math.min(length, MAX_COUNT);
    this.#publish(at + 6);
  }

  /** Returns what the send borrows. */
  send(slot: number, portMemory: PortMemory, { memory, start, end }: Segment): Uint8Array {
    const id = portMemory.idOf(memory);
    const from = portMemory.offsetOf(memory) + start;
    const at = this.#reserve(SEND_WORDS + PIECE_WORDS);
    this.#writeSend(at, slot, 1);
    this.#writePiece(at + SEND_WORDS, id, from, end - start);
    this.#publish(at + SEND_WORDS + PIECE_WORDS);
    return memory;
  }

  /** As {@link send}, of the first `count` segments. */
  sendPieces(slot: number, portMemory: PortMemory, segments: readonly Segment[], count: number): Uint8Array[] {
    const borrowed: Uint8Array[] = [];
    // First, because making an id can fail, and a field of a segment be a user's code.
    const pieces: number[] = [];
    for (let index = 0; index < count && borrowed.length < MAX_PIECES; index++) {
      const { memory, start, end } = segments[index] as Segment;
      if (end === start) continue;
      borrowed.push(memory);
      pieces.push(portMemory.idOf(memory), portMemory.offsetOf(memory) + start, end - start);
    }
    const first = this.#reserve(SEND_WORDS + PIECE_WORDS * borrowed.length);
    this.#writeSend(first, slot, borrowed.length);
    let at = first + SEND_WORDS;
    for (let index = 0; index < pieces.length; index += 3) {
      this.#writePiece(at, pieces[index] as number, pieces[index + 1] as number, pieces[index + 2] as number);
      at += PIECE_WORDS;
    }
    this.#publish(at);
    return borrowed;
  }

  #writeSend(at: number, slot: number, pieces: number): void {
    const { words } = this;
    words[at] = Verb.send;
    words[at + 1] = slot;
    words[at + 2] = pieces;
  }

  #writePiece(at: number, id: number, from: number, length: number): void {
    const { words } = this;
    words[at] = id;
    words[at + 1] = from;
    words[at + 2] = from / WORD;
    words[at + 3] = Math.min(length, MAX_COUNT);
  }
}
