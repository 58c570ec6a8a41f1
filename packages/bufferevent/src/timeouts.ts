import { checkOptionNames } from 'bufferevent-backend';
import { checkMilliseconds, checkObject } from './arguments.js';
import { BuffereventTimeoutError } from './errors.js';
import type { EventBase } from './event-base.js';
import type { TimeoutName } from './events.js';
import type { Limits } from './limits.js';
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
  readonly base: EventBase;
  onTimeout(name: TimeoutName): void;
}

/** The time-outs of one connection; a timer exists only for those that were set and have been started. */
export class Timeouts {
  readonly #host: TimeoutHost;
  /** Made at first use: most connections have the durations of their base, and never start a timer. */
  #timers: Timers | null = null;
  #canceled = false;

  constructor(host: TimeoutHost) {
    this.#host = host;
  }

  /** Whether bytes that move have a timer to be told to. */
  get timesProgress(): boolean {
    return this.#timers?.timesProgress === true;
  }

  set(options: TimeoutOptions): void {
    checkObject('timeouts', options);
    checkOptionNames('timeouts', options, names);
    const keys = Object.keys(options) as (keyof TimeoutOptions)[];
    for (const key of keys) duration(key, options[key]);
    this.#timers ??= new Timers(this.#host.base.limits);
    const timers = this.#timers;
    for (const key of keys) {
      const durationMs = duration(key, options[key]);
      if (durationMs === undefined) continue;
      const name = names[key];
      timers.durationsMs[name] = durationMs;
      const timer = timers[name];
      if (timer === null) continue;
      if (durationMs > 0) timer.setDuration(durationMs);
      else {
        timer.cancel();
        timers[name] = null;
      }
    }
    const { read, write, idle } = timers.durationsMs;
    timers.timesIdle = idle > 0;
    timers.timesProgress = read > 0 || write > 0 || idle > 0;
  }

  /** The activity is being tried: counts from now, or goes on counting. */
  start(name: TimeoutName): void {
    const { base } = this.#host;
    const durationMs = this.#timers === null ? initialMs(name, base.limits) : this.#timers.durationsMs[name];
    if (durationMs <= 0 || durationMs === Infinity || this.#canceled) return;
    this.#timers ??= new Timers(base.limits);
    this.#timers[name] ??= new ProgressTimer(base, durationMs, this.#host, name);
    this.#timers[name].start();
  }

  /** Stops for good, until started again. */
  stop(name: TimeoutName): void {
    this.#timers?.[name]?.cancel();
  }

  /** The time-outs of reading and writing run while these are being tried. */
  follow(reading: boolean, writing: boolean): void {
    const timers = this.#timers;
    if (timers === null || !timers.timesProgress) return;
    if (reading) this.start('read');
    else timers.read?.stop();
    if (writing) this.start('write');
    else timers.write?.stop();
  }

  /** An operation was submitted: its silence counts from now. */
  submitted(direction: 'read' | 'write'): void {
    const timers = this.#timers;
    if (timers?.timesProgress === true) timers[direction]?.touch();
  }

  /** Progress of one activity. */
  touch(name: TimeoutName): void {
    this.#timers?.[name]?.touch();
  }

  /** Bytes moved in one direction; the idle time-out starts over too, also after it has fired. */
  progress(direction: 'read' | 'write'): void {
    const timers = this.#timers;
    if (timers === null || !timers.timesProgress) return;
    // The names are written out, because this runs for every arrival.
    if (direction === 'read') timers.read?.touch();
    else timers.write?.touch();
    if (timers.timesIdle) {
      this.start('idle');
      timers.idle?.touch();
    }
  }

  /** Why it has fired. */
  error(name: TimeoutName): BuffereventTimeoutError {
    return new BuffereventTimeoutError(name, this.#timers?.durationsMs[name] ?? 0);
  }

  /** Nothing moves any more; only the closing goes on. */
  rest(): void {
    for (const name of ['connect', 'handshake', 'read', 'write', 'idle'] as const) this.#timers?.[name]?.stop();
  }

  /** Stops everything, for good. */
  cancel(): void {
    this.#canceled = true;
    for (const name of Object.values(names)) this.#timers?.[name]?.cancel();
  }
}

/** The timers of one connection, each made when it is first started. */
class Timers {
  readonly durationsMs: Record<TimeoutName, number>;
  timesProgress = false;
  timesIdle = false;
  connect: ProgressTimer | null = null;
  handshake: ProgressTimer | null = null;
  read: ProgressTimer | null = null;
  write: ProgressTimer | null = null;
  idle: ProgressTimer | null = null;
  close: ProgressTimer | null = null;

  constructor({ connectMs, handshakeMs, closeMs }: Limits) {
    this.durationsMs = { connect: connectMs, handshake: handshakeMs, read: 0, write: 0, idle: 0, close: closeMs };
  }
}

function initialMs(name: TimeoutName, limits: Limits): number {
  switch (name) {
    case 'connect':
      return limits.connectMs;
    case 'handshake':
      return limits.handshakeMs;
    case 'close':
      return limits.closeMs;
    default:
      return 0;
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

function duration(key: string, value: number | null | undefined): number | undefined {
  if (value === null) return 0;
  if (value !== undefined) checkMilliseconds(key, value);
  return value;
}
