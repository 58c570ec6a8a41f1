import { argumentRangeError } from 'bufferevent-backend';
import { checkMilliseconds, checkObject } from './arguments.js';
import { BuffereventTimeoutError } from './errors.js';
import type { EventBase } from './event-base.js';
import type { TimeoutName } from './events.js';
import { ProgressTimer } from './progress-timer.js';

/** Milliseconds; 0 or `null` for none. */
export interface TimeoutOptions {
  readonly connectMs?: number | null;
  readonly handshakeMs?: number | null;
  readonly readMs?: number | null;
  readonly writeMs?: number | null;
  readonly idleMs?: number | null;
  readonly closeMs?: number | null;
}

/** Told when a time-out has fired. */
export interface TimeoutHost {
  onTimeout(name: TimeoutName): void;
}

/** The time-outs of one connection; a timer exists only for those that were set and have been started. */
export class Timeouts {
  readonly #base: EventBase;
  readonly #host: TimeoutHost;
  readonly #durationsMs: Record<TimeoutName, number>;
  #canceled = false;
  /** Whether bytes that move have a timer to be told to. */
  timesProgress = false;
  readonly #timers: Record<TimeoutName, ProgressTimer | null> = {
    connect: null,
    handshake: null,
    read: null,
    write: null,
    idle: null,
    close: null,
  };

  constructor(base: EventBase, host: TimeoutHost) {
    this.#base = base;
    this.#host = host;
    const { connectMs, handshakeMs, closeMs } = base.limits;
    this.#durationsMs = { connect: connectMs, handshake: handshakeMs, read: 0, write: 0, idle: 0, close: closeMs };
  }

  set(options: TimeoutOptions): void {
    checkObject('timeouts', options);
    const given = Object.entries(options).filter(([, value]) => value !== undefined);
    const durations = given.map(([key, value]) => [timeoutName(key), duration(key, value)] as const);
    for (const [name, durationMs] of durations) {
      this.#durationsMs[name] = durationMs;
      const timer = this.#timers[name];
      if (timer === null) continue;
      if (durationMs > 0) timer.setDuration(durationMs);
      else {
        timer.cancel();
        this.#timers[name] = null;
      }
    }
    const { read, write, idle } = this.#durationsMs;
    this.timesProgress = read > 0 || write > 0 || idle > 0;
  }

  /** The activity is being tried: counts from now, or goes on counting. */
  start(name: TimeoutName): void {
    const durationMs = this.#durationsMs[name];
    if (durationMs <= 0 || durationMs === Infinity || this.#canceled) return;
    this.#timers[name] ??= new ProgressTimer(this.#base, durationMs, () => this.#host.onTimeout(name));
    this.#timers[name].start();
  }

  /** Stops for good, until started again. */
  stop(name: TimeoutName): void {
    this.#timers[name]?.cancel();
  }

  /** The time-outs of reading and writing run while these are being tried. */
  follow(reading: boolean, writing: boolean): void {
    if (!this.timesProgress) return;
    if (reading) this.start('read');
    else this.#timers.read?.stop();
    if (writing) this.start('write');
    else this.#timers.write?.stop();
  }

  /** An operation was submitted: its silence counts from now. */
  submitted(direction: 'read' | 'write'): void {
    if (this.timesProgress) this.#timers[direction]?.touch();
  }

  /** Progress of one activity. */
  touch(name: TimeoutName): void {
    this.#timers[name]?.touch();
  }

  /** Bytes moved in one direction; the idle time-out starts over too, also after it has fired. */
  progress(direction: 'read' | 'write'): void {
    if (!this.timesProgress) return;
    this.#timers[direction]?.touch();
    if (this.#durationsMs.idle > 0) {
      this.start('idle');
      this.#timers.idle?.touch();
    }
  }

  error(name: TimeoutName): BuffereventTimeoutError {
    return new BuffereventTimeoutError(name, this.#durationsMs[name]);
  }

  /** Nothing moves any more; only the closing goes on. */
  rest(): void {
    for (const name of ['connect', 'handshake', 'read', 'write', 'idle'] as const) this.#timers[name]?.stop();
  }

  /** Stops everything, for good. */
  cancel(): void {
    this.#canceled = true;
    for (const timer of Object.values(this.#timers)) timer?.cancel();
  }
}

const names: Readonly<Record<keyof TimeoutOptions, TimeoutName>> = {
  connectMs: 'connect',
  handshakeMs: 'handshake',
  readMs: 'read',
  writeMs: 'write',
  idleMs: 'idle',
  closeMs: 'close',
};

function timeoutName(key: string): TimeoutName {
  if (!Object.hasOwn(names, key)) throw argumentRangeError('timeouts', `one of ${Object.keys(names).join(', ')}`, key);
  return names[key as keyof TimeoutOptions];
}

function duration(key: string, value: unknown): number {
  if (value === null) return 0;
  checkMilliseconds(key, value);
  return value as number;
}
