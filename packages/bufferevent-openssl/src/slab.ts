import type { Evbuffer, LeaseOwner } from 'evbuffer';

/** Room for four records of 16 KiB with what encryption adds to each. */
export const SLAB_BYTES: number = 66 * 1024;

/** What is left of a slab below this is not worth a call: a new one is begun. */
const LEAST_WINDOW_BYTES = 4096;

/** Pieces up to this size are copied, so that few bytes that nobody takes do not keep a slab from everybody else. */
const COPY_BYTES = 4096;

/** Empty slabs that are kept for later. */
const MAX_FREE_SLABS = 16;

/** Memory that OpenSSL writes to and buffers hold pieces of. Used again when no buffer holds any of it. */
export class Slab implements LeaseOwner {
  readonly memory: Uint8Array = new Uint8Array(SLAB_BYTES);
  /** Bytes from the start that were handed out. */
  used = 0;
  leases = 0;

  /** Room behind what was handed out. */
  get room(): number {
    return SLAB_BYTES - this.used;
  }

  release(): void {
    this.leases--;
    if (this.leases === 0) emptied(this);
  }
}

/** Slabs of this thread: the one that is being filled, and the empty ones. */
let current: Slab = new Slab();
const free: Slab[] = [];

function emptied(slab: Slab): void {
  slab.used = 0;
  // A user may have detached the memory of a view.
  if (slab === current || slab.memory.length === 0 || free.length >= MAX_FREE_SLABS) return;
  free.push(slab);
}

/** A user may also have detached the memory of one that was empty already. */
function emptySlab(): Slab {
  for (let slab = free.pop(); slab !== undefined; slab = free.pop()) if (slab.memory.length > 0) return slab;
  return new Slab();
}

/**
 * A slab with some room behind `used`, never none, and with `wanted` bytes of it if a whole one has so many. Good until the
 * next call: what is written there counts from {@link handOut} on.
 */
export function slabFor(wanted: number): Slab {
  const { room } = current;
  const enough = room >= Math.max(1, Math.min(wanted, LEAST_WINDOW_BYTES)) && current.memory.length > 0;
  if (!enough) current = emptySlab();
  return current;
}

/** As {@link slabFor}, for `wanted` bytes in one piece. */
export function wholeSlabFor(wanted: number): Slab {
  if (current.room < wanted || current.memory.length === 0) current = emptySlab();
  return current;
}

/** The first `bytes` bytes of the room of a slab go to the back of `target`: few are copied, others lent. */
export function handOut(slab: Slab, bytes: number, target: Evbuffer): void {
  const { memory, used } = slab;
  const end = used + bytes;
  if (bytes <= COPY_BYTES) {
    target.add(memory.subarray(used, end));
    return;
  }
  slab.used = end;
  slab.leases++;
  target.addLeased(memory, used, end, slab, 0);
}
