import { surface } from 'bufferevent-backend';
import { Evbuffer } from 'evbuffer';
import { freedError, heldTooMuchError } from './errors.js';
import type { EventBase } from './event-base.js';
import type { Direction } from './events.js';
import type { FlushMode, Layer } from './layer.js';
import { LayerDecoding } from './layer-decoding.js';
import { LayerEncoding } from './layer-encoding.js';
import { LayerStage, type StageOwner } from './layer-stage.js';

/**
 * So many bytes with what layers may have added to them, frames of records for instance: a mark that counted them too would
 * cut the last of some records in two.
 */
export function framed(bytes: number): number {
  return bytes + Math.floor(bytes / 32);
}

/** What waits between two layers, or in front of the first, before the side that it comes from has to rest. */
const STAGE_BYTES: number = framed(64 * 1024);

/** What the stack asks of the connection around it. */
export interface StackHost {
  readonly base: EventBase;
  /** The most that a layer may hold back because it needs more to go on. */
  readonly maxHeldBytes: number;
  /** The most that is decoded in one turn. */
  readonly bytesPerTurn: number;
  /** Room for payload above; 0 while the user wants none. */
  inputRoom(): number;
  /** Payload for the user: all of `payload`, which is empty afterwards. */
  deliver(payload: Evbuffer): void;
  /** The end, after all payload. */
  payloadEnded(): void;
  /** All layers have ended, some of them after the payload. */
  layersEnded(): void;
  /**
   * Moves up to `max` bytes of what the user wrote for the layer of that index, counted from the transport, to the back
   * of `target`. What was written before a layer was inserted goes to those below it.
   */
  takeOutput(layer: number, target: Evbuffer, max: number): number;
  /** Whether bytes that were written before the layer of that index was inserted are still in the output. */
  owes(layer: number): boolean;
  /** Whether the user has ended the output and all of it was taken. */
  outputEnded(): boolean;
  /** Room for bytes on the wire. */
  wireRoom(): number;
  /** Every handshake is done; `shaken` when there was one. */
  layersOpened(shaken: boolean): void;
  layersFailed(direction: Direction | undefined, error: Error): void;
  /** A flush that had to wait for a layer has come down: what it has encoded is in `wire`. */
  flushedLate(mode: FlushMode): void;
  /** Look again at the end of the turn. */
  wake(): void;
}

/** The insides of a stack that its two directions use. */
export interface StackInside {
  /** From the transport up. */
  readonly stages: readonly LayerStage[];
  /** Whether every layer has heard its end. */
  readonly decodingEnded: boolean;
  readonly isFreed: boolean;
  /** Whether no layer may be called any more, because one has failed or all are freed. */
  isOver(): boolean;
  /** A handshake is done. */
  stageOpened(): void;
  /** Room between layers, where `held` bytes wait. Who can do nothing with all of them gets more, up to a bound. */
  roomIn(held: number, starved: boolean, direction: Direction): number;
  /** Ends a direction, or without one the connection, which could not be made (FI-2). Told once. */
  fail(direction: Direction | undefined, error: Error): void;
}

/**
 * The layers of one connection, driven from the turn of its base. Bytes go up as far as there is room above, and down
 * as far as there is room below; nothing is called from inside a layer, nothing polls. Here is which layers there are,
 * when they may be called, and what becomes of them; {@link LayerDecoding} and {@link LayerEncoding} call them.
 *
 *      user    output ─► top.encode ─► … ─► bottom.encode ─► wire ─► transport
 *      user    input ◄─ top.decode ◄─ … ◄─ bottom.decode ◄───────── transport
 */
export class LayerStack implements StageOwner, StackInside {
  readonly base: EventBase;
  /** Bytes that the transport sends. */
  readonly wire: Evbuffer = new Evbuffer();
  readonly stages: LayerStage[] = [];
  readonly #host: StackHost;
  readonly #decoding: LayerDecoding;
  readonly #encoding: LayerEncoding;
  #started = false;
  #shaken = false;
  #failed = false;
  #hasLastWords = false;
  #freed = false;
  #running = false;

  constructor(host: StackHost) {
    this.base = host.base;
    this.#host = host;
    this.#decoding = new LayerDecoding(this, host);
    this.#encoding = new LayerEncoding(this, host);
  }

