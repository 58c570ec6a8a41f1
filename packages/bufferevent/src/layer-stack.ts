import { surface } from 'bufferevent-backend';
import { Evbuffer } from 'evbuffer';
import { BuffereventError, freedError } from './errors.js';
import type { EventBase } from './event-base.js';
import type { Direction } from './events.js';
import type { FlushMode, Layer } from './layer.js';
import { LayerStage, type StageOwner, type StepOutcome } from './layer-stage.js';

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

/**
 * The layers of one connection, driven from the turn of its base. Bytes go up as far as there is room above, and down
 * as far as there is room below; nothing is called from inside a layer, nothing polls.
 *
 *      user    output ─► top.encode ─► … ─► bottom.encode ─► wire ─► transport
 *      user    input ◄─ top.decode ◄─ … ◄─ bottom.decode ◄───────── transport
 */
export class LayerStack implements StageOwner {
  readonly base: EventBase;
  /** Bytes that the transport sends. */
  readonly wire: Evbuffer = new Evbuffer();
  readonly #host: StackHost;
  /** From the transport up. */
  readonly #stages: LayerStage[] = [];
  readonly #decoded: Evbuffer = new Evbuffer();
  #started = false;
  #shaken = false;
  #failed = false;
  #encodingFailed = false;
  #hasLastWords = false;
  #freed = false;
  #running = false;
  /** The flush that the bottom layer is done with, until the transport is told. */
  #flushed: FlushMode | null = null;

  constructor(host: StackHost) {
    this.base = host.base;
    this.#host = host;
  }

  get layers(): readonly Layer[] {
    return this.#stages.map(({ layer }) => layer);
  }

  /** Whether payload passes. */
  get isOpen(): boolean {
    return this.#stages.every(({ isOpen }) => isOpen);
  }

  /** Whether nothing of what was taken from the output is still on its way to the transport. */
  get isDrained(): boolean {
    return this.wire.length === 0 && !this.#stages.some((stage) => stage.holdsOutput);
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
    return this.#stages.every(({ decodingEnded }) => decodingEnded);
  }

