/**
 * What native backends and their JavaScript halves say to each other: words of 32 bits in memory that both see. A
 * submission is a few words, a completion is five; nothing else crosses per operation. `native/ring.h` is made of this
 * file (`pnpm --filter checks ring-header`), and a check keeps the two alike.
 */
import { Operation } from './contract.js';

/** The first word of a submission. Verbs that complete have the number of their operation. */
export const Verb: typeof Operation & {
  readonly closeSilently: 12;
  readonly lowerRecvMax: 13;
  readonly cancel: 14;
} = {
  ...Operation,
  /** As `close`, for what nobody waits for: its completion frees the slot, and is not shown. */
  closeSilently: 12,
  lowerRecvMax: 13,
  cancel: 14,
};

/*
 * Submissions, in words:
 *
 *   recv, lowerRecvMax         verb  slot  max
 *   send                       verb  slot  pieces   { memory  start (low)  start (high)  length } × pieces
 *   sendFile                   verb  slot  descriptor  offset (low)  offset (high)  length
 *   accept                     verb  slot  credits (low)  credits (high)
 *   cancel                     verb  slot  operation
 *   shutdown, watchPeer, close, reset, detach, closeSilently    verb  slot
 *
 * A slot stands for a stream or a listener; both sides reuse it after its last completion. Generations are the business
 * of the JavaScript half, which refuses stale handles before anything is written.
 */

/** Words of one piece of a send. Memory can begin behind the first 4 GiB of its `ArrayBuffer`. */
export const PIECE_WORDS = 4;

/**
 * Words of one completion, and what each of them is. `memory` is −1 where nothing was received; `start` of a failure is the
 * mechanism's own code, where it is another than the result.
 */
export const CompletionWord = { operation: 0, slot: 1, result: 2, memory: 3, start: 4 } as const;
export const COMPLETION_WORDS = 5;

/** Words that both halves read and write between turns. */
export const ControlWord = {
  /** Words of submissions that wait. */
  submissionWords: 0,
  /** Completions of the call into JavaScript that runs. */
  completionCount: 1,
  /** 1 while JavaScript was called by the native half, which reads submissions afterwards. */
  inWakeup: 2,
  /** 1 while something that is pending keeps the process alive. */
  referenced: 3,
  /** The slabs that are being filled, −1 for none. */
  openSmallSlab: 4,
  openLargeSlab: 5,
  /** How many slabs stand in the two free lists. */
  freeSmallSlabs: 6,
  freeLargeSlabs: 7,
} as const;
export const CONTROL_WORDS = 8;

/** Reads of no more than `SMALL_READ_BYTES` go into small slabs: one byte that stays pins no more than such a slab. */
export const SMALL_READ_BYTES = 2048;
export const SMALL_SLAB_BYTES: number = 8 * 1024;
export const LARGE_SLAB_BYTES: number = 64 * 1024;

/** Numbers of the options of a stream. */
export const StreamOption = { noDelay: 1, keepAlive: 2, recvBufferSize: 3, sendBufferSize: 4 } as const;

/** What the native half counts, in doubles: system calls by kind, calls into JavaScript, and calls out of it. */
export const CounterIndex = {
  waits: 0,
  controls: 1,
  reads: 2,
  writes: 3,
  accepts: 4,
  calls: 5,
  nativeCalls: 6,
} as const;
export const COUNTERS = 7;
