import type { Evbuffer, LeaseOwner } from 'evbuffer';
import type { EventBase } from './event-base.js';
import type { Direction } from './events.js';
import type { InputSide } from './input-side.js';
import type { FlushMode, Layer } from './layer.js';
import { LayerStack, type StackHost } from './layer-stack.js';
import type { OutputSide } from './output-side.js';
import { OutputTap } from './output-tap.js';
import { addReceived, gather, handOver } from './small-pieces.js';

/** What the layers need of the bufferevent around them. */
export interface LayersHost {
  readonly base: EventBase;
  /** The allowance may have changed. */
  wake(): void;
  /** Whether the user has ended the output and all of it was taken. */
  outputEnded(): boolean;
  wireRoom(held: number): number;
  payloadEnded(): void;
  /** What of `most` bytes of the user may pass now, for the rate limits. */
  limitPayload(direction: Direction, most: number): number;
  payloadMoved(direction: Direction, count: number): void;
  layersEnded(): void;
  /** The layers have come to rest: nothing of the output may be left in them. */
  outputSettled(): void;
  layersOpened(shaken: boolean): void;
  layersFailed(direction: Direction | undefined, error: Error): void;
  flushedLate(mode: FlushMode): void;
}

/**
 * The layers between the two sides of a bufferevent and its transport; made for those that have some.
 *
 *      output ── owed to the transport ─► transport      (written before the first layer was inserted)
 *             ── owed to layer 0 ──────► layer 0 …       (written before the second)
 *             ── the rest ─────────────► top layer …
 */
export class ConnectionLayers implements StackHost {
  readonly base: EventBase;
  readonly maxHeldBytes: number;
  readonly bytesPerTurn: number;
  readonly #stack: LayerStack;
  readonly #input: InputSide;
  readonly #output: OutputSide;
  readonly #host: LayersHost;
  readonly #tap: OutputTap;
  /**
   * Where the bytes end that pass below the layer of the same index, counted from the first byte that the output ever had:
   * what is left of them is right at any moment, also for a watch of the output.
   */
  readonly #owedUntil: number[] = [];
  /** Bytes that came from, and went to, the transport, before there were layers too. */
  wireReceived: number;
  wireSent: number;

