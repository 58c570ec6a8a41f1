import { Evbuffer } from 'evbuffer';
import { endedInsideError, heldTooMuchError } from './errors.js';
import type { FlushMode } from './layer.js';
import { noAnswerError } from './layer-answer.js';
import type { StackHost, StackInside } from './layer-stack.js';
import type { LayerStage, StepOutcome } from './layer-stage.js';
import { gather } from './small-pieces.js';

/**
 * @internal The way up of a stack of layers: handshakes, payload, and the ends that come after it. Each stage decodes as
 * far as there is room above it; one that can do nothing with all that it has is starved until more comes.
 *
 *      user ◄─ top.decode ◄─ … ◄─ [ incoming ] bottom.decode ◄─ [ incoming ] ── transport
 *
 * Runs when the stack lets it, which calls no layer from inside another.
 */
export class LayerDecoding {
  readonly #stack: StackInside;
  readonly #host: StackHost;
  /** What one call has decoded; empty between calls. Made at first use: of connections that wait, nothing was decoded. */
  #decoded: Evbuffer | null = null;

  constructor(stack: StackInside, host: StackHost) {
    this.#stack = stack;
    this.#host = host;
  }

  /** Decodes what is there, as far as there is room above. */
  pump(): void {
    const { stages } = this.#stack;
    let budget = this.#host.bytesPerTurn;
    for (let moved = true; moved && !this.#stack.isOver(); ) {
      moved = false;
      for (const stage of stages) {
        const held = stage.incoming.length;
        const delivered = this.#decodeStage(stage, budget);
        // Above there is something to do, or below there is room for it.
        if (delivered > 0 || stage.incoming.length < held) moved = stages.length > 1;
        if (stage.above === null) budget -= delivered;
        if (this.#stack.isOver()) return;
      }
      if (budget <= 0) {
        const { base } = this.#host;
        base.clock.defer(() => base.inTurn(() => this.#host.wake()));
        return;
      }
    }
  }

  /** As convenient in mode `normal`, else each layer at least once and without a limit (FI-3). @returns whether something moved */
  flush(mode: FlushMode): boolean {
    let moved = false;
    for (const stage of this.#stack.stages) {
      if (this.#stack.isOver() || !stage.passes) break;
      if (this.#flushStage(stage, mode)) moved = true;
    }
    return moved;
  }

  clear(): void {
    this.#decoded?.clear();
  }

  /** @returns the bytes that went up */
  #decodeStage(stage: LayerStage, budget: number): number {
    if (!stage.isOpen && !this.#shake(stage)) return 0;
    let delivered = 0;
    while (!stage.decodingEnded && !this.#stack.isOver() && delivered < budget) {
      const finishing = stage.incomingEnded && (stage.incoming.length === 0 || stage.decoderStarved);
      const hasNew = stage.incoming.length > 0 && !stage.decoderStarved;
      if (!hasNew && !stage.decodeAgain && !finishing) break;
      const room = Math.max(0, Math.min(this.#roomAbove(stage), budget - delivered));
      if (room === 0 && (stage.layer.wantsInput !== true || this.#stack.isOver())) break;
      const outcome = this.#tryDecode(stage, room, finishing ? 'finished' : 'normal');
      // It may have had no room for what it has.
      if (room === 0) stage.decodeAgain = true;
      if (outcome === null) break;
      const { result, consumed, produced } = outcome;
      delivered += produced;
      if (result === 'end') this.#endDecoding(stage);
      else if (result === 'pending') break;
      else if (result === 'need-more' || consumed + produced === 0) {
        if (finishing) this.#transportEndReached(stage);
        else this.#starve(stage);
        if (!stage.incomingEnded) break;
      } else stage.decodeAgain ||= produced > 0;
    }
    return delivered;
  }

  /** @returns whether something moved */
  #flushStage(stage: LayerStage, mode: FlushMode): boolean {
    if (mode === 'normal') return this.#decodeStage(stage, this.#host.bytesPerTurn) > 0;
    let moved = false;
    while (!stage.decodingEnded) {
      const outcome = this.#tryDecode(stage, Infinity, mode);
      if (outcome === null) break;
      const { result, consumed, produced } = outcome;
      if (consumed + produced > 0) moved = true;
      if (result === 'end') this.#endDecoding(stage);
      if (result !== 'ok' || consumed + produced === 0) break;
    }
    return moved;
  }

  #tryDecode(stage: LayerStage, room: number, mode: FlushMode): StepOutcome | null {
    this.#decoded ??= new Evbuffer();
    const decoded = this.#decoded;
    let outcome: StepOutcome;
    try {
      outcome = stage.decode(decoded, room, mode);
    } catch (error) {
      this.#passUp(stage, decoded);
      if (!this.#stack.isOver()) this.#stack.fail('read', error as Error);
      return null;
    }
    if (outcome.consumed > 0) stage.decoderStarved = false;
    this.#passUp(stage, decoded);
    return outcome;
  }

  #passUp({ above }: LayerStage, decoded: Evbuffer): void {
    if (decoded.length === 0) return;
    if (this.#stack.isFreed) decoded.clear();
    else if (above === null) this.#host.deliver(decoded);
    else if (above.decodingEnded) decoded.clear();
    else {
      gather(decoded, above.incoming, decoded.length);
      above.decoderStarved = false;
    }
  }

  #roomAbove({ above }: LayerStage): number {
    if (above === null) return this.#host.inputRoom();
    return this.#stack.roomIn(above.incoming.length, above.decoderStarved || above.decodingEnded, 'read');
  }

  #starve(stage: LayerStage): void {
    stage.decoderStarved = true;
    const held = stage.incoming.length;
    if (held >= this.#host.maxHeldBytes) this.#stack.fail(stage.isOpen ? 'read' : undefined, heldTooMuchError(held));
  }

  #transportEndReached(stage: LayerStage): void {
    const rest = stage.incoming.length;
    if (rest === 0) this.#endDecoding(stage);
    else this.#stack.fail('read', endedInsideError(`${rest} bytes that ${stage.layer.name} could not decode`));
  }

  #endDecoding(stage: LayerStage): void {
    stage.decodingEnded = true;
    stage.incoming.clear();
    const { above } = stage;
    if (above === null) this.#host.payloadEnded();
    else {
      above.incomingEnded = true;
      if (this.#stack.decodingEnded) this.#host.layersEnded();
    }
  }

  /** @returns whether the stage is open now */
  #shake(stage: LayerStage): boolean {
    if (stage.below !== null && !stage.below.passes) return false;
    const hasNew = stage.incoming.length > 0 && !stage.decoderStarved;
    if (!hasNew && !stage.decodeAgain && !stage.incomingEnded) return false;
    let result: 'done' | 'need-more' | 'pending';
    try {
      stage.decodeAgain = false;
      result = stage.layer.handshake?.(stage.incoming) ?? 'done';
      if (result !== 'done' && result !== 'need-more' && result !== 'pending') {
        throw noAnswerError(stage.layer, 'handshake', result);
      }
    } catch (error) {
      if (!this.#stack.isOver()) this.#stack.fail(undefined, error as Error);
      return false;
    }
    if (this.#stack.isOver()) return false;
    if (result === 'done') {
      stage.decoderStarved = false;
      stage.isOpen = true;
      stage.settleOpen(null);
      this.#stack.stageOpened();
      return !this.#stack.isOver();
    }
    if (result === 'pending') stage.decoderStarved = false;
    else if (stage.incomingEnded) this.#stack.fail(undefined, endedInsideError(`the handshake of ${stage.layer.name}`));
    else this.#starve(stage);
    return false;
  }
}
