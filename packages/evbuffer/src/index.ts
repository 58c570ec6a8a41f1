export type { LeaseOwner, ReleaseCallback } from './chain.js';
export { type EvbufferArgumentErrorCode, EvbufferError, type EvbufferErrorCode } from './errors.js';
export { Evbuffer, type EvbufferEnd, type EvbufferSegment, isEvbuffer, type PeekOptions } from './evbuffer.js';
export type { EolMatch, EolStyle } from './line.js';
export type { Reservation } from './reservation.js';
export type { EvbufferEncoding } from './text.js';
export type { EvbufferChange, EvbufferWatch } from './watch.js';