  get layers(): readonly Layer[] {
    return this.stages.map(({ layer }) => layer);
  }

  /** Whether payload passes. */
  get isOpen(): boolean {
    for (const stage of this.stages) if (!stage.isOpen) return false;
    return true;
  }

  /** Whether nothing of what was taken from the output is still on its way to the transport. */
  get isDrained(): boolean {
    if (this.wire.length > 0) return false;
    for (const stage of this.stages) if (stage.holdsOutput) return false;
    return true;
  }

  /** Whether a layer has failed, and the transport has not: what is in `wire` was for the peer to know (an alert). */
  get hasLastWords(): boolean {
    return this.#hasLastWords;
  }

  /** Whether our side has ended in every layer; what is in `wire` are the last bytes. */
  get encodingEnded(): boolean {
    return this.#bottom().encodingEnded;
  }

  /** Whether every layer has heard its end: nothing more is to come from the transport. */
  get decodingEnded(): boolean {
    for (const { decodingEnded } of this.stages) if (!decodingEnded) return false;
    return true;
  }

  #bottom(): LayerStage {
    return this.stages[0] as LayerStage;
  }

  #top(): LayerStage {
    return this.stages.at(-1) as LayerStage;
  }

  /** Puts a layer under the user, on top of those that are there. Throws what its `attach` throws; nothing has changed then. */
  push(layer: Layer): Promise<void> {
    const below = this.stages.at(-1) ?? null;
    let stage!: LayerStage;
    const opened = new Promise<void>((resolve, reject) => {
      stage = new LayerStage(this, layer, below, below === null ? this.wire : new Evbuffer(), (error) =>
        error === null ? resolve() : reject(error),
      );
    });
    // Nobody has to wait for it: a failure is an event too.
    opened.catch(() => {});
    const { toPeer } = stage;
    const before = toPeer.length;
    try {
      layer.attach?.(stage);
    } catch (error) {
      const others = toPeer.take(before);
      toPeer.clear();
      toPeer.addBuffer(others);
      throw error;
    }
    this.stages.push(stage);
    if (below !== null) {
      below.above = stage;
      if (below.decodingEnded) stage.incomingEnded = true;
    }
    if (stage.isOpen) stage.settleOpen(null);
    return opened;
  }

  /** Whether all layers can begin anew, and none is being called. */
  get isRenewable(): boolean {
    return !this.#running && this.stages.every(({ layer }) => layer.renew !== undefined);
  }

  /**
   * Another transport comes, or none for now: all layers begin anew with the next {@link start}. What one of them throws
   * leaves this; nothing is called any more then, until another `renew()`.
   */
  renew(): void {
    this.#failed = true;
    for (const stage of this.stages) stage.renew();
    this.#started = false;
    this.#shaken = false;
    this.#failed = false;
    this.#hasLastWords = false;
    this.#encoding.renew();
  }

  /** The transport is open: handshakes begin. */
  start(): void {
    this.#started = true;
    this.#checkOpen();
    this.#host.wake();
  }

  /** Bytes that the transport may ask for. `wanted`: the user would take payload. */
  appetite(wanted: boolean): number {
    const bottom = this.#bottom();
    if (this.#failed || bottom.decodingEnded || bottom.incomingEnded) return 0;
    // Behind the end of the top layer come the end markers of those below.
    if (!wanted && this.isOpen && !this.#top().decodingEnded && !this.#wantsInput()) return 0;
    const held = bottom.incoming.length;
    return bottom.decoderStarved ? STAGE_BYTES : Math.max(0, STAGE_BYTES - held);
  }

  #wantsInput(): boolean {
    for (const { layer, decodingEnded } of this.stages) if (layer.wantsInput === true && !decodingEnded) return true;
    return false;
  }

  /** The buffer that bytes from the transport are added to; then {@link arrived}. */
  get arriving(): Evbuffer {
    return this.#bottom().incoming;
  }

  /** The buffer of bytes that the newest layer has not decoded. */
  get arrivingAtTop(): Evbuffer {
    return this.#top().incoming;
  }

  arrived(): void {
    this.#bottom().decoderStarved = false;
    this.pumpIn();
  }

  /** The transport has ended. */
  transportEnded(): void {
    this.#bottom().incomingEnded = true;
    this.pumpIn();
  }

  stageWoken(): void {
    this.#host.wake();
  }

  /** The connection has failed for a reason of its own. `handshaking` goes no further after a time-out of it. */
  connectionFailed(error: Error, handshaking: boolean): void {
    if (handshaking) this.#failed = true;
    this.#hasLastWords = false;
    for (const stage of this.stages) stage.settleOpen(error);
  }

  stageFailed(error: Error): void {
    this.#fail(undefined, error, this.#running);
  }

  /** Decodes what is there, as far as there is room above. */
  pumpIn(): void {
    if (!this.#enter()) return;
    try {
      this.#decoding.pump();
    } finally {
      this.#leave();
    }
  }

  /** Encodes what the user wrote, as far as there is room below, and the end after it. */
  pumpOut(): void {
    const wanted = this.#wantsInput();
    if (this.#enter()) {
      try {
        this.#encoding.pump();
      } finally {
        this.#leave();
      }
    }
    // Encoding may have begun what needs an answer, a negotiation for instance, which may have come already.
    if (!wanted && this.#wantsInput()) this.#host.wake();
    const flushed = this.#encoding.takeFlushed();
    if (flushed !== null && !this.isOver()) this.#host.flushedLate(flushed);
  }

  /** Whether a flush waits for a layer that answered `pending`. */
  get isFlushing(): boolean {
    return this.stages.some((stage) => stage.flushing !== null);
  }

  /**
   * Runs the layers of one direction: as convenient in mode `normal`, else each at least once and without a limit (FI-3).
   * One that encodes elsewhere is waited for: those below have their turn when it is done.
   * @returns whether one of them did something
   */
  flush(direction: Direction, mode: FlushMode): boolean {
    if (direction === 'write' && mode !== 'normal' && this.#started) this.#encoding.askToFlush(mode);
    if (!this.#enter()) return false;
    try {
      return direction === 'write' ? this.#encoding.flush() : this.#decoding.flush(mode);
    } finally {
      this.#leave();
    }
  }

  /** A layer that is being called is freed when it has returned. */
  free(): void {
    this.#freed = true;
    if (!this.#running) this.#letGo();
  }

  #letGo(): void {
    for (const stage of this.stages) {
      try {
        stage.free();
      } catch (error) {
        surface(error);
      }
      // An error takes its stack trace with it, for nobody in most cases.
      if (stage.isAwaited) stage.settleOpen(freedError());
    }
    this.#decoding.clear();
    this.wire.clear();
  }

  get isFreed(): boolean {
    return this.#freed;
  }

  isOver(): boolean {
    return this.#failed || this.#freed;
  }

  /**
   * Layers are never called from inside one another: what they cause meanwhile is looked at afterwards.
   * @returns whether they may be called now, until {@link #leave}
   */
  #enter(): boolean {
    if (this.isOver() || !this.#started) return false;
    if (this.#running) {
      this.#host.wake();
      return false;
    }
    this.#running = true;
    return true;
  }

  #leave(): void {
    this.#running = false;
    if (this.#freed) this.#letGo();
  }

  roomIn(held: number, starved: boolean, direction: Direction): number {
    if (!starved) return Math.max(0, STAGE_BYTES - held);
    if (held < this.#host.maxHeldBytes) return STAGE_BYTES;
    this.fail(direction, heldTooMuchError(held));
    return 0;
  }

  stageOpened(): void {
    this.#shaken = true;
    this.#checkOpen();
  }

  #checkOpen(): void {
    if (!this.#started || !this.isOpen) return;
    const shaken = this.#shaken;
    this.#shaken = false;
    this.#host.layersOpened(shaken);
  }

  fail(direction: Direction | undefined, error: Error): void {
    this.#fail(direction, error, false);
  }

  /** `calling`: from inside a layer's call, so that none can be called. */
  #fail(direction: Direction | undefined, error: Error, calling: boolean): void {
    if (this.isOver()) return;
    if (!calling) this.#encoding.passLastWords();
    if (direction === 'write') this.#encoding.fail();
    else this.#failed = true;
    for (const stage of this.stages) stage.settleOpen(error);
    this.#host.layersFailed(direction, error);
    this.#hasLastWords = true;
  }
}
