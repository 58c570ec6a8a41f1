import type { Evbuffer } from 'evbuffer';
import { validate } from 'evbuffer/debug';
import type { FlushMode, Layer, LayerHost, LayerResult } from '../layer.js';

/** The calls that a connection makes to its layers. */
export type LayerCall = 'attach' | 'handshake' | 'decode' | 'encode' | 'end' | 'free';

export interface ToyLayerOptions {
  readonly name?: string;
  readonly handshakeMs?: number;
  /** Payload of one frame at most. */
  readonly maxFrameBytes?: number;
  /** No two bytes of the payload are the same on the wire: what passes unmasked is noticed. */
  readonly mask?: number;
  /** Wait for the peer's greeting before giving one's own. */
  readonly waits?: boolean;
  /** Runs at the beginning of each call; what it throws is what the call throws. */
  readonly onCall?: (call: LayerCall) => void;
}

/** Why a toy layer gave up. */
export class ToyLayerError extends Error {
  readonly code: 'ERR_TOY_GREETING' | 'ERR_TOY_TRUNCATED' | 'ERR_TOY_FRAME';

  constructor(code: ToyLayerError['code']) {
    super(`the toy layer gave up: ${code}`);
    this.code = code;
  }
}

const HEADER_BYTES = 3;

/**
 * A layer that does all that a layer may do, and nothing else, for tests of what carries layers: it greets, frames and
 * masks, and marks its end. What is on the wire, all of it masked:
 *
 *     'TOY!' │ 'D' length(2) payload │ 'D' length(2) payload │ … │ 'E' 0 0
 *     greeting        frame                   frame               end marker
 */
export class ToyLayer implements Layer {
  static readonly greeting: string = 'TOY!';
  readonly name: string;
  readonly handshakeMs?: number;
  readonly #maxFrameBytes: number;
  readonly #mask: number;
  readonly #waits: boolean;
  readonly #onCall: (call: LayerCall) => void;
  #host: LayerHost | null = null;
  #greeted = false;
  /** How often each call was made. */
  readonly calls: Record<LayerCall, number> = { attach: 0, handshake: 0, decode: 0, encode: 0, end: 0, free: 0 };
  /** Modes in which decode and encode were called, one of each kind. */
  readonly modes: { decode: Set<FlushMode>; encode: Set<FlushMode> } = { decode: new Set(), encode: new Set() };
  /** The call that is under way: calls must not be made from inside one another. */
  #calling: LayerCall | null = null;

  constructor(options: ToyLayerOptions = {}) {
    this.name = options.name ?? 'toy';
    if (options.handshakeMs !== undefined) this.handshakeMs = options.handshakeMs;
    this.#maxFrameBytes = options.maxFrameBytes ?? 1000;
    this.#mask = options.mask ?? 0xa5;
    this.#waits = options.waits ?? false;
    this.#onCall = options.onCall ?? (() => {});
  }

  attach(host: LayerHost): void {
    this.#call('attach', () => {
      this.#host = host;
    });
  }

  handshake(source: Evbuffer): 'done' | 'need-more' {
    return this.#call('handshake', () => {
      validate(source);
      const { length } = ToyLayer.greeting;
      if (!this.#greeted && (!this.#waits || source.length >= length)) {
        this.#greeted = true;
        this.#add((this.#host as LayerHost).toPeer, Buffer.from(ToyLayer.greeting));
      }
      if (source.length < length) return 'need-more';
      if (this.#take(source, length).toString('latin1') !== ToyLayer.greeting) {
        throw new ToyLayerError('ERR_TOY_GREETING');
      }
      return 'done';
    });
  }

  decode(source: Evbuffer, target: Evbuffer, _limit: number, mode: FlushMode): LayerResult | 'end' {
    return this.#call('decode', () => {
      validate(source);
      this.modes.decode.add(mode);
      const header = Buffer.alloc(HEADER_BYTES);
      if (source.copyOut(header) === HEADER_BYTES) {
        this.#apply(header);
        const kind = header.toString('latin1', 0, 1);
        if (kind === 'E') {
          source.drain(HEADER_BYTES);
          return 'end';
        }
        if (kind !== 'D') throw new ToyLayerError('ERR_TOY_FRAME');
        const length = header.readUInt16BE(1);
        if (source.length >= HEADER_BYTES + length) {
          source.drain(HEADER_BYTES);
          target.add(this.#take(source, length));
          return 'ok';
        }
      }
      if (mode === 'finished' && this.#host?.incomingEnded === true) throw new ToyLayerError('ERR_TOY_TRUNCATED');
      return 'need-more';
    });
  }

  encode(source: Evbuffer, target: Evbuffer, limit: number, mode: FlushMode): LayerResult {
    return this.#call('encode', () => {
      validate(source);
      this.modes.encode.add(mode);
      const length = Math.min(source.length, this.#maxFrameBytes, Math.max(1, limit - HEADER_BYTES));
      if (length === 0) return 'need-more';
      this.#frame(target, 'D', source.remove(length));
      return 'ok';
    });
  }

  end(target: Evbuffer): void {
    this.#call('end', () => this.#frame(target, 'E', new Uint8Array(0)));
  }

  free(): void {
    this.#call('free', () => {});
  }

  #call<Value>(call: LayerCall, body: () => Value): Value {
    if (this.#calling !== null && call !== 'free') throw new Error(`${call} inside ${this.#calling}`);
    if (this.calls.free > 0) throw new Error(`${call} after free`);
    const outer = this.#calling;
    this.#calling = call;
    this.calls[call] += 1;
    try {
      this.#onCall(call);
      return body();
    } finally {
      this.#calling = outer;
    }
  }

  #frame(target: Evbuffer, kind: 'D' | 'E', payload: Uint8Array): void {
    const header = Buffer.alloc(HEADER_BYTES);
    header.write(kind, 'latin1');
    header.writeUInt16BE(payload.length, 1);
    this.#add(target, Buffer.concat([header, payload]));
  }

  #add(target: Evbuffer, bytes: Buffer): void {
    this.#apply(bytes);
    target.add(bytes);
  }

  #take(source: Evbuffer, count: number): Buffer {
    const bytes = Buffer.from(source.remove(count));
    this.#apply(bytes);
    return bytes;
  }

  #apply(bytes: Buffer): void {
    for (let i = 0; i < bytes.length; i++) bytes[i] = (bytes[i] as number) ^ this.#mask;
  }
}
