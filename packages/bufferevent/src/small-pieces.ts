import type { Evbuffer, LeaseOwner } from 'evbuffer';

/**
 * Pieces up to this size are copied together where they queue up: a piece costs its memory and a few hundred bytes more,
 * and a peer that sends one byte at a time must not turn a mark of 256 KiB into 100 MiB.
 */
const SMALL_BYTES = 1024;

/** Between two calls nothing is in it. */
const scratch = new Uint8Array(SMALL_BYTES);

/** Adds bytes in memory that is leased from `owner`: a small piece behind others is copied, and its lease released. */
export function addReceived(
  target: Evbuffer,
  memory: Uint8Array,
  start: number,
  end: number,
  owner: LeaseOwner,
  lease: number,
): void {
  if (end - start > SMALL_BYTES || target.length === 0) {
    target.addLeased(memory, start, end, owner, lease);
    return;
  }
  try {
    target.add(memory.subarray(start, end));
  } finally {
    owner.release(lease);
  }
}

/**
 * As `source.moveTo(target, count)`, but copies all of a small `source` behind what `target` has. Watches of `target` run
 * while the bytes are still in `source`, too, and those of `source` when they are in `target`.
 * @returns how many
 */
export function gather(source: Evbuffer, target: Evbuffer, count: number): number {
  return isSmall(source, target, count) ? copyAll(source, target) : source.moveTo(target, count);
}

/**
 * As {@link gather}, out of a buffer of ours into one that users may watch: they find no byte twice, and may flush.
 * @returns how many
 */
export function handOver(source: Evbuffer, target: Evbuffer, count: number): number {
  return isSmall(source, target, count) ? copyAll(source.take(), target) : source.moveTo(target, count);
}

/** Whether `source` is to be copied as a whole; not bytes of files, which would be read for it, and not what can't be moved. */
function isSmall(source: Evbuffer, target: Evbuffer, count: number): boolean {
  const { length } = source;
  if (length > SMALL_BYTES || length > count || length === 0 || target.length === 0) return false;
  return source.fileBytes === 0 && !source.isFrozen('front') && !target.isFrozen('back');
}

function copyAll(source: Evbuffer, target: Evbuffer): number {
  let count: number;
  try {
    count = source.copyOut(scratch);
  } catch {
    // Memory that its user has detached: told when it is to be sent.
    return source.moveTo(target, source.length);
  }
  try {
    target.add(scratch.subarray(0, count));
  } finally {
    source.drain(count);
  }
  return count;
}