  constructor(host: LayersHost, input: InputSide, output: OutputSide) {
    this.base = host.base;
    this.maxHeldBytes = host.base.limits.readMaxBytes;
    this.bytesPerTurn = host.base.limits.bytesPerTurn;
    this.#host = host;
    this.#input = input;
    this.#output = output;
    this.wireReceived = input.receivedBytes;
    this.wireSent = output.sentBytes;
    this.#stack = new LayerStack(this);
    this.#tap = new OutputTap(output, {
      tapFilled: () => this.base.inTurn(() => this.wake()),
      tapFailed: (error) => this.layersFailed('write', error),
    });
  }

  get list(): readonly Layer[] {
    return this.#stack.layers;
  }

  get isOpen(): boolean {
    return this.#stack.isOpen;
  }

  /** Whether {@link sendable} holds what the user wrote, as it is, before anything of a layer. */
  get sendsRaw(): boolean {
    return this.#rawBytes() > 0;
  }

  /** What the transport sends from. */
  get sendable(): Evbuffer {
    return this.sendsRaw ? this.#output.buffer : this.#stack.wire;
  }

  /** Bytes that the transport may take from {@link sendable} now. After a failure only what layers have left to say. */
  sendableBytes(): number {
    const rawBytes = this.#rawBytes();
    if (rawBytes > 0) return Math.min(rawBytes, this.#output.allowance());
    if (this.#output.failure !== null && !this.#stack.hasLastWords) return 0;
    return Math.min(this.#stack.wire.length, this.bytesPerTurn);
  }

  /** Whether all that left the output has gone to the transport. */
  get isDrained(): boolean {
    return this.#stack.isDrained;
  }

  /** Whether our side has ended in every layer, and the transport has taken the last byte. */
  get hasSentEnd(): boolean {
    return !this.sendsRaw && this.#stack.encodingEnded && this.#stack.wire.length === 0;
  }

  /** Whether nothing more is to come from the transport. */
  get decodingEnded(): boolean {
    return this.#stack.decodingEnded;
  }

  push(layer: Layer): Promise<void> {
    const opened = this.#stack.push(layer);
    this.#owedUntil.push(this.#output.sentBytes + this.#output.length);
    return opened;
  }

  start(): void {
    this.#stack.start();
  }

  /** Whether the layers can go on over another transport. */
  get isRenewable(): boolean {
    return this.#stack.isRenewable;
  }

  renew(): void {
    this.#stack.renew();
  }

  pump(): void {
    this.#stack.pumpIn();
    this.#stack.pumpOut();
    this.#host.outputSettled();
  }

  /** Whether a flush of the output has not come down to the transport yet. */
  get isFlushing(): boolean {
    return this.#stack.isFlushing;
  }

  flush(direction: Direction, mode: FlushMode): boolean {
    return this.#stack.flush(direction, mode);
  }

  /** Bytes that the transport may ask for. */
  appetite(): number {
    return this.#stack.appetite(this.inputRoom() > 0);
  }

  received(memory: Uint8Array, start: number, end: number, owner: LeaseOwner, lease: number): void {
    addReceived(this.#stack.arriving, memory, start, end, owner, lease);
    this.#arrived(end - start);
  }

  receivedFrom(source: Evbuffer, count: number): void {
    gather(source, this.#stack.arriving, count);
    this.#arrived(count);
  }

  /** What the user has not taken yet was meant for the newest layer. */
  takeBack(input: Evbuffer): void {
    input.moveTo(this.#stack.arrivingAtTop, input.length);
  }

  receivedEnd(): void {
    this.#stack.transportEnded();
  }

  /** The transport took the first `count` bytes of {@link sendable}. */
  sent(count: number): void {
    if (this.sendsRaw) {
      this.wireSent += count;
      this.#output.sent(count);
    } else {
      this.#stack.wire.drain(count);
      this.#sentWire(count);
    }
  }

  /** Moves up to `max` bytes of {@link sendable}, which the transport has taken then, to `target`. @returns how many */
  take(target: Evbuffer, max: number): number {
    if (!this.sendsRaw) {
      const count = handOver(this.#stack.wire, target, max);
      this.#sentWire(count);
      return count;
    }
    const count = this.#tap.moveTo(target, Math.min(max, this.#rawBytes()));
    if (count > 0) {
      this.wireSent += count;
      this.#output.left();
    }
    return count;
  }

  connectionFailed(error: Error, handshaking: boolean): void {
    this.#stack.connectionFailed(error, handshaking);
  }

  free(): void {
    this.#tap.close();
    this.#stack.free();
  }

  inputRoom(): number {
    return this.#host.limitPayload('read', this.#input.room());
  }

  deliver(payload: Evbuffer): void {
    this.#host.payloadMoved('read', payload.length);
    this.#input.receivedFrom(payload, payload.length);
  }

  payloadEnded(): void {
    this.#host.payloadEnded();
  }

  layersEnded(): void {
    this.#host.layersEnded();
  }

  takeOutput(layer: number, target: Evbuffer, max: number): number {
    if (this.owes(layer)) return 0;
    const isTop = layer + 1 === this.#owedUntil.length;
    const most = Math.min(max, isTop ? Infinity : this.#owedBelow(layer + 1), this.#output.allowance());
    const count = this.#tap.moveTo(target, this.#host.limitPayload('write', most));
    if (count > 0) {
      this.#host.payloadMoved('write', count);
      this.#output.left();
    }
    return count;
  }

  owes(layer: number): boolean {
    return this.#owedBelow(layer) > 0;
  }

  outputEnded(): boolean {
    return this.#host.outputEnded();
  }

  wireRoom(): number {
    return this.#host.wireRoom(this.#stack.wire.length);
  }

  layersOpened(shaken: boolean): void {
    this.#host.layersOpened(shaken);
  }

  layersFailed(direction: Direction | undefined, error: Error): void {
    // The last that layers have said, an alert for instance, goes now: who hears of the failure may close at once.
    if (this.#stack.wire.length > 0) this.#host.flushedLate('flush');
    this.#host.layersFailed(direction, error);
  }

  flushedLate(mode: FlushMode): void {
    this.#host.flushedLate(mode);
  }

  wake(): void {
    this.#host.wake();
  }

  /** Bytes at the front of the output that are for no layer. */
  #rawBytes(): number {
    return this.#owedBelow(0);
  }

  /** Bytes at the front of the output that pass below the layer of that index. */
  #owedBelow(layer: number): number {
    return Math.max(0, (this.#owedUntil[layer] ?? 0) - this.#output.sentBytes);
  }

  #sentWire(count: number): void {
    this.wireSent += count;
    this.#output.checkDrained();
  }

  #arrived(count: number): void {
    this.wireReceived += count;
    this.#stack.arrived();
  }
}
