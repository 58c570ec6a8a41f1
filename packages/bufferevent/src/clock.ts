/** A timer that was set; cancelling one that has run does nothing. */
export interface Timer {
  cancel(): void;
}

/** Where time comes from. Injected in tests, so that none of them sleeps. */
export interface Clock {
  /** Milliseconds on a scale that never goes back. */
  now(): number;
  /** Runs `callback` once after `delayMs`. Does not keep the process alive: what is waited for does. */
  setTimer(callback: () => void, delayMs: number): Timer;
  /** Runs `callback` in the next turn of the loop. */
  defer(callback: () => void): void;
}

/** The longest delay that a Node timer takes. */
const MAX_DELAY_MS = 2 ** 31 - 1;

export const systemClock: Clock = {
  now: () => performance.now(),
  setTimer(callback, delayMs) {
    const timeout = setTimeout(callback, Math.min(Math.ceil(delayMs), MAX_DELAY_MS));
    timeout.unref();
    return { cancel: () => clearTimeout(timeout) };
  },
  defer(callback) {
    setImmediate(callback);
  },
};
