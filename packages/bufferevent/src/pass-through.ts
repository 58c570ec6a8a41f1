import type { Evbuffer } from 'evbuffer';
import type { LayerResult } from './layer.js';

/** One direction of a layer that changes nothing: moves bytes, without copying, as far as there is room. */
export function passThrough(source: Evbuffer, target: Evbuffer, limit: number): LayerResult {
  return source.moveTo(target, limit) > 0 ? 'ok' : 'need-more';
}
