import type { Segment } from 'bufferevent-backend';

/** Bytes in the first `count` of some segments. */
export function segmentBytes(segments: readonly Segment[], count: number): number {
  let bytes = 0;
  for (let i = 0; i < count; i++) {
    const { start, end } = segments[i] as Segment;
    bytes += end - start;
  }
  return bytes;
}
