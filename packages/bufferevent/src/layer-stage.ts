import { Evbuffer } from 'evbuffer';
import type { EventBase } from './event-base.js';
import type { FlushMode, Layer, LayerHost, LayerResult } from './layer.js';
import { noAnswerError } from './layer-answer.js';

/** What a stage asks of the stack that it is part of. */
export interface StageOwner {
  readonly base: EventBase;
  stageWoken(stage: LayerStage): void;
  stageFailed(error: Error): void;
}

/** What one call of a layer has come to. */
export interface StepOutcome {
  readonly result: LayerResult | 'end';
  /** Bytes that left the source. */
  consumed: number;
  /** Bytes that reached the target. */
  produced: number;
}

/**
 * One layer of one connection with its two buffers and how far its ends have come.
 *
 *      payload from above ─► [ outgoing ] ─ encode ─► [ toPeer ] ─► (outgoing of the stage below; the lowest one's is the wire)
 *      payload for above  ◄──── decode ─ [ incoming ] ◄───────────── (stage below, or the wire)
 */
export class LayerStage implements LayerHost {
  readonly base: EventBase;
  readonly layer: Layer;
  readonly toPeer: Evbuffer;
  /** Its place, counted from the transport. */
  readonly index: number;
  readonly below: LayerStage | null;
  above: LayerStage | null = null;
  /** Bytes from below that were not decoded yet. */
  readonly incoming: Evbuffer = new Evbuffer();
  /** Payload that was taken from above and not encoded yet. */
  readonly outgoing: Evbuffer = new Evbuffer();
  /** Payload passes. */
  isOpen: boolean;
  /** Nothing more comes from below. */
  incomingEnded = false;
  /** Decoding is over: the peer has ended this layer, or the transport. */
  decodingEnded = false;
  /** Encoding is over: our end marker is in `toPeer`. */
  encodingEnded = false;
  /** The last decode, or handshake, could do nothing with all of `incoming`. */
  decoderStarved = false;
  encoderStarved = false;
  /** To be called although nothing new is there: at the beginning, after it stopped at its limit, or asked to be woken. */
  decodeAgain: boolean;
  encodeAgain = false;
  /** The last encode answered `pending`: bytes are on their way through the layer. */
  encoding = false;
  /** A flush that the layer is not done with: encoding goes on in its mode, and then passes it on below. */
  flushing: FlushMode | null = null;
  readonly #owner: StageOwner;
  #onOpen: ((error: Error | null) => void) | null;
  #freed = false;

  /** @param below `null` for the lowest, which has the wire */
  constructor(
    owner: StageOwner,
    layer: Layer,
    below: LayerStage | null,
    toPeer: Evbuffer,
    onOpen: (error: Error | null) => void,
  ) {
    this.base = owner.base;
    this.layer = layer;
    this.index = below === null ? 0 : below.index + 1;
    this.below = below;
    this.toPeer = toPeer;
    this.isOpen = layer.handshake === undefined;
    this.decodeAgain = !this.isOpen;
    this.#owner = owner;
    this.#onOpen = onOpen;
  }

  /** Whether payload passes through it and all below it. */
  get passes(): boolean {
    return this.isOpen && (this.below === null || this.below.passes);
  }

  wake(): void {
    if (this.#freed) return;
    this.decodeAgain = true;
    this.encodeAgain = true;
    this.#owner.stageWoken(this);
  }

  fail(error: Error): void {
    if (!this.#freed) this.#owner.stageFailed(error);
  }

  /** Whether the outcome of opening has not been told. */
  get isAwaited(): boolean {
    return this.#onOpen !== null;
  }

  /** The outcome of opening, told once. */
  settleOpen(error: Error | null): void {
    const settle = this.#onOpen;
    this.#onOpen = null;
    settle?.(error);
  }

  /** Throws what the layer throws, and for an answer that is none. */
  decode(target: Evbuffer, limit: number, mode: FlushMode): StepOutcome {
    this.decodeAgain = false;
    const before = this.incoming.length;
    const result = this.layer.decode(this.incoming, target, limit, mode);
    if (result !== 'ok' && result !== 'need-more' && result !== 'pending' && result !== 'end') {
      throw noAnswerError(this.layer, 'decode', result);
    }
    return { result, consumed: before - this.incoming.length, produced: target.length };
  }

  /** Throws as {@link decode}. */
  encode(limit: number, mode: FlushMode): StepOutcome {
    this.encodeAgain = false;
    const before = this.outgoing.length;
    const filled = this.toPeer.length;
    const result = this.layer.encode(this.outgoing, this.toPeer, limit, mode);
    if (result !== 'ok' && result !== 'need-more' && result !== 'pending') {
      throw noAnswerError(this.layer, 'encode', result);
    }
    this.encoding = result === 'pending';
    return { result, consumed: before - this.outgoing.length, produced: this.toPeer.length - filled };
  }

  /** For another transport: as new, except payload that waits to be encoded. Throws what the layer throws. */
  renew(): void {
    this.layer.renew?.();
    this.incoming.clear();
    this.toPeer.clear();
    this.isOpen = this.layer.handshake === undefined;
    this.decodeAgain = !this.isOpen;
    this.incomingEnded = false;
    this.decodingEnded = false;
    this.encodingEnded = false;
    this.decoderStarved = false;
    this.encoderStarved = false;
    this.encodeAgain = false;
    this.encoding = false;
    this.flushing = null;
  }

  /** Whether payload is held on its way down. */
  get holdsOutput(): boolean {
    return this.outgoing.length > 0 || this.toPeer.length > 0 || this.encoding || this.encodeAgain;
  }

  free(): void {
    if (this.#freed) return;
    this.#freed = true;
    this.incoming.clear();
    this.outgoing.clear();
    this.toPeer.clear();
    this.layer.free?.();
  }
}
