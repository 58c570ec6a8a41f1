import { surface } from 'bufferevent-backend';
import type { HandlerContext } from './async-context.js';
import type { Bufferevent } from './bufferevent.js';
import type { CallbackSource } from './defer.js';
import type { EventBase } from './event-base.js';
import type { BuffereventEvent, BuffereventHandlers } from './events.js';

/** A bufferevent that lies over another one, and is told in place of the user; inside the turn, not queued. */
export interface Upper {
  /** There are bytes to take. */
  lowerReadable(): void;
  /** Bytes have left. */
  lowerSent(): void;
  /** Whatever has been handed down may have been sent by now. */
  lowerSettled(): void;
  /** Layers that end after the payload have ended. */
  lowerEnded(): void;
  lowerEvent(event: BuffereventEvent): void;
  /** Nothing more will be read, after a failed write: no event of its own (B40), but who waits for bytes has to know. */
  lowerReadFailed(error: Error): void;
  /** Somebody else has freed it. */
  lowerFreed(): void;
}

/** Of most connections nothing waits: they share this, and never add to it. */
const none: never[] = [];

/** `onRead` is to be called; although the input is below its mark. */
const READ = 1;
const READ_FORCED = 2;
const WRITE = 4;
/** In the queue of the base; being called; freed. */
const QUEUED = 8;
const RUNNING = 16;
const DROPPED = 32;

/**
 * What one bufferevent has to tell its user. Any number of triggers before the turn become one call (CB-2); the order
 * within a turn is fixed:
 *
 *     connected ─► onRead ─► onWrite ─► every other event, singly, oldest first
 *
 * so that data comes before the end (RD-8) and an opening before everything (EV-5).
 */
export class PendingCallbacks implements CallbackSource {
  readonly #bev: Bufferevent;
  readonly #base: EventBase;
  #handlers: BuffereventHandlers | null = null;
  #context: HandlerContext | null = null;
  #connected: BuffereventEvent | null = null;
  #events: BuffereventEvent[] = none;
  /** {@link READ} and the others: one field for all, because every connection that waits has them. */
  #flags = 0;
  #afterRun: readonly (() => void)[] = none;
  priority: number;
  /** Who is told instead of the handlers. */
  upper: Upper | null = null;

  constructor(bev: Bufferevent, base: EventBase) {
    this.#bev = bev;
    this.#base = base;
    this.priority = base.defaultPriority;
  }

  get handlers(): BuffereventHandlers | null {
    return this.#handlers;
  }

  /** Who is called now: nobody once this one is covered, which a handler may do before the next one of a run. */
  get #listening(): BuffereventHandlers | null {
    return this.upper === null ? this.#handlers : null;
  }

  get context(): HandlerContext | null {
    return this.#context;
  }

  #is(flag: number): boolean {
    return (this.#flags & flag) !== 0;
  }

  /** Whether nothing waits and nothing runs. */
  get idle(): boolean {
    return !this.#is(QUEUED) && !this.#is(RUNNING);
  }

  setHandlers(handlers: BuffereventHandlers | null, context: HandlerContext | null): void {
    this.#handlers = handlers;
    this.#context = context;
  }

  /** Triggers do nothing while the handler for them is missing (CB-3). */
  readable(forced: boolean): void {
    if (this.upper !== null) this.upper.lowerReadable();
    if (this.#listening?.onRead === undefined) return;
    this.#flags |= READ;
    if (forced) this.#flags |= READ_FORCED;
    this.#queue();
  }

  writable(): void {
    if (this.#listening?.onWrite === undefined) return;
    this.#flags |= WRITE;
    this.#queue();
  }

  event(event: BuffereventEvent): void {
    if (this.upper !== null) this.upper.lowerEvent(event);
    if (this.#listening?.onEvent === undefined) return;
    if (event.kind === 'connected') this.#connected = event;
    else if (this.#events === none) this.#events = [event];
    else this.#events.push(event);
    this.#queue();
  }

  /** Forgets everything; nothing is called from here on (CB-5, FR-1). */
  drop(): void {
    this.#flags |= DROPPED;
    this.#handlers = null;
    this.#context = null;
    this.#connected = null;
    this.#events = none;
    this.#afterRun = none;
  }

  /** Calls `then` once, when what waits now has been delivered; at once when nothing does. */
  whenDelivered(then: () => void): void {
    if (this.idle) then();
    else this.#afterRun = [...this.#afterRun, then];
  }

  /** One turn's callbacks. Never throws; what users throw surfaces later (C19). */
  runCallbacks(): void {
    this.#flags &= ~QUEUED;
    if (this.#is(DROPPED)) return;
    this.#flags |= RUNNING;
    if (this.#connected !== null && this.#listening?.onEvent !== undefined) {
      const event = this.#connected;
      this.#connected = null;
      this.#run(this.#listening.onEvent, this.#listening, event);
    }
    if (this.#is(READ)) this.#runRead();
    if (this.#is(WRITE) && this.#listening?.onWrite !== undefined) {
      this.#flags &= ~WRITE;
      this.#run(this.#listening.onWrite, this.#listening);
    }
    if (this.#events.length > 0) this.#runEvents();
    this.#flags &= ~RUNNING;
    if (!this.#is(QUEUED) && this.#afterRun.length > 0) {
      const afterRun = this.#afterRun;
      this.#afterRun = none;
      for (const then of afterRun) then();
    }
  }

  #queue(): void {
    if (this.#is(QUEUED)) return;
    this.#flags |= QUEUED;
    this.#base.defer(this);
  }

  #runRead(): void {
    const handlers = this.#listening;
    if (handlers?.onRead === undefined) return;
    const forced = this.#is(READ_FORCED);
    this.#flags &= ~READ;
    this.#flags &= ~READ_FORCED;
    if (forced || this.#bev.hasReadableInput) this.#run(handlers.onRead, handlers);
  }

  /**
   * What a handler adds waits for the next turn; what it leaves behind by removing `onEvent` waits for the next one, and
   * by covering this one is for who lies over it.
   */
  #runEvents(): void {
    const events = this.#events;
    this.#events = none;
    for (let i = 0; i < events.length && !this.#is(DROPPED); i++) {
      const event = events[i] as BuffereventEvent;
      if (this.upper !== null) this.upper.lowerEvent(event);
      else if (this.#handlers?.onEvent !== undefined) this.#run(this.#handlers.onEvent, this.#handlers, event);
      else {
        this.#events = [...events.slice(i), ...this.#events];
        return;
      }
    }
  }

  #run(
    handler: (bev: Bufferevent, event: BuffereventEvent) => void,
    self: BuffereventHandlers,
    event?: BuffereventEvent,
  ): void {
    const context = this.#context;
    try {
      if (context === null) handler.call(self, this.#bev, event as BuffereventEvent);
      else context.run(handler, self, this.#bev, event as BuffereventEvent);
    } catch (error) {
      surface(error);
    }
  }
}
