export type {
  Address,
  AddressPair,
  Backend,
  IpAddress,
  PathAddress,
  StreamOptions,
  SystemError,
} from 'bufferevent-backend';
export { type EolStyle, Evbuffer } from 'evbuffer';
export type { Bufferevent } from './bufferevent.js';
export type { Clock, Timer } from './clock.js';
export { type ConnectOptions, connect } from './connect.js';
export type { AddressesTarget, ConnectTarget, HostTarget } from './connect-target.js';
export { BuffereventError, type BuffereventErrorCode, BuffereventTimeoutError } from './errors.js';
export { EventBase, type EventBaseOptions, type EventBaseStats } from './event-base.js';
export type { BuffereventEvent, BuffereventHandlers, CloseCause, Direction, TimeoutName } from './events.js';
export { FilterBufferevent, type FilterFunction, type FilterOptions } from './filter-bufferevent.js';
export type { SuspendReason, Suspensions } from './gate.js';
export type { InsertLayerOptions } from './insert-layer-options.js';
export type { FlushMode, Layer, LayerHost, LayerResult } from './layer.js';
export { defaultLimits, type Limits } from './limits.js';
export { type ListenOptions, type ListenTarget, listen } from './listen.js';
export { Listener, type ListenerOptions, type ListenerStats, type ListenHandlers } from './listener.js';
export type { Lookup, LookupAddress, LookupError, LookupOptions } from './lookup.js';
export { createPair, PairBufferevent, type PairOptions } from './pair-bufferevent.js';
export type { PullOptions, ReadLineOptions, ReadOptions } from './pull.js';
export { RateLimitGroup, type RateLimitTotals } from './rate-limit/group.js';
export {
  type RateLimitCount,
  type RateLimitOptions,
  TokenBucketConfig,
  type TokenBucketOptions,
} from './rate-limit/token-bucket.js';
export { SocketBufferevent } from './socket-bufferevent.js';
export type { SocketBuffereventOptions, SocketConnectOptions } from './socket-options.js';
export type { BuffereventStats } from './stats.js';
export type { InitialStreamOptions } from './stream-options.js';
export type { TimeoutOptions } from './timeouts.js';
export type { Watermarks } from './watermarks.js';
