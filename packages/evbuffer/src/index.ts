export { type EvbufferArgumentErrorCode, EvbufferError, type EvbufferErrorCode } from './errors.js';
export { Evbuffer, type EvbufferEnd, isEvbuffer } from './evbuffer.js';
export type { EolMatch, EolStyle } from './line.js';
export type { LeaseOwner, ReleaseCallback } from './node.js';
export type { EvbufferSegment, PeekOptions } from './peek.js';
export type { Reservation } from './reservation.js';
export type { EvbufferEncoding } from './text.js';
export type { EvbufferChange, EvbufferWatch } from './watch.js';
