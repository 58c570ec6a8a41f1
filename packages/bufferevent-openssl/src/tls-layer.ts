import type { FlushMode, Layer, LayerHost, LayerResult } from 'bufferevent';
import { argumentRangeError, argumentTypeError, type Listed, type OptionNames } from 'bufferevent-backend';
import { Evbuffer, type EvbufferWatch } from 'evbuffer';
import { EngineEvent, type SslId, Status } from './binding-contract.js';
import { Engine, RECORD_BYTES } from './engine.js';
import { OpensslError } from './errors.js';
import { Handshake } from './handshake.js';
import { type HandshakeTaker, HandshakeTurns } from './handshake-turns.js';
import { checkOptions, layerNames } from './options.js';
import { beginRenegotiation, judgeAgain } from './renegotiation.js';
import { Ssl } from './ssl.js';
import type { SslContext } from './ssl-context.js';

/** `connecting`: negotiates as a client. `accepting`: as a server. `open`: the handshake was done before, elsewhere. */
export type TlsState = 'open' | 'connecting' | 'accepting';

export interface TlsLayerOptions {
  /**
   * Free the `Ssl` with the layer (the default), or leave it to its user, who may go on with it elsewhere (M5): when nothing
   * is on the way, since what has arrived and was not decrypted goes with the connection.
   */
  readonly closeOnFree?: boolean;
  /**
   * Take an end without `close_notify` for an end, not for an error: it may be a truncation. Default false (TL-8). A reset
   * is an error all the same (TL-9).
   */
  readonly allowDirtyShutdown?: boolean;
  /**
   * Gather what is written into records of 16 KiB, whatever the pieces (the default), or make records of each piece of
   * the output (TL-17).
   */
  readonly batchWrites?: boolean;
  /** How long the handshake may take, in milliseconds; 0 for no limit. Default `limits.handshakeMs` of the base. */
  readonly handshakeMs?: number;
}

/** What may wait for the peer of that which reading alone has made: answers to key updates, renegotiations. */
const MAX_ANSWER_BYTES = 64 * 1024;

/** What may wait for the user of the payload that came before the end of a renegotiation, while none was wanted. */
const MAX_EARLY_BYTES = 64 * 1024;

const MINUTE_MS = 60_000;

/** How long little room below is waited with, in turns of the loop, before it is taken for all there is. */
const ROOM_WAIT_TURNS = 8;

/** @internal */
export function truncatedError(): OpensslError {
  return new OpensslError('ERR_OPENSSL_TRUNCATED', 'the connection has ended without close_notify');
}

/**
 * TLS as a layer of a connection, for `insertLayer` and the `layers` of `connect()`; what `OpensslBufferevent`,
 * `connectTls`, `listenTls` and `upgradeToTls` are made of.
 *
 * The end of the peer's stream is its `close_notify`. A transport that ends without one is a truncation, an error
 * `ERR_OPENSSL_TRUNCATED`, since an attacker could have cut it (TL-8); `end()` says ours (TL-10).
 */
export class TlsLayer implements Layer, HandshakeTaker, Listed {
  readonly name = 'tls';
  readonly ssl: Ssl;
  readonly handshakeMs?: number;
  readonly handshake?: (source: Evbuffer) => 'done' | 'need-more' | 'pending';
  readonly renew?: () => void;
  allowDirtyShutdown: boolean;
  batchWrites: boolean;
  /** @internal */
  turn: HandshakeTaker['turn'] = 'none';
  /** @internal Among the handshakes of a listener. */
  place = -1;
  readonly #state: TlsState;
  readonly #closeOnFree: boolean;
  #host: LayerHost | null = null;
  #engine: Engine | null = null;
  #handshake: Handshake | null = null;
  #open: boolean;
  #truncated = false;
  #freed = false;
  #ownContext: SslContext | null = null;
  /** What `toPeer` got from reading since it was last nearly empty, in bytes; an upper bound. */
  #answers = 0;
  #watch: EvbufferWatch | null = null;
  /** The most room below that there was. */
  #mostRoom = 0;
  /** Turns that little has waited since the room was last at its most, which is beside it. */
  #turnsAwaited = 0;
  #awaitedRoom = 0;
  #awaitsTurn = false;
  /** Our own renegotiation is under way: who waits for its end. */
  #renegotiating: (() => void) | null = null;
  /** A handshake is under way after the first one, whose side ever has begun it. */
  #shakesAgain = false;
  /** Payload that was decrypted before or in a renegotiation, while the user wanted none. */
  #early: Evbuffer | null = null;
  /** What has ended the decryption behind it. */
  #afterEarly: { readonly failure: Error | null } | null = null;
  /** When the peer began renegotiations, within the last minute. */
  #renegotiations: number[] | null = null;

