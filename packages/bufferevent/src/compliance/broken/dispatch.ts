import { AsyncResource } from 'node:async_hooks';
import type { EvbufferEncoding } from 'evbuffer';
import type { BuffereventEvent, BuffereventHandlers, CloseCause, Direction } from '../../events.js';
import type { Watermarks } from '../../watermarks.js';
import { type BrokenFake, brokenFake } from './fake.js';
import { Fault } from './fault.js';

class CallsInsideWrite extends Fault {
  write(data: Parameters<Fault['below']['write']>[0], encoding?: EvbufferEncoding): boolean {
    const more = this.below.write(data, encoding);
    this.deliverWrite();
    return more;
  }
}

class TriggersAtOnce extends Fault {
  triggerEvent(event: BuffereventEvent): void {
    if (this.below.freed) this.below.triggerEvent(event);
    this.deliverEvent(event);
  }
}

class CallsForEachTrigger extends Fault {
  #queued = 0;

  trigger(direction: Direction, options?: { readonly ignoreWatermarks?: boolean }): void {
    this.#queued += 1;
    this.below.trigger(direction, options);
  }

  override deliverRead(): void {
    for (let calls = Math.max(1, this.#queued); calls > 0; calls--) super.deliverRead();
    this.#queued = 0;
  }
}

/** The read callback first, whatever else waits. */
class WritesBeforeReads extends Fault {
  #held = false;

  override deliverRead(): void {
    this.#held = true;
    setImmediate(() => {
      if (this.#held) this.attempt(() => super.deliverRead());
    });
  }
}

/** One call for all, as flag bits are: what came first is lost. */
class MergesEvents extends Fault {
  #last: BuffereventEvent | null = null;

  override deliverEvent(event: BuffereventEvent): void {
    if (event.kind === 'connected') return super.deliverEvent(event);
    if (this.#last === null) {
      queueMicrotask(() => {
        const last = this.#last;
        this.#last = null;
        if (last !== null) this.attempt(() => super.deliverEvent(last));
      });
    }
    this.#last = event;
  }
}

class ForgetsQueuedEvents extends Fault {
  override setHandlers(handlers: BuffereventHandlers | null): void {
    // Something must be there for what is below, so that the event is delivered, to nobody.
    if (handlers === null && this.handlers?.onEvent !== undefined) {
      super.setHandlers({ onEvent: () => undefined });
    } else super.setHandlers(handlers);
  }
}

class CallsAfterFree extends Fault {
  free(): void {
    const handlers = this.handlers;
    this.below.free();
    if (handlers !== null) setImmediate(() => handlers.onEvent?.(this.self, { kind: 'eof', direction: 'read' }));
  }
}

class FinishesTheRunAfterFree extends Fault {
  override deliverRead(): void {
    const handlers = this.handlers;
    const freed = this.below.freed;
    super.deliverRead();
    if (!freed && this.below.freed) handlers?.onWrite?.(this.self);
  }
}

class KeepsOldHandlers extends Fault {
  #first: BuffereventHandlers | null = null;

  override setHandlers(handlers: BuffereventHandlers | null): void {
    super.setHandlers(handlers);
    this.#first ??= handlers;
  }

  override deliverRead(): void {
    this.#first?.onRead?.(this.self);
  }
}

class CallsInTheContextItWasMade extends Fault {
  readonly #made: AsyncResource = new AsyncResource('Fault');

  override setHandlers(handlers: BuffereventHandlers | null): void {
    this.#made.runInAsyncScope(() => super.setHandlers(handlers));
  }
}

class SwallowsExceptions extends Fault {
  override deliver(call: () => void): void {
    try {
      call();
    } catch {
      return;
    }
  }
}

class FreesAfterExceptions extends Fault {
  override deliver(call: () => void): void {
    try {
      call();
    } catch (error) {
      this.below.free();
      throw error;
    }
  }
}

class KeepsHandlersForTheRun extends Fault {
  #running: BuffereventHandlers | null = null;

  override deliverRead(): void {
    this.#running = this.handlers;
    queueMicrotask(() => {
      this.#running = null;
    });
    super.deliverRead();
  }

  override deliverWrite(): void {
    if (this.#running === null) super.deliverWrite();
    else this.#running.onWrite?.(this.self);
  }
}

/** Takes itself for busy, and forgets what it is asked for meanwhile. */
class DeafInsideHandlers extends Fault {
  #busy = false;

  override deliver(call: () => void): void {
    this.#busy = true;
    try {
      call();
    } finally {
      this.#busy = false;
    }
  }

  override setHandlers(handlers: BuffereventHandlers | null): void {
    if (!this.#busy) super.setHandlers(handlers);
  }

  free(): void {
    if (!this.#busy) this.below.free();
  }

  end(): Promise<CloseCause> {
    return this.#busy ? this.below.closed : this.below.end();
  }

  halfClose(): void {
    if (!this.#busy) this.below.halfClose();
  }

  disable(...directions: Direction[]): void {
    if (!this.#busy) this.below.disable(...directions);
  }

  setWatermarks(direction: Direction, marks: Partial<Watermarks>): void {
    if (!this.#busy) this.below.setWatermarks(direction, marks);
  }

  write(data: Parameters<Fault['below']['write']>[0], encoding?: EvbufferEncoding): boolean {
    return this.#busy || this.below.write(data, encoding);
  }

  read(count?: number): Promise<Uint8Array | null> {
    return this.#busy ? new Promise(() => undefined) : this.below.read(count);
  }
}

class TriggerIgnoresMarks extends Fault {
  trigger(direction: Direction): void {
    this.below.trigger(direction, { ignoreWatermarks: true });
  }
}

class TriggerHonoursMarksAlways extends Fault {
  trigger(direction: Direction): void {
    this.below.trigger(direction);
  }
}

class CopiesTriggeredEvents extends Fault {
  override deliverEvent(event: BuffereventEvent): void {
    super.deliverEvent({ ...event });
  }
}

class TriggersWithoutHandlers extends Fault {
  readonly #missed: Direction[] = [];

  trigger(direction: Direction, options?: { readonly ignoreWatermarks?: boolean }): void {
    if (this.handlers === null) this.#missed.push(direction);
    this.below.trigger(direction, options);
  }

  override setHandlers(handlers: BuffereventHandlers | null): void {
    super.setHandlers(handlers);
    if (handlers !== null) for (const direction of this.#missed.splice(0)) this.below.trigger(direction);
  }
}

class AcceptsAnything extends Fault {
  setWatermarks(direction: Direction, marks: { readonly low?: number; readonly high?: number }): void {
    const { low, high } = marks;
    const { below } = this;
    if ([low, high].every((mark) => mark === undefined || Number.isInteger(mark)))
      below.setWatermarks(direction, marks);
  }
}

class WorksAfterFree extends Fault {
  write(data: Parameters<Fault['below']['write']>[0], encoding?: EvbufferEncoding): boolean {
    return !this.below.freed && this.below.write(data, encoding);
  }
}

export const dispatchFakes: readonly BrokenFake[] = [
  brokenFake('CB-1', 'calls onWrite inside write', CallsInsideWrite),
  brokenFake('CB-1', 'delivers triggered events inside the call', TriggersAtOnce),
  brokenFake('CB-2', 'calls onRead once for each trigger', CallsForEachTrigger),
  brokenFake('CB-2', 'calls onRead after everything else', WritesBeforeReads),
  brokenFake('CB-3', 'forgets queued events when handlers are taken away', ForgetsQueuedEvents),
  brokenFake('CB-3', 'keeps triggers that have no handler', TriggersWithoutHandlers),
  brokenFake('CB-4', 'merges events into the last one', MergesEvents),
  brokenFake('FR-1', 'calls after free', CallsAfterFree),
  brokenFake('CB-5', 'finishes the run in which it was freed', FinishesTheRunAfterFree),
  brokenFake('CB-9', 'triggers below the low mark', TriggerIgnoresMarks),
  brokenFake('CB-9', 'has marks that no trigger ignores', TriggerHonoursMarksAlways),
  brokenFake('CB-9', 'passes on copies of triggered events', CopiesTriggeredEvents),
  brokenFake('B7', 'keeps calling the handlers it was first given', KeepsOldHandlers),
  brokenFake('B8', 'calls in the asynchronous context in which it was made', CallsInTheContextItWasMade),
  brokenFake('B10', 'swallows what handlers throw', SwallowsExceptions),
  brokenFake('B10', 'is freed by what a handler throws', FreesAfterExceptions),
  brokenFake('B11', 'goes on with the handlers with which a run began', KeepsHandlersForTheRun),
  brokenFake('B11', 'forgets what it is asked for inside its handlers', DeafInsideHandlers),
  brokenFake('B13', 'takes whatever it is given', AcceptsAnything),
  brokenFake('B66', 'can be written to after free', WorksAfterFree),
];
