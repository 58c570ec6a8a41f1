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

/** Nothing is told of an idle connection, or of writing, after an error of either direction. */
export const afterFailure: TimeoutOptions = { idleMs: 0, writeMs: 0 };

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
  #timesIdle = false;
  /** The timers, each made when it is first started. In the object itself, because progress looks at them at every arrival. */
  connect: ProgressTimer | null = null;
  handshake: ProgressTimer | null = null;
  read: ProgressTimer | null = null;
  write: ProgressTimer | null = null;
  idle: ProgressTimer | null = null;
  close: ProgressTimer | null = null;

  constructor(base: EventBase, host: TimeoutHost) {
    this.#base = base;
    this.#host = host;
    const { connectMs, handshakeMs, closeMs } = base.limits;
    this.#durationsMs = { connect: connectMs, handshake: handshakeMs, read: 0, write: 0, idle: 0, close: closeMs };
  }

  set(options: TimeoutOptions): void {
    checkObject('timeouts', options);
    for (const key of Object.keys(options)) duration(key, options[timeoutKey(key)]);
    for (const key of Object.keys(options) as (keyof TimeoutOptions)[]) {
      const durationMs = duration(key, options[key]);
      if (durationMs === undefined) continue;
      const name = names[key];
      this.#durationsMs[name] = durationMs;
      const timer = this[name];
      if (timer === null) continue;
      if (durationMs > 0) timer.setDuration(durationMs);
      else {
        timer.cancel();
        this[name] = null;
      }
    }
    const { read, write, idle } = this.#durationsMs;
    this.#timesIdle = idle > 0;
    this.timesProgress = read > 0 || write > 0 || idle > 0;
  }

  /** The activity is being tried: counts from now, or goes on counting. */
  start(name: TimeoutName): void {
    const durationMs = this.#durationsMs[name];
    if (durationMs <= 0 || durationMs === Infinity || this.#canceled) return;
    this[name] ??= new ProgressTimer(this.#base, durationMs, this.#host, name);
    this[name].start();
  }

  /** Stops for good, until started again. */
  stop(name: TimeoutName): void {
    this[name]?.cancel();
  }

  /** The time-outs of reading and writing run while these are being tried. */
  follow(reading: boolean, writing: boolean): void {
    if (!this.timesProgress) return;
    if (reading) this.start('read');
    else this.read?.stop();
    if (writing) this.start('write');
    else this.write?.stop();
  }

  /** An operation was submitted: its silence counts from now. */
  submitted(direction: 'read' | 'write'): void {
    if (this.timesProgress) this[direction]?.touch();
  }

  /** Progress of one activity. */
  touch(name: TimeoutName): void {
    this[name]?.touch();
  }

  /** Bytes moved in one direction; the idle time-out starts over too, also after it has fired. */
  progress(direction: 'read' | 'write'): void {
    if (!this.timesProgress) return;
    // The names are written out, because this runs for every arrival.
    if (direction === 'read') this.read?.touch();
    else this.write?.touch();
    if (this.#timesIdle) {
      this.start('idle');
      this.idle?.touch();
    }
  }

  error(name: TimeoutName): BuffereventTimeoutError {
    return new BuffereventTimeoutError(name, this.#durationsMs[name]);
  }

  /** Nothing moves any more; only the closing goes on. */
  rest(): void {
    for (const name of ['connect', 'handshake', 'read', 'write', 'idle'] as const) this[name]?.stop();
  }

  /** Stops everything, for good. */
  cancel(): void {
    this.#canceled = true;
    for (const name of Object.values(names)) this[name]?.cancel();
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

function timeoutKey(key: string): keyof TimeoutOptions {
  if (!Object.hasOwn(names, key)) throw argumentRangeError('timeouts', `one of ${Object.keys(names).join(', ')}`, key);
  return key as keyof TimeoutOptions;
}

function duration(key: string, value: number | null | undefined): number | undefined {
  if (value === null) return 0;
  if (value !== undefined) checkMilliseconds(key, value);
  return value;
}
