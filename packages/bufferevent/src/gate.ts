/** Why a direction rests although the user has enabled it. */
export type SuspendReason = 'watermark' | 'lookup' | 'rate' | 'group-rate';

const bits: Readonly<Record<SuspendReason, number>> = { watermark: 1, lookup: 2, rate: 4, 'group-rate': 8 };

/**
 * One direction of a bufferevent. It acts iff the user enabled it and no reason suspends it (RD-9); enabling never
 * lifts a suspension, and a suspension never changes what the user asked for.
 */
export class Gate {
  enabled: boolean;
  #suspended = 0;

  constructor(enabled: boolean) {
    this.enabled = enabled;
  }

  get suspended(): boolean {
    return this.#suspended !== 0;
  }

  isSuspendedFor(reason: SuspendReason): boolean {
    return (this.#suspended & bits[reason]) !== 0;
  }

  suspend(reason: SuspendReason): void {
    this.#suspended |= bits[reason];
  }

  resume(reason: SuspendReason): void {
    this.#suspended &= ~bits[reason];
  }
}
