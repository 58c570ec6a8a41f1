import type { Segment } from '../contract.js';
import { ControlWord, PIECE_WORDS, Verb } from '../ring.js';
import type { PortMemory } from './port-memory.js';

/** Words of the ring: many times the longest submission. */
const RING_WORDS = 16 * 1024;
/** The largest count that fits into a word; more is asked for by the next operation. */
const MAX_COUNT = 2 ** 30;
/** Pieces of one send; more complete short (C9). */
const MAX_PIECES = 64;
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

  /** Index of `count` words to be written now, all of them. */
  take(count: number): number {
    let at = this.#control[ControlWord.submissionWords] as number;
    if (at + count > RING_WORDS) {
      this.#flush();
      at = this.#control[ControlWord.submissionWords] as number;
    }
    this.#control[ControlWord.submissionWords] = at + count;
    return at;
  }

  two(verb: number, subject: number): void {
    const at = this.take(2);
    this.words[at] = verb;
    this.words[at + 1] = subject;
  }

  three(verb: number, subject: number, argument: number): void {
    const at = this.take(3);
    this.words[at] = verb;
    this.words[at + 1] = subject;
    this.words[at + 2] = argument;
  }

  /** `recv` or `lowerRecvMax`. */
  receive(verb: number, slot: number, max: number): void {
    this.three(verb, slot, Math.min(max, MAX_COUNT));
  }

  accept(slot: number, credits: number): void {
    const at = this.take(4);
    const { words } = this;
    words[at] = Verb.accept;
    words[at + 1] = slot;
    words[at + 2] = credits % WORD;
    words[at + 3] = credits / WORD;
  }

  sendFile(slot: number, descriptor: number, offset: number, length: number): void {
    const at = this.take(6);
    const { words } = this;
    words[at] = Verb.sendFile;
    words[at + 1] = slot;
    words[at + 2] = descriptor;
    words[at + 3] = offset % WORD;
    words[at + 4] = offset / WORD;
    words[at + 5] = Math.min(length, MAX_COUNT);
  }

  /** Returns what the send borrows. */
  send(slot: number, memory: PortMemory, segment: Segment): Uint8Array {
    const id = memory.idOf(segment.memory);
    const at = this.take(3 + PIECE_WORDS);
    this.#writeSend(at, slot, 1);
    this.#writePiece(at + 3, id, memory, segment);
    return segment.memory;
  }

  /** As {@link send}, of the first `count` segments. */
  sendPieces(slot: number, memory: PortMemory, segments: readonly Segment[], count: number): Uint8Array[] {
    const borrowed: Uint8Array[] = [];
    // First, because making an id can fail, or flush.
    const ids: number[] = [];
    let pieces = 0;
    for (let index = 0; index < count && pieces < MAX_PIECES; index++) {
      const segment = segments[index] as Segment;
      if (segment.end === segment.start) continue;
      borrowed.push(segment.memory);
      ids.push(memory.idOf(segment.memory));
      pieces++;
    }
    const at = this.take(3 + PIECE_WORDS * pieces);
    let piece = 0;
    for (let index = 0; piece < pieces; index++) {
      const segment = segments[index] as Segment;
      if (segment.end === segment.start) continue;
      this.#writePiece(at + 3 + PIECE_WORDS * piece, ids[piece] as number, memory, segment);
      piece++;
    }
    this.#writeSend(at, slot, pieces);
    return borrowed;
  }

  #writeSend(at: number, slot: number, pieces: number): void {
    const { words } = this;
    words[at] = Verb.send;
    words[at + 1] = slot;
    words[at + 2] = pieces;
  }

  #writePiece(at: number, id: number, portMemory: PortMemory, { memory, start, end }: Segment): void {
    const { words } = this;
    const from = portMemory.offsetOf(memory) + start;
    words[at] = id;
    words[at + 1] = from;
    words[at + 2] = from / WORD;
    words[at + 3] = Math.min(end - start, MAX_COUNT);
  }
}
