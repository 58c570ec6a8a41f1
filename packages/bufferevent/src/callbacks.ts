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
  lowerEvent(event: BuffereventEvent): void;
}

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
  #read = false;
  /** Call `onRead` although the input is below its mark. */
  #readForced = false;
  #write = false;
  #events: BuffereventEvent[] = [];
  #queued = false;
  #running = false;
  #dropped = false;
  #afterRun: (() => void)[] = [];
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

  /** Whether nothing waits and nothing runs. */
  get idle(): boolean {
    return !this.#queued && !this.#running;
  }

  setHandlers(handlers: BuffereventHandlers | null, context: HandlerContext | null): void {
    this.#handlers = handlers;
    this.#context = context;
  }

  /** Triggers do nothing while the handler for them is missing (CB-3). */
  readable(forced: boolean): void {
    if (this.upper !== null) this.upper.lowerReadable();
    if (this.upper !== null || this.#handlers?.onRead === undefined) return;
    this.#read = true;
    this.#readForced ||= forced;
    this.#queue();
  }

  writable(): void {
    if (this.upper !== null || this.#handlers?.onWrite === undefined) return;
    this.#write = true;
    this.#queue();
  }

  event(event: BuffereventEvent): void {
    if (this.upper !== null) this.upper.lowerEvent(event);
    if (this.upper !== null || this.#handlers?.onEvent === undefined) return;
    if (event.kind === 'connected') this.#connected = event;
    else this.#events.push(event);
    this.#queue();
  }

  /** Forgets everything; nothing is called from here on (CB-5, FR-1). */
  drop(): void {
    this.#dropped = true;
    this.#handlers = null;
    this.#context = null;
    this.#connected = null;
    this.#events = [];
    this.#afterRun = [];
  }

  /** Calls `then` once, when what waits now has been delivered; at once when nothing does. */
  whenDelivered(then: () => void): void {
    if (this.idle) then();
    else this.#afterRun.push(then);
  }

  /** One turn's callbacks. Never throws; what users throw surfaces later (C19). */
  runCallbacks(): void {
    this.#queued = false;
    if (this.#dropped || this.upper !== null) return;
    this.#running = true;
    if (this.#connected !== null && this.#handlers?.onEvent !== undefined) {
      const event = this.#connected;
      this.#connected = null;
      this.#runEvent(event);
    }
    if (this.#read && !this.#dropped) this.#runRead();
    if (this.#write && !this.#dropped && this.#handlers?.onWrite !== undefined) {
      this.#write = false;
      this.#run(this.#handlers.onWrite, this.#handlers);
    }
    if (this.#events.length > 0) this.#runEvents();
    this.#running = false;
    if (!this.#queued && this.#afterRun.length > 0) {
      for (const then of this.#afterRun.splice(0)) then();
    }
  }

  #queue(): void {
    if (this.#queued) return;
    this.#queued = true;
    this.#base.defer(this);
  }

  #runRead(): void {
    const onRead = this.#handlers?.onRead;
    if (onRead === undefined) return;
    const forced = this.#readForced;
    this.#read = false;
    this.#readForced = false;
    if (forced || this.#bev.hasReadableInput) this.#run(onRead, this.#handlers);
  }

  /** What a handler adds waits for the next turn; what it leaves behind by removing `onEvent` waits for the next one. */
  #runEvents(): void {
    const events = this.#events;
    this.#events = [];
    for (let i = 0; i < events.length && !this.#dropped; i++) {
      if (this.#handlers?.onEvent === undefined) {
        this.#events = [...events.slice(i), ...this.#events];
        return;
      }
      this.#runEvent(events[i] as BuffereventEvent);
    }
  }

  #runEvent(event: BuffereventEvent): void {
    const handlers = this.#handlers;
    if (handlers?.onEvent !== undefined) this.#run(handlers.onEvent, handlers, event);
  }

  #run(
    handler: (bev: Bufferevent, event: BuffereventEvent) => void,
    self: BuffereventHandlers | null | undefined,
    event?: BuffereventEvent,
  ): void {
    const context = this.#context;
    try {
      if (context === null) handler.call(self as BuffereventHandlers, this.#bev, event as BuffereventEvent);
      else context.run(handler, self as BuffereventHandlers, this.#bev, event as BuffereventEvent);
    } catch (error) {
      surface(error);
    }
  }
}
