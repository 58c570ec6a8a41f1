import { endedInsideError } from './errors.js';
import type { FlushMode } from './layer.js';
import type { StackHost, StackInside } from './layer-stack.js';
import type { LayerStage, StepOutcome } from './layer-stage.js';
import { gather } from './small-pieces.js';

/**
 * @internal The way down of a stack of layers: what the user wrote, the flushes and the end that come after it, and what
 * a layer that has failed still has to say. Each stage takes only what fits below it.
 *
 *      user ── top.encode ─► [ toPeer ] ─► … ─► bottom.encode ─► [ wire ] ─► transport
 *
 * Runs when the stack lets it, which calls no layer from inside another.
 */
export class LayerEncoding {
  readonly #stack: StackInside;
  readonly #host: StackHost;
  #failed = false;
  /** The flush that the bottom layer is done with, until the transport is told. */
  #flushed: FlushMode | null = null;

  constructor(stack: StackInside, host: StackHost) {
    this.#stack = stack;
    this.#host = host;
  }

  /** Encodes what the user wrote, as far as there is room below, and the end after it. */
  pump(): void {
    while (this.#encodeAll() && this.#stack.stages.length > 1 && !this.#stack.isOver());
  }

  /** The flush that has come down since the last call. */
  takeFlushed(): FlushMode | null {
    const flushed = this.#flushed;
    this.#flushed = null;
    return flushed;
  }

  /** From now on the top layer, and then those below it, encode in `mode`, until they are done with it. */
  askToFlush(mode: FlushMode): void {
    const top = this.#stack.stages.at(-1) as LayerStage;
    if (top.passes && top.flushing !== 'finished') top.flushing = mode;
  }

  /** Every layer once. The caller flushes the transport. @returns whether something moved */
  flush(): boolean {
    const moved = this.#encodeAll();
    this.#flushed = null;
    return moved;
  }

  /** Nothing is encoded any more. */
  fail(): void {
    this.#failed = true;
  }

  /** For another transport. */
  renew(): void {
    this.#failed = false;
    this.#flushed = null;
  }

  /**
   * What layers have left for their peers before one of them failed, an alert for instance, goes down to the wire as far
   * as those below take it. Nothing is encoded afterwards.
   */
  passLastWords(): void {
    let stage = this.#stack.stages.at(-1);
    for (; stage !== undefined && stage.below !== null; stage = stage.below) {
      const { toPeer, below } = stage;
      if (toPeer.length === 0 || this.#host.owes(stage.index) || below.encodingEnded || !below.passes) continue;
      below.outgoing.addBuffer(toPeer);
      try {
        for (let moved = true; moved && below.outgoing.length > 0; ) {
          const { result, consumed } = below.encode(Infinity, 'flush');
          moved = result === 'ok' && consumed > 0;
        }
      } catch {
        return; // It is the one that has failed, or another that can't go on: the first failure is told.
      }
    }
  }

  /** From the user down, each in the mode of the flush that has come to it. @returns whether something moved */
  #encodeAll(): boolean {
    let moved = false;
    let stage = this.#stack.stages.at(-1) ?? null;
    for (; stage !== null && !this.#stack.isOver(); stage = stage.below) {
      const mode = stage.flushing ?? 'normal';
      if (this.#encodeStage(stage, mode)) moved = true;
      if (mode === 'normal' || stage.encoding) continue;
      stage.flushing = null;
      if (stage.below === null) this.#flushed = mode;
      else if (stage.below.flushing !== 'finished') stage.below.flushing = mode;
    }
    return moved;
  }

  /** @returns whether something moved */
  #encodeStage(stage: LayerStage, mode: FlushMode): boolean {
    if (!stage.passes || stage.encodingEnded || this.#failed) return false;
    let moved = false;
    let forced = mode !== 'normal';
    for (;;) {
      const room = mode === 'normal' ? this.#roomBelow(stage) : Infinity;
      if (room <= 0 || this.#stack.isOver()) return moved;
      this.#fillOutgoing(stage, room);
      if (this.#stack.isOver()) return moved;
      const hasNew = stage.outgoing.length > 0 && !stage.encoderStarved;
      if (!hasNew && !stage.encodeAgain && !forced) break;
      forced = false;
      const outcome = this.#tryEncode(stage, room, mode);
      if (outcome === null) return moved;
      const { result, consumed, produced } = outcome;
      if (consumed + produced > 0) moved = true;
      if (result === 'pending') return moved;
      if (result === 'need-more' || consumed + produced === 0) {
        stage.encoderStarved = stage.outgoing.length > 0;
      } else stage.encodeAgain ||= produced > 0;
    }
    return this.#endEncoding(stage) || moved;
  }

  #tryEncode(stage: LayerStage, room: number, mode: FlushMode): StepOutcome | null {
    try {
      const outcome = stage.encode(room, mode);
      if (outcome.consumed > 0) stage.encoderStarved = false;
      return this.#stack.isOver() ? null : outcome;
    } catch (error) {
      if (!this.#stack.isOver()) this.#stack.fail('write', error as Error);
      return null;
    }
  }

  /**
   * Takes what the user wrote: only as much as fits below, so that what waits is seen in the user's own output. What the
   * layer above says comes behind what was written before that one was there.
   */
  #fillOutgoing(stage: LayerStage, room: number): void {
    const { outgoing } = stage;
    const before = outgoing.length;
    const max = stage.encoderStarved ? this.#stack.roomIn(before, true, 'write') : room - before;
    if (max > 0) this.#host.takeOutput(stage.index, outgoing, max);
    const { above } = stage;
    if (above !== null && !this.#host.owes(above.index)) gather(above.toPeer, outgoing, above.toPeer.length);
    if (outgoing.length > before) stage.encoderStarved = false;
  }

  #roomBelow({ below, toPeer }: LayerStage): number {
    if (below === null) return this.#host.wireRoom();
    return this.#stack.roomIn(below.outgoing.length + toPeer.length, below.encoderStarved, 'write');
  }

  /** The end goes down a stage at a time, after the last byte. @returns whether this stage ended now */
  #endEncoding(stage: LayerStage): boolean {
    const { above } = stage;
    const fedFully = above === null ? this.#host.outputEnded() : above.encodingEnded && above.toPeer.length === 0;
    if (!fedFully || (stage.outgoing.length > 0 && !stage.encoderStarved)) return false;
    for (;;) {
      const outcome = this.#tryEncode(stage, Infinity, 'finished');
      if (outcome === null || outcome.result === 'pending') return false;
      if (outcome.result === 'need-more' || outcome.consumed + outcome.produced === 0) break;
    }
    if (stage.outgoing.length > 0) {
      const rest = `${stage.outgoing.length} bytes that ${stage.layer.name} could not encode`;
      this.#stack.fail('write', endedInsideError(rest));
      return false;
    }
    try {
      stage.layer.end?.(stage.toPeer);
    } catch (error) {
      this.#stack.fail('write', error as Error);
      return false;
    }
    stage.encodingEnded = true;
    return true;
  }
}
