import type { Direction } from './events.js';

/** Why a direction rests although the user has enabled it. */
export type SuspendReason = 'watermark' | 'rate' | 'group-rate' | 'lookup' | 'filter';

const reasons: readonly SuspendReason[] = ['watermark', 'rate', 'group-rate', 'lookup', 'filter'];

/** Written out, not looked up by name, which takes twice as long once V8 has met more than a few of them. */
function bitOf(reason: SuspendReason): number {
  switch (reason) {
    case 'watermark':
      return 1;
    case 'rate':
      return 2;
    case 'group-rate':
      return 4;
    case 'lookup':
      return 8;
    case 'filter':
      return 16;
  }
}

const RATES: number = bitOf('rate') | bitOf('group-rate');

/** Told when a reason begins or ceases to suspend a direction. */
export interface GateHost {
  gateChanged(direction: Direction, reason: SuspendReason, suspended: boolean): void;
}

/** How often each reason has suspended a direction since the connection was made. */
export type Suspensions = Readonly<Partial<Record<SuspendReason, number>>>;

/**
 * One direction of a bufferevent. It acts iff the user enabled it and no reason suspends it (RD-9); enabling never
 * lifts a suspension, and a suspension never changes what the user asked for.
 */
export class Gate {
  enabled: boolean;
  #suspended = 0;
  #counts: Partial<Record<SuspendReason, number>> | null = null;
  readonly #direction: Direction;
  readonly #host: GateHost;

  constructor(direction: Direction, enabled: boolean, host: GateHost) {
    this.#direction = direction;
    this.enabled = enabled;
    this.#host = host;
  }

  get suspended(): boolean {
    return this.#suspended !== 0;
  }

  /** Whether it is suspended for other than the rate of what comes from, or goes to, the transport. */
  get suspendedBeyondRate(): boolean {
    return (this.#suspended & ~RATES) !== 0;
  }

  /** Whether a rate suspends it, its own or that of its group. */
  get suspendedByRate(): boolean {
    return (this.#suspended & RATES) !== 0;
  }

  /** The reasons in force. */
  get reasons(): readonly SuspendReason[] {
    return reasons.filter((reason) => this.isSuspendedFor(reason));
  }

  get suspensions(): Suspensions {
    return { ...this.#counts };
  }

  isSuspendedFor(reason: SuspendReason): boolean {
    return (this.#suspended & bitOf(reason)) !== 0;
  }

  /** @returns whether the reason is new */
  suspend(reason: SuspendReason): boolean {
    if (this.isSuspendedFor(reason)) return false;
    this.#suspended |= bitOf(reason);
    this.#counts ??= {};
    this.#counts[reason] = (this.#counts[reason] ?? 0) + 1;
    this.#host.gateChanged(this.#direction, reason, true);
    return true;
  }

  /** @returns whether the reason was in force */
  resume(reason: SuspendReason): boolean {
    if (!this.isSuspendedFor(reason)) return false;
    this.#suspended &= ~bitOf(reason);
    this.#host.gateChanged(this.#direction, reason, false);
    return true;
  }
}
