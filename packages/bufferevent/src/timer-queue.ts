import type { Clock, Timer } from './clock.js';

/** Something that waits in a {@link TimerQueue}. What is marked so is the queue's. */
export interface QueuedTimer {
  /** The queue's. */
  dueAt: number;
  /** The queue's: the place in the heap, −1 while not queued. */
  place: number;
  /** The queue's: of two that are due at the same time, the one that was added first comes first. */
  order: number;
  /** When it is really due, now that its time has come; what lies in the future keeps it in the queue. */
  readonly deadline: number;
  /** It is due, and not queued any more. May add itself again, and remove others. */
  onDue(): void;
}

/**
 * All timers of a base behind one timer of its clock: an idle connection with time-outs costs an entry here,
 * and a timer of the system only as long as anybody waits. A binary heap, the soonest at the top.
 */
export class TimerQueue {
  readonly #clock: Clock;
  readonly #runDue: (step: () => void) => void;
  readonly #heap: QueuedTimer[] = [];
  #timer: Timer | null = null;
  #timerAt = Infinity;
  #order = 0;

  /** @param inTurn runs a step as part of a turn of the base */
  constructor(clock: Clock, inTurn: (step: () => void) => void) {
    this.#clock = clock;
    this.#runDue = inTurn;
  }

  /** Queues a timer that is not queued. */
  add(timer: QueuedTimer, dueAt: number): void {
    timer.dueAt = dueAt;
    timer.order = this.#order++;
    this.#heap.push(timer);
    this.#rise(timer, this.#heap.length - 1);
    if (dueAt < this.#timerAt) this.#arm();
  }

  /** Does nothing for a timer that is not queued. */
  remove(timer: QueuedTimer): void {
    const { place } = timer;
    if (place < 0) return;
    const last = this.#heap.pop() as QueuedTimer;
    timer.place = -1;
    if (last !== timer) {
      this.#rise(last, place);
      this.#sink(last, last.place);
    }
    if (this.#heap.length === 0) this.#disarm();
  }

  /** A clock timer that was set for one that is gone fires once in vain, and is set for the next one then. */
  #arm(): void {
    const soonest = this.#heap[0];
    if (soonest === undefined || soonest.dueAt === this.#timerAt) return;
    this.#disarm();
    this.#timerAt = soonest.dueAt;
    this.#timer = this.#clock.setTimer(this.#onTimer, soonest.dueAt - this.#clock.now());
  }

  #disarm(): void {
    this.#timer?.cancel();
    this.#timer = null;
    this.#timerAt = Infinity;
  }

  readonly #onTimer = (): void => {
    this.#timer = null;
    this.#timerAt = Infinity;
    this.#runDue(this.#step);
    this.#arm();
  };

  readonly #step = (): void => {
    const now = this.#clock.now();
    for (let soonest = this.#heap[0]; soonest !== undefined && soonest.dueAt <= now; soonest = this.#heap[0]) {
      const { deadline } = soonest;
      if (deadline > now) {
        soonest.dueAt = deadline;
        soonest.order = this.#order++;
        this.#sink(soonest, 0);
      } else {
        this.remove(soonest);
        soonest.onDue();
      }
    }
  };

  /** Puts a timer into a place that is free, or above it. */
  #rise(timer: QueuedTimer, from: number): void {
    const heap = this.#heap;
    let place = from;
    while (place > 0) {
      const above = (place - 1) >> 1;
      const other = heap[above] as QueuedTimer;
      if (!before(timer, other)) break;
      heap[place] = other;
      other.place = place;
      place = above;
    }
    heap[place] = timer;
    timer.place = place;
  }

  /** Moves a timer down while one below it comes sooner. */
  #sink(timer: QueuedTimer, from: number): void {
    const heap = this.#heap;
    const { length } = heap;
    let place = from;
    for (let below = 2 * place + 1; below < length; below = 2 * place + 1) {
      const right = below + 1;
      if (right < length && before(heap[right] as QueuedTimer, heap[below] as QueuedTimer)) below = right;
      const other = heap[below] as QueuedTimer;
      if (!before(other, timer)) break;
      heap[place] = other;
      other.place = place;
      place = below;
    }
    heap[place] = timer;
    timer.place = place;
  }
}

function before(left: QueuedTimer, right: QueuedTimer): boolean {
  return left.dueAt < right.dueAt || (left.dueAt === right.dueAt && left.order < right.order);
}