  /** Owns nothing before it is inserted. Throws `TypeError` and `RangeError` for malformed arguments. */
  constructor(ssl: Ssl, state: TlsState, options: TlsLayerOptions = {}) {
    checkSsl(ssl);
    checkTlsState(state);
    checkTlsLayerOptions(options);
    this.ssl = ssl;
    this.#state = state;
    this.#open = state === 'open';
    this.#closeOnFree = options.closeOnFree ?? true;
    this.allowDirtyShutdown = options.allowDirtyShutdown ?? false;
    this.batchWrites = options.batchWrites ?? true;
    if (options.handshakeMs !== undefined) this.handshakeMs = options.handshakeMs;
    if (state === 'open') return;
    // V8 puts a function literal that is assigned to a property among old objects, and with it all that it can reach: the
    // whole connection would wait for a collection of those.
    this.handshake = this.#shake.bind(this);
    this.renew = this.#renew.bind(this);
  }

  /** Whether the transport has ended without the peer's `close_notify`. */
  get truncated(): boolean {
    return this.#truncated;
  }

  /** @internal */
  get freed(): boolean {
    return this.#freed;
  }

  /** @internal Makes the `Ssl` this layer's, so that {@link attach} can't fail any more. Throws as that. */
  claim(): SslId {
    const id = this.ssl.start(this.#state);
    this.ssl.claim(this);
    return id;
  }

  /** @internal Takes {@link claim} back. */
  disclaim(): void {
    this.ssl.disclaim(this);
  }

  /** @throws OpensslError `ERR_OPENSSL_STATE` for an `Ssl` that does not suit the state, or is in use */
  attach(host: LayerHost): void {
    if (this.#host !== null) throw argumentTypeError('layer', 'one that is under no other connection', this.name);
    this.#begin(host);
    // What another connection of the Ssl has left decrypted.
    if ((this.#engine as Engine).buffered > 0) host.wake();
  }

  #begin(host: LayerHost): void {
    this.#engine = new Engine(this.claim(), this.ssl.pending);
    this.#host = host;
    this.#handshake = new Handshake(this.ssl, this.#engine, () => host.wake());
  }

  /** Another handshake, with another peer perhaps, by the same `Ssl` (TL-18). */
  #renew(): void {
    this.#handshake?.abandon();
    HandshakeTurns.of((this.#host as LayerHost).base).leave(this);
    this.#turnsAwaited = 0;
    this.#awaitedRoom = 0;
    this.disclaim();
    this.ssl.reset();
    this.#open = false;
    this.#truncated = false;
    this.#answers = 0;
    this.#early = null;
    this.#afterEarly = null;
    this.#shakesAgain = false;
    this.#renegotiating = null;
    this.#renegotiations = null;
    this.#begin(this.#host as LayerHost);
  }

  #shake(source: Evbuffer): 'done' | 'need-more' | 'pending' {
    const handshake = this.#handshake as Handshake;
    if (handshake.isAsking) return 'pending';
    const { base, toPeer } = this.#host as LayerHost;
    const turns = HandshakeTurns.of(base);
    if (!turns.take(this)) return 'pending';
    const result = handshake.step(source, toPeer);
    if (handshake.idle) turns.giveBack();
    this.#open = result === 'done';
    if (this.#open) this.#handshake = null;
    return result;
  }

  /** For the handshakes of the base: it is this one's turn. */
  granted(): void {
    this.#host?.wake();
  }

  /** Both sides have to be heard in a renegotiation, whatever the user has enabled (TL-1). */
  get wantsInput(): boolean {
    if (!this.#shakesAgain && this.#renegotiating === null) return false;
    return this.#afterEarly === null && (this.#early === null || this.#early.length < MAX_EARLY_BYTES);
  }

  decode(source: Evbuffer, target: Evbuffer, limit: number, mode: FlushMode): LayerResult | 'end' {
    if (limit === 0) return this.#decodeAhead(source, mode);
    if (this.#early !== null && this.#early.length > 0) {
      this.#early.moveTo(target, limit);
      return 'ok';
    }
    if (this.#afterEarly !== null) {
      if (this.#afterEarly.failure === null) return 'end';
      throw this.#afterEarly.failure;
    }
    return this.#decrypt(source, target, limit, mode);
  }

  /** Nobody wants payload, and the renegotiation has to go on: what comes before its end waits here. */
  #decodeAhead(source: Evbuffer, mode: FlushMode): LayerResult | 'end' {
    if (!this.wantsInput) return 'pending';
    this.#early ??= new Evbuffer();
    // Apart: a refused peer's part of it is thrown away.
    const payload = new Evbuffer();
    let result: LayerResult | 'end';
    try {
      result = this.#decrypt(source, payload, RECORD_BYTES, mode);
    } catch (error) {
      this.#early.addBuffer(payload);
      // Who was refused hears nothing more, so that nobody may go on for as long as nobody reads.
      if (this.#early.length === 0 || this.ssl.isRefused) throw error;
      this.#afterEarly = { failure: error as Error };
      return 'pending';
    }
    this.#early.addBuffer(payload);
    if (result !== 'end' || this.#early.length === 0) return result;
    this.#afterEarly = { failure: null };
    return 'pending';
  }

  #decrypt(source: Evbuffer, target: Evbuffer, limit: number, mode: FlushMode): LayerResult | 'end' {
    const { toPeer, incomingEnded } = this.#host as LayerHost;
    if (this.#answers > MAX_ANSWER_BYTES && this.#isFlooded(toPeer)) return 'pending';
    const engine = this.#engine as Engine;
    const before = toPeer.length;
    const status = engine.decrypt(source, target, limit, toPeer);
    this.#answers += toPeer.length - before;
    const events = engine.takeEvents();
    if (events !== 0) this.#happened(events, target);
    switch (status) {
      case Status.ok:
        return 'ok';
      case Status.wantInput:
        // A user's flush() says so too, and has cut nothing.
        if (mode !== 'finished' || !incomingEnded) return 'need-more';
        this.#truncated = true;
        if (this.allowDirtyShutdown) return 'end';
        throw truncatedError();
      case Status.closed:
        return 'end';
      default:
        throw this.ssl.takeFailure('ERR_OPENSSL_PROTOCOL', 'what the peer has sent could not be decrypted');
    }
  }

  encode(source: Evbuffer, target: Evbuffer, limit: number, mode: FlushMode): LayerResult {
    const { length } = source;
    if (length === 0) {
      // Inside a handshake no end can be said: its end wakes us.
      return mode === 'finished' && this.#shakesAgain && this.ssl.isRenegotiating ? 'pending' : 'need-more';
    }
    const { batchWrites } = this;
    // There would be more to encrypt if there were more room: then whole records only, as long as there will be more.
    const cut = batchWrites && mode === 'normal' && length >= limit;
    if (mode === 'normal') this.#mostRoom = Math.max(this.#mostRoom, limit);
    if (cut && length < RECORD_BYTES && (target.length > 0 || this.#awaitsRoom(limit))) return 'pending';
    this.#turnsAwaited = 0;
    this.#awaitedRoom = 0;
    const engine = this.#engine as Engine;
    const status = engine.encrypt(source, target, cut && length >= RECORD_BYTES, batchWrites);
    const events = engine.takeEvents();
    if (events !== 0) this.#happened(events);
    if (status === Status.ok) return source.length === 0 ? 'need-more' : 'ok';
    // A renegotiation waits for the peer: its bytes wake us.
    if (status === Status.wantInput) return 'pending';
    throw this.ssl.takeFailure('ERR_OPENSSL_PROTOCOL', 'what was written could not be encrypted');
  }

  /**
   * Whether what has left `toPeer` already is going to make more room below, so that it is worth waiting for. Where it does
   * not grow for some turns, there is no more (somebody has lowered the marks), or it comes slowly.
   */
  #awaitsRoom(room: number): boolean {
    if (room >= Math.min(RECORD_BYTES, this.#mostRoom / 2)) return false;
    if (room > this.#awaitedRoom) {
      this.#awaitedRoom = room;
      this.#turnsAwaited = 0;
    }
    if (this.#turnsAwaited === ROOM_WAIT_TURNS) {
      this.#mostRoom = room;
      return false;
    }
    if (!this.#awaitsTurn) {
      this.#awaitsTurn = true;
      const { base } = this.#host as LayerHost;
      base.clock.defer(() => {
        this.#awaitsTurn = false;
        this.#turnsAwaited++;
        this.#host?.wake();
      });
    }
    return true;
  }

  end(target: Evbuffer): void {
    if ((this.#engine as Engine).shutdown(target) !== Status.failed) return;
    throw this.ssl.takeFailure('ERR_OPENSSL_PROTOCOL', 'our end could not be said');
  }

  /** @internal A context that was made for this layer alone, and is freed with it. */
  ownContext(context: SslContext): void {
    this.#ownContext = context;
  }

  free(): void {
    if (this.#freed) return;
    this.#freed = true;
    this.#watch?.dispose();
    this.#handshake?.abandon();
    if (this.#host !== null) HandshakeTurns.of(this.#host.base).leave(this);
    this.disclaim();
    this.#early?.clear();
    if (this.#closeOnFree) this.ssl.free();
    this.#ownContext?.free();
  }

  /**
   * @internal Begins a renegotiation, and calls back when it is done. Throws `ERR_OPENSSL_STATE` while there is nothing
   * to renegotiate.
   */
  renegotiate(onDone: () => void): void {
    if (!this.#open) throw new OpensslError('ERR_OPENSSL_STATE', 'the handshake is not done');
    if (this.#renegotiating !== null) {
      throw new OpensslError('ERR_OPENSSL_STATE', 'a renegotiation is under way');
    }
    const host = this.#host as LayerHost;
    const engine = this.#engine as Engine;
    this.#early ??= new Evbuffer();
    beginRenegotiation(this.ssl, engine, host.toPeer, this.#early);
    engine.takeEvents();
    this.#renegotiating = onDone;
    this.#shakesAgain = true;
    host.wake();
  }

  /** @param decrypted what came in the same call */
  #happened(events: number, decrypted?: Evbuffer): void {
    this.ssl.happened(events);
    const began = (events & EngineEvent.handshakeStarted) !== 0;
    const ended = (events & EngineEvent.handshakeDone) !== 0;
    if (began || ended) this.#shakesAgain = this.ssl.isRenegotiating;
    if (began && this.#renegotiating === null) this.#countRenegotiation();
    if (ended) {
      try {
        judgeAgain(this.ssl);
      } catch (refusal) {
        decrypted?.clear();
        throw refusal;
      }
      const onDone = this.#renegotiating;
      this.#renegotiating = null;
      onDone?.();
      // What is to be encrypted may have waited.
      (this.#host as LayerHost).wake();
    }
  }

  /** Handshakes cost this side more than the peer, who may ask for them without end (CVE-2011-1473). */
  #countRenegotiation(): void {
    const now = (this.#host as LayerHost).base.clock.now();
    const allowed = this.ssl.context.policy.renegotiationsPerMinute;
    const recent = this.#renegotiations?.filter((began) => now - began < MINUTE_MS) ?? [];
    recent.push(now);
    this.#renegotiations = recent;
    if (recent.length <= allowed) return;
    const message =
      allowed === 0
        ? 'the peer has asked for a renegotiation, which is refused'
        : `the peer has asked for more than ${allowed} renegotiations in a minute`;
    throw this.ssl.refuse(new OpensslError('ERR_OPENSSL_RENEGOTIATION', message));
  }

  /** Whether a peer that reads nothing has made us answer so much that nothing more of it is read before. */
  #isFlooded(toPeer: Evbuffer): boolean {
    this.#answers = Math.min(this.#answers, toPeer.length);
    if (this.#answers <= MAX_ANSWER_BYTES) return false;
    this.#watch ??= toPeer.watch(() => {
      if (toPeer.length > MAX_ANSWER_BYTES / 2) return;
      (this.#watch as EvbufferWatch).enabled = false;
      this.#host?.wake();
    });
    this.#watch.enabled = true;
    return true;
  }
}

const states: readonly string[] = ['open', 'connecting', 'accepting'] satisfies TlsState[];

/** @internal */
export function checkTlsState(value: unknown): void {
  if (!states.includes(value as string)) throw argumentTypeError('state', `one of ${states.join(', ')}`, value);
}

/** @internal */
export function checkSsl(value: unknown): void {
  if (!(value instanceof Ssl)) throw argumentTypeError('ssl', 'an Ssl', value);
}

const optionNames: OptionNames<TlsLayerOptions> = { ...layerNames, closeOnFree: true };

/** @internal Throws for what is none of {@link TlsLayerOptions}. */
export function checkTlsLayerOptions(options: TlsLayerOptions): void {
  checkOptions(options, optionNames);
  for (const name of ['closeOnFree', 'allowDirtyShutdown', 'batchWrites'] as const) {
    const value = options[name];
    if (value !== undefined && typeof value !== 'boolean') throw argumentTypeError(name, 'a boolean', value);
  }
  const { handshakeMs } = options;
  if (handshakeMs === undefined) return;
  // The connection would check it too, but only when the handshake is about to begin.
  if (typeof handshakeMs !== 'number') throw argumentTypeError('handshakeMs', 'a number of milliseconds', handshakeMs);
  if (!(handshakeMs >= 0)) throw argumentRangeError('handshakeMs', 'at least 0', handshakeMs);
}
