import { surface } from 'bufferevent-backend';
import { Evbuffer } from 'evbuffer';
import { BuffereventError, freedError } from './errors.js';
import type { EventBase } from './event-base.js';
import type { Direction } from './events.js';
import type { FlushMode, Layer } from './layer.js';
import { LayerStage, type StageOwner, type StepOutcome } from './layer-stage.js';

/** What waits between two layers, or in front of the first, before the side that it comes from has to rest. */
const STAGE_BYTES: number = 64 * 1024;

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
  /**
   * Moves up to `max` bytes of what the user wrote for the layer of that index, counted from the transport, to the back
   * of `target`. What was written before a layer was inserted goes to those below it.
   */
  takeOutput(layer: number, target: Evbuffer, max: number): number;
  /** Whether the user has ended the output and all of it was taken. */
  outputEnded(): boolean;
  /** Room for bytes on the wire. */
  wireRoom(): number;
  /** Every handshake is done; `shaken` when there was one. */
  layersOpened(shaken: boolean): void;
  layersFailed(direction: Direction | undefined, error: Error): void;
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
  #freed = false;
  #running = false;

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

  /** Whether our side has ended in every layer; what is in `wire` are the last bytes. */
  get encodingEnded(): boolean {
    return this.#bottom.encodingEnded;
  }

  get #bottom(): LayerStage {
    return this.#stages[0] as LayerStage;
  }

  get #top(): LayerStage {
    return this.#stages.at(-1) as LayerStage;
  }

  /** Puts a layer under the user, on top of those that are there. Throws what its `attach` throws; nothing has changed then. */
  push(layer: Layer): Promise<void> {
    const below = this.#stages.at(-1);
    let stage!: LayerStage;
    const opened = new Promise<void>((resolve, reject) => {
      stage = new LayerStage(this, layer, below?.outgoing ?? this.wire, (error) =>
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

  /** The transport is open: handshakes begin. */
  start(): void {
    this.#started = true;
    this.#checkOpen();
    this.#host.wake();
  }

  /** Bytes that the transport may ask for. `wanted`: the user would take payload. */
  appetite(wanted: boolean): number {
    const bottom = this.#bottom;
    if (this.#failed || bottom.decodingEnded || bottom.incomingEnded) return 0;
    if (!wanted && this.isOpen) return 0;
    const held = bottom.incoming.length;
    return bottom.decoderStarved ? STAGE_BYTES : Math.max(0, STAGE_BYTES - held);
  }

  /** The buffer that bytes from the transport are added to; then {@link arrived}. */
  get arriving(): Evbuffer {
    return this.#bottom.incoming;
  }

  /** The buffer of bytes that the newest layer has not decoded. */
  get arrivingAtTop(): Evbuffer {
    return this.#top.incoming;
  }

  arrived(): void {
    this.#bottom.decoderStarved = false;
    this.pumpIn();
  }

  /** The transport has ended. */
  transportEnded(): void {
    this.#bottom.incomingEnded = true;
    this.pumpIn();
  }

  stageWoken(): void {
    this.#host.wake();
  }

  stageFailed(error: Error): void {
    this.#fail(undefined, error);
  }

  /** Decodes what is there, as far as there is room above. */
  pumpIn(): void {
    this.#run(() => {
      let budget = this.#host.bytesPerTurn;
      for (let moved = true; moved && !this.#over; ) {
        moved = false;
        for (const stage of this.#stages) {
          const delivered = this.#decodeStage(stage, budget);
          if (delivered > 0) moved = this.#stages.length > 1;
          if (stage === this.#top) budget -= delivered;
          if (this.#over) return;
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
      for (let moved = true; moved && !this.#over; ) {
        moved = false;
        for (let i = this.#stages.length - 1; i >= 0 && !this.#over; i--) {
          if (this.#encodeStage(this.#stages[i] as LayerStage, 'normal')) moved = this.#stages.length > 1;
        }
      }
    });
  }

  /** Runs every layer of one direction at least once, without a limit (FI-3). @returns whether one of them did something */
  flush(direction: Direction, mode: FlushMode): boolean {
    let moved = false;
    this.#run(() => {
      const order = direction === 'read' ? this.#stages : [...this.#stages].reverse();
      for (const stage of order) {
        if (this.#over || !this.#passes(stage)) return;
        if (direction === 'read') {
          const outcome = this.#tryDecode(stage, Infinity, mode);
          if (outcome !== null && outcome.consumed + outcome.produced > 0) moved = true;
        } else if (this.#encodeStage(stage, mode)) moved = true;
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
      stage.settleOpen(freedError());
    }
    this.#decoded.clear();
    this.wire.clear();
  }

  get #over(): boolean {
    return this.#failed || this.#freed;
  }

  /** Layers are never called from inside one another: what they cause meanwhile is seen by the loops that run. */
  #run(pump: () => void): void {
    if (this.#running || this.#over || !this.#started) return;
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

  /** @returns the bytes that went up */
  #decodeStage(stage: LayerStage, budget: number): number {
    if (!stage.isOpen && !this.#shake(stage)) return 0;
    let delivered = 0;
    while (!stage.decodingEnded && !this.#over && delivered < budget) {
      const room = Math.min(this.#roomAbove(stage), budget - delivered);
      if (room <= 0) break;
      const finishing = stage.incomingEnded && (stage.incoming.length === 0 || stage.decoderStarved);
      const hasNew = stage.incoming.length > 0 && !stage.decoderStarved;
      if (!hasNew && !stage.decodeAgain && !finishing) break;
      const outcome = this.#tryDecode(stage, room, finishing ? 'finished' : 'normal');
      if (outcome === null) break;
      const { result, consumed, produced } = outcome;
      delivered += produced;
      if (result === 'end') this.#endDecoding(stage);
      else if (result === 'pending') break;
      else if (result === 'need-more' || consumed + produced === 0) {
        if (finishing) this.#transportEndReached(stage);
        else stage.decoderStarved = true;
        if (!stage.incomingEnded) break;
      } else stage.decodeAgain = produced >= room;
    }
    return delivered;
  }

  #tryDecode(stage: LayerStage, room: number, mode: FlushMode): StepOutcome | null {
    let outcome: StepOutcome;
    try {
      outcome = stage.decode(this.#decoded, room, mode);
    } catch (error) {
      this.#passUp(stage);
      if (!this.#over) this.#fail('read', error as Error);
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
    return this.#roomIn(above.incoming, above.decoderStarved || above.decodingEnded, 'read');
  }

  /** Room in a buffer between layers. Who can do nothing with all of it gets more, up to a bound. */
  #roomIn(buffer: Evbuffer, starved: boolean, direction: Direction): number {
    if (!starved) return Math.max(0, STAGE_BYTES - buffer.length);
    if (buffer.length < this.#host.maxHeldBytes) return STAGE_BYTES;
    this.#fail(direction, heldTooMuch(buffer.length));
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
    else above.incomingEnded = true;
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
      if (!this.#over) this.#fail(undefined, error as Error);
      return false;
    }
    if (this.#over) return false;
    stage.decoderStarved = result === 'need-more';
    if (result === 'done') {
      stage.isOpen = true;
      this.#shaken = true;
      stage.settleOpen(null);
      this.#checkOpen();
      return !this.#over;
    }
    if (stage.incomingEnded && result === 'need-more') {
      this.#fail(undefined, endedInside(`the handshake of ${stage.layer.name}`));
    } else if (stage.decoderStarved && stage.incoming.length >= this.#host.maxHeldBytes) {
      this.#fail(undefined, heldTooMuch(stage.incoming.length));
    }
    return false;
  }

  #checkOpen(): void {
    if (!this.#started || !this.isOpen) return;
    const shaken = this.#shaken;
    this.#shaken = false;
    this.#host.layersOpened(shaken);
  }

  /** @returns whether something moved */
  #encodeStage(stage: LayerStage, mode: FlushMode): boolean {
    if (!this.#passes(stage) || stage.encodingEnded || this.#encodingFailed) return false;
    let moved = false;
    let forced = mode !== 'normal';
    for (;;) {
      const room = mode === 'normal' ? this.#roomBelow(stage) : Infinity;
      if (room <= 0 || this.#over) return moved;
      this.#fillOutgoing(stage, room);
      if (this.#over) return moved;
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
      } else stage.encodeAgain = produced >= room;
    }
    return this.#endEncoding(stage) || moved;
  }

  #tryEncode(stage: LayerStage, room: number, mode: FlushMode): StepOutcome | null {
    try {
      const outcome = stage.encode(room, mode);
      if (outcome.consumed > 0) stage.encoderStarved = false;
      if (outcome.produced > 0) this.#fedBelow(stage);
      return this.#over ? null : outcome;
    } catch (error) {
      if (!this.#over) this.#fail('write', error as Error);
      return null;
    }
  }

  #fedBelow(stage: LayerStage): void {
    const below = this.#stages[this.#stages.indexOf(stage) - 1];
    if (below !== undefined) below.encoderStarved = false;
  }

  /** Takes what the user wrote: only as much as fits below, so that what waits is seen in the user's own output. */
  #fillOutgoing(stage: LayerStage, room: number): void {
    const { outgoing } = stage;
    const max = stage.encoderStarved ? this.#roomIn(outgoing, true, 'write') : room - outgoing.length;
    if (max <= 0) return;
    const taken = this.#host.takeOutput(this.#stages.indexOf(stage), outgoing, max);
    if (taken > 0) stage.encoderStarved = false;
  }

  #roomBelow(stage: LayerStage): number {
    const below = this.#stages[this.#stages.indexOf(stage) - 1];
    if (below === undefined) return this.#host.wireRoom();
    return this.#roomIn(below.outgoing, below.encoderStarved, 'write');
  }

  /** The end goes down a stage at a time, after the last byte. @returns whether this stage ended now */
  #endEncoding(stage: LayerStage): boolean {
    const above = this.#above(stage);
    const fedFully = above === undefined ? this.#host.outputEnded() : above.encodingEnded;
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
    this.#fedBelow(stage);
    return true;
  }

  #fail(direction: Direction | undefined, error: Error): void {
    if (this.#over) return;
    if (direction === 'write') this.#encodingFailed = true;
    else this.#failed = true;
    for (const stage of this.#stages) stage.settleOpen(error);
    this.#host.layersFailed(direction, error);
  }
}

function heldTooMuch(bytes: number): BuffereventError {
  return new BuffereventError('ERR_BUFFEREVENT_LAYER_LIMIT', `a layer needs more than ${bytes} bytes to go on`);
}

function endedInside(what: string): BuffereventError {
  return new BuffereventError('ERR_BUFFEREVENT_UNEXPECTED_END', `the stream ended inside ${what}`);
}
