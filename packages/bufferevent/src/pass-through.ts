import type { Evbuffer } from 'evbuffer';
import type { LayerResult } from './layer.js';
import { gather } from './small-pieces.js';

/** One direction of a layer that changes nothing: moves bytes as far as there is room. */
export function passThrough(source: Evbuffer, target: Evbuffer, limit: number): LayerResult {
  return gather(source, target, limit) > 0 ? 'ok' : 'need-more';
}