  #bottom(): LayerStage {
    return this.#stages[0] as LayerStage;
  }

  #top(): LayerStage {
    return this.#stages.at(-1) as LayerStage;
  }

  /** Puts a layer under the user, on top of those that are there. Throws what its `attach` throws; nothing has changed then. */
  push(layer: Layer): Promise<void> {
    const below = this.#stages.at(-1);
    let stage!: LayerStage;
    const opened = new Promise<void>((resolve, reject) => {
      stage = new LayerStage(this, layer, below === undefined ? this.wire : new Evbuffer(), (error) =>
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
    this.#stages.push(stage);
    if (below?.decodingEnded) stage.incomingEnded = true;
    if (stage.isOpen) stage.settleOpen(null);
    return opened;
  }

  /** Whether all layers can begin anew, and none is being called. */
  get isRenewable(): boolean {
    return !this.#running && this.#stages.every(({ layer }) => layer.renew !== undefined);
  }

  /**
   * Another transport comes, or none for now: all layers begin anew with the next {@link start}. What one of them throws
   * leaves this; nothing is called any more then, until another `renew()`.
   */
  renew(): void {
    this.#failed = true;
    for (const stage of this.#stages) stage.renew();
    this.#started = false;
    this.#shaken = false;
    this.#failed = false;
    this.#encodingFailed = false;
    this.#hasLastWords = false;
    this.#flushed = null;
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
    for (const { layer, decodingEnded } of this.#stages) if (layer.wantsInput === true && !decodingEnded) return true;
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
    for (const stage of this.#stages) stage.settleOpen(error);
  }

  stageFailed(error: Error): void {
    this.#fail(undefined, error, this.#running);
  }

  /** Decodes what is there, as far as there is room above. */
  pumpIn(): void {
    this.#run(() => {
      let budget = this.#host.bytesPerTurn;
      for (let moved = true; moved && !this.#over(); ) {
        moved = false;
        for (const stage of this.#stages) {
          const delivered = this.#decodeStage(stage, budget);
          if (delivered > 0) moved = this.#stages.length > 1;
          if (stage === this.#top()) budget -= delivered;
          if (this.#over()) return;
        }
        if (budget <= 0) {
          this.base.clock.defer(() => this.base.inTurn(() => this.#host.wake()));
          return;
        }
      }
    });
  }

  /** Encodes what the user wrote, as far as there is room below, and the end after it. */
  pumpOut(): void {
    this.#run(() => {
      while (this.#encodeAll() && this.#stages.length > 1 && !this.#over());
    });
    const flushed = this.#flushed;
    this.#flushed = null;
    if (flushed !== null && !this.#over()) this.#host.flushedLate(flushed);
  }

  /** Whether a flush waits for a layer that answered `pending`. */
  get isFlushing(): boolean {
    return this.#stages.some((stage) => stage.flushing !== null);
  }

  /**
   * Runs the layers of one direction: as convenient in mode `normal`, else each at least once and without a limit (FI-3).
   * One that encodes elsewhere is waited for: those below have their turn when it is done.
   * @returns whether one of them did something
   */
  flush(direction: Direction, mode: FlushMode): boolean {
    let moved = false;
    if (direction === 'write' && mode !== 'normal' && this.#started && this.#passes(this.#top())) {
      if (this.#top().flushing !== 'finished') this.#top().flushing = mode;
    }
    this.#run(() => {
      if (direction === 'write') {
        moved = this.#encodeAll();
        this.#flushed = null;
        return;
      }
      for (const stage of this.#stages) {
        if (this.#over() || !this.#passes(stage)) return;
        if (this.#flushIn(stage, mode)) moved = true;
      }
    });
    return moved;
  }

  /** A layer that is being called is freed when it has returned. */
  free(): void {
    this.#freed = true;
    if (!this.#running) this.#letGo();
  }

  #letGo(): void {
    for (const stage of this.#stages) {
      try {
        stage.free();
      } catch (error) {
        surface(error);
      }
      // An error takes its stack trace with it, for nobody in most cases.
      if (stage.isAwaited) stage.settleOpen(freedError());
    }
    this.#decoded.clear();
    this.wire.clear();
  }

  #over(): boolean {
    return this.#failed || this.#freed;
  }

  /** Layers are never called from inside one another: what they cause meanwhile is seen by the loops that run. */
  #run(pump: () => void): void {
    if (this.#running || this.#over() || !this.#started) return;
    this.#running = true;
    try {
      pump();
    } finally {
      this.#running = false;
      if (this.#freed) this.#letGo();
    }
  }

  /** Whether payload passes through a stage and all below it. */
  #passes(stage: LayerStage): boolean {
    for (const each of this.#stages) {
      if (!each.isOpen) return false;
      if (each === stage) return true;
    }
    return false;
  }

  #above(stage: LayerStage): LayerStage | undefined {
    return this.#stages[this.#stages.indexOf(stage) + 1];
  }

  #below(stage: LayerStage): LayerStage | undefined {
    const index = this.#stages.indexOf(stage);
    // −1 would be looked up as the name of a property, which is slow.
    return index > 0 ? this.#stages[index - 1] : undefined;
  }

  /** @returns the bytes that went up */
  #decodeStage(stage: LayerStage, budget: number): number {
    if (!stage.isOpen && !this.#shake(stage)) return 0;
    let delivered = 0;
    while (!stage.decodingEnded && !this.#over() && delivered < budget) {
      const room = Math.max(0, Math.min(this.#roomAbove(stage), budget - delivered));
      if (room === 0 && (stage.layer.wantsInput !== true || this.#over())) break;
      const finishing = stage.incomingEnded && (stage.incoming.length === 0 || stage.decoderStarved);
      const hasNew = stage.incoming.length > 0 && !stage.decoderStarved;
      if (!hasNew && !stage.decodeAgain && !finishing) break;
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
        else this.#starveDecoder(stage);
        if (!stage.incomingEnded) break;
      } else stage.decodeAgain ||= produced > 0;
    }
    return delivered;
  }

  #starveDecoder(stage: LayerStage): void {
    stage.decoderStarved = true;
    const held = stage.incoming.length;
    if (held >= this.#host.maxHeldBytes) this.#fail(stage.isOpen ? 'read' : undefined, heldTooMuch(held));
  }

  /** @returns whether something moved */
  #flushIn(stage: LayerStage, mode: FlushMode): boolean {
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
    let outcome: StepOutcome;
    try {
      outcome = stage.decode(this.#decoded, room, mode);
    } catch (error) {
      this.#passUp(stage);
      if (!this.#over()) this.#fail('read', error as Error);
      return null;
    }
    if (outcome.consumed > 0) stage.decoderStarved = false;
    this.#passUp(stage);
    return outcome;
  }

  #passUp(stage: LayerStage): void {
    if (this.#decoded.length === 0) return;
    if (this.#freed) {
      this.#decoded.clear();
      return;
    }
    const above = this.#above(stage);
    if (above === undefined) this.#host.deliver(this.#decoded);
    else if (above.decodingEnded) this.#decoded.clear();
    else {
      above.incoming.addBuffer(this.#decoded);
      above.decoderStarved = false;
    }
  }

  #roomAbove(stage: LayerStage): number {
    const above = this.#above(stage);
    if (above === undefined) return this.#host.inputRoom();
    return this.#roomIn(above.incoming.length, above.decoderStarved || above.decodingEnded, 'read');
  }

  /** Room between layers, where `held` bytes wait. Who can do nothing with all of them gets more, up to a bound. */
  #roomIn(held: number, starved: boolean, direction: Direction): number {
    if (!starved) return Math.max(0, STAGE_BYTES - held);
    if (held < this.#host.maxHeldBytes) return STAGE_BYTES;
    this.#fail(direction, heldTooMuch(held));
    return 0;
  }

  #transportEndReached(stage: LayerStage): void {
    const rest = stage.incoming.length;
    if (rest === 0) this.#endDecoding(stage);
    else this.#fail('read', endedInside(`${rest} bytes that ${stage.layer.name} could not decode`));
  }

  #endDecoding(stage: LayerStage): void {
    stage.decodingEnded = true;
    stage.incoming.clear();
    const above = this.#above(stage);
    if (above === undefined) this.#host.payloadEnded();
    else {
      above.incomingEnded = true;
      if (this.decodingEnded) this.#host.layersEnded();
    }
  }

  /** @returns whether the stage is open now */
  #shake(stage: LayerStage): boolean {
    const index = this.#stages.indexOf(stage);
    if (index > 0 && !this.#passes(this.#stages[index - 1] as LayerStage)) return false;
    const hasNew = stage.incoming.length > 0 && !stage.decoderStarved;
    if (!hasNew && !stage.decodeAgain && !stage.incomingEnded) return false;
    let result: 'done' | 'need-more' | 'pending';
    try {
      stage.decodeAgain = false;
      result = stage.layer.handshake?.(stage.incoming) ?? 'done';
    } catch (error) {
      if (!this.#over()) this.#fail(undefined, error as Error);
      return false;
    }
    if (this.#over()) return false;
    if (result === 'done') {
      stage.decoderStarved = false;
      stage.isOpen = true;
      this.#shaken = true;
      stage.settleOpen(null);
      this.#checkOpen();
      return !this.#over();
    }
    if (result === 'pending') stage.decoderStarved = false;
    else if (stage.incomingEnded) this.#fail(undefined, endedInside(`the handshake of ${stage.layer.name}`));
    else this.#starveDecoder(stage);
    return false;
  }

  #checkOpen(): void {
    if (!this.#started || !this.isOpen) return;
    const shaken = this.#shaken;
    this.#shaken = false;
    this.#host.layersOpened(shaken);
  }

  /** From the user down, each in the mode of the flush that has come to it. @returns whether something moved */
  #encodeAll(): boolean {
    let moved = false;
    for (let i = this.#stages.length - 1; i >= 0 && !this.#over(); i--) {
      const stage = this.#stages[i] as LayerStage;
      const mode = stage.flushing ?? 'normal';
      if (this.#encodeStage(stage, mode)) moved = true;
      if (mode === 'normal' || stage.encoding) continue;
      stage.flushing = null;
      const below = this.#stages[i - 1];
      if (below === undefined) this.#flushed = mode;
      else if (below.flushing !== 'finished') below.flushing = mode;
    }
    return moved;
  }

  /** @returns whether something moved */
  #encodeStage(stage: LayerStage, mode: FlushMode): boolean {
    if (!this.#passes(stage) || stage.encodingEnded || this.#encodingFailed) return false;
    let moved = false;
    let forced = mode !== 'normal';
    for (;;) {
      const room = mode === 'normal' ? this.#roomBelow(stage) : Infinity;
      if (room <= 0 || this.#over()) return moved;
      this.#fillOutgoing(stage, room);
      if (this.#over()) return moved;
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
      return this.#over() ? null : outcome;
    } catch (error) {
      if (!this.#over()) this.#fail('write', error as Error);
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
    const max = stage.encoderStarved ? this.#roomIn(before, true, 'write') : room - before;
    const index = this.#stages.indexOf(stage);
    if (max > 0) this.#host.takeOutput(index, outgoing, max);
    const above = this.#stages[index + 1];
    if (above !== undefined && !this.#host.owes(index + 1)) outgoing.addBuffer(above.toPeer);
    if (outgoing.length > before) stage.encoderStarved = false;
  }

  #roomBelow(stage: LayerStage): number {
    const below = this.#below(stage);
    if (below === undefined) return this.#host.wireRoom();
    return this.#roomIn(below.outgoing.length + stage.toPeer.length, below.encoderStarved, 'write');
  }

  /** The end goes down a stage at a time, after the last byte. @returns whether this stage ended now */
  #endEncoding(stage: LayerStage): boolean {
    const above = this.#above(stage);
    const fedFully = above === undefined ? this.#host.outputEnded() : above.encodingEnded && above.toPeer.length === 0;
    if (!fedFully || (stage.outgoing.length > 0 && !stage.encoderStarved)) return false;
    for (;;) {
      const outcome = this.#tryEncode(stage, Infinity, 'finished');
      if (outcome === null || outcome.result === 'pending') return false;
      if (outcome.result === 'need-more' || outcome.consumed + outcome.produced === 0) break;
    }
    if (stage.outgoing.length > 0) {
      this.#fail('write', endedInside(`${stage.outgoing.length} bytes that ${stage.layer.name} could not encode`));
      return false;
    }
    try {
      stage.layer.end?.(stage.toPeer);
    } catch (error) {
      this.#fail('write', error as Error);
      return false;
    }
    stage.encodingEnded = true;
    return true;
  }

  /**
   * What layers have left for their peers before one of them failed, an alert for instance, goes down to the wire as far
   * as those below take it. Nothing is encoded afterwards.
   */
  #passLastWords(): void {
    for (let i = this.#stages.length - 1; i > 0; i--) {
      const { toPeer } = this.#stages[i] as LayerStage;
      const below = this.#stages[i - 1] as LayerStage;
      if (toPeer.length === 0 || this.#host.owes(i) || below.encodingEnded || !this.#passes(below)) continue;
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

  /** `calling`: from inside a layer's call, so that none can be called. */
  #fail(direction: Direction | undefined, error: Error, calling = false): void {
    if (this.#over()) return;
    if (!calling) this.#passLastWords();
    if (direction === 'write') this.#encodingFailed = true;
    else this.#failed = true;
    for (const stage of this.#stages) stage.settleOpen(error);
    this.#host.layersFailed(direction, error);
    this.#hasLastWords = true;
  }
}

function heldTooMuch(bytes: number): BuffereventError {
  return new BuffereventError('ERR_BUFFEREVENT_LAYER_LIMIT', `a layer needs more than ${bytes} bytes to go on`);
}

function endedInside(what: string): BuffereventError {
  return new BuffereventError('ERR_BUFFEREVENT_UNEXPECTED_END', `the stream ended inside ${what}`);
}
