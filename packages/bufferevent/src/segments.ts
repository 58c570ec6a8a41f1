import type { Segment } from 'bufferevent-backend';
import type { Evbuffer } from 'evbuffer';

/** Bytes in the first `count` of some segments. */
export function segmentBytes(segments: readonly Segment[], count: number): number {
  let bytes = 0;
  for (let i = 0; i < count; i++) {
    const { start, end } = segments[i] as Segment;
    bytes += end - start;
  }
  return bytes;
}

/**
 * As `source.peekInto`, but without what is behind the first bytes that can't be looked at: their memory was detached, or
 * is shared. Throws `ERR_EVBUFFER_DETACHED` or `ERR_EVBUFFER_SHARED` when nothing is in front of them.
 */
export function peekReadable(
  source: Evbuffer,
  target: Segment[],
  maxBytes: number,
  maxSegments: number = Infinity,
): number {
  try {
    return source.peekInto(target, maxBytes, maxSegments);
  } catch (error) {
    const count = readableSegments(source, target, maxBytes);
    if (count === 0) throw error;
    return source.peekInto(target, maxBytes, count);
  }
}

/** How many segments are in front of one that can't be looked at, which there is. */
function readableSegments(source: Evbuffer, target: Segment[], maxBytes: number): number {
  let readable = 0;
  let tooMany = 1;
  while (canPeek(source, target, maxBytes, tooMany)) {
    readable = tooMany;
    tooMany *= 2;
  }
  while (tooMany - readable > 1) {
    const between = Math.floor((readable + tooMany) / 2);
    if (canPeek(source, target, maxBytes, between)) readable = between;
    else tooMany = between;
  }
  return readable;
}

function canPeek(source: Evbuffer, target: Segment[], maxBytes: number, maxSegments: number): boolean {
  try {
    source.peekInto(target, maxBytes, maxSegments);
    return true;
  } catch {
    return false;
  }
}
