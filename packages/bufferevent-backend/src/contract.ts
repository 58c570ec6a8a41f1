/**
 * The contract between connections and the mechanism that moves their bytes: operations are submitted, completions are
 * received. Types only; the numbered rules C1–C20 stand in `docs/backend-contract.md`, and
 * `bufferevent-backend-compliance` holds a case for each. Policy (watermarks, time-outs, name resolution) lives above.
 */
import type { BackendSupports } from './supports.js';

/**
 * Names a stream or a listener inside one port: slot and generation in one integer of at most 53 bits, so that a slot
 * in its second life is never taken for its first (C12). Greater than zero.
 */
export type Handle = number;

/** Names memory handed out with a `recv` completion, until it is given back with {@link Port.release} (C5). */
export type Lease = number;

/** A numeric address; backends never resolve names (C14). An IPv6 zone goes into `ip` (`fe80::1%eth0`). */
export interface IpAddress {
  readonly ip: string;
  readonly port: number;
}

/** A Unix-domain socket path; a leading NUL byte names the abstract space where the system has one. */
export interface PathAddress {
  readonly path: string;
}

export type Address = IpAddress | PathAddress;

/** The two ends of a stream, or the bound end of a listener; `null` where the system knows none. */
export interface AddressPair {
  readonly local: Address | null;
  readonly peer: Address | null;
}

/** The kinds of operation that complete. Integers, because they cross rings; stable, because natives are compiled. */
export const Operation = {
  listen: 1,
  accept: 2,
  connect: 3,
  recv: 4,
  send: 5,
  sendFile: 6,
  shutdown: 7,
  watchPeer: 8,
  close: 9,
  reset: 10,
  detach: 11,
} as const;
export type Operation = (typeof Operation)[keyof typeof Operation];

/** Operations that {@link Port.cancel} may name. `send` and `sendFile` only where `supports.cancelSend`. */
export type CancellableOperation =
  | typeof Operation.accept
  | typeof Operation.connect
  | typeof Operation.recv
  | typeof Operation.send
  | typeof Operation.sendFile
  | typeof Operation.watchPeer;

/** Bytes `[start, end)` of `memory`. */
export interface Segment {
  memory: Uint8Array;
  start: number;
  end: number;
}

export interface ListenOptions {
  /** Connections the system may queue before they are accepted. Default 511. */
  readonly backlog?: number;
  /** Only IPv6 peers on an IPv6 address. Default false (dual stack where the system offers it). */
  readonly ipv6Only?: boolean;
  /** Let several ports listen on one address, where `supports.reusePort`. Not for paths. Default false. */
  readonly reusePort?: boolean;
  /**
   * Accept a connection only when its first bytes have come, where `supports.deferAccept`. The system may give up
   * waiting and accept it all the same. Not for paths. Default false.
   */
  readonly deferAccept?: boolean;
  /**
   * Permission bits (0 to 0o777) of the socket file, from its first moment on where the mechanism can, where
   * `supports.socketFiles`. Who may write may connect. Only for paths outside the abstract space. Default: what the
   * umask of the process leaves.
   */
  readonly mode?: number;
}

export interface ConnectOptions {
  /** The numeric address (and port, 0 for any) to bind before connecting. */
  readonly localAddress?: IpAddress;
}

/** Options of one stream; sizes in bytes, times in milliseconds. */
export interface StreamOptions {
  /** TCP_NODELAY. */
  noDelay: boolean;
  /** SO_KEEPALIVE: the idle time before the first probe, or `false`. */
  keepAlive: number | false;
  recvBufferSize: number;
  sendBufferSize: number;
}

/**
 * Finished operations, in the order in which they finished. One object is reused for every wake-up: it may be read only
 * while the sink runs, and everything it returns except recv memory (owned until released) must be taken out by then.
 */
export interface CompletionBatch {
  /** Number of completions; indices run from 0 to `length - 1`. */
  readonly length: number;
  operation(index: number): Operation;
  handle(index: number): Handle;
  /**
   * 0 or more: bytes moved (`recv`, `send`, `sendFile`), the new handle (`accept`), the descriptor (`detach`), or 0.
   * Less than 0: a negated errno of the one table (C13). For `recv`, 0 is the end of the stream (C8).
   */
  result(index: number): number;
  /** The memory that holds the bytes of a `recv` with a result above 0: `result` bytes from `start(index)` on (C5). */
  memory(index: number): Uint8Array;
  start(index: number): number;
  lease(index: number): Lease;
}

/**
 * Receives completions, once per wake-up of the port. Never called before the submitting call returned (C1). It should
 * not throw; if it does, the port still delivers the rest and lets the exception surface as uncaught (C19).
 */
export type CompletionSink = (batch: CompletionBatch) => void;

/** One line of what a mechanism really answered, for traces only (C13). */
export interface TraceRecord {
  readonly operation: Operation;
  readonly handle: Handle;
  readonly result: number;
  /** The mechanism's own code: an errno name, a Windows error number, a Node error code. */
  readonly raw: string | number;
}

export interface PortOptions {
  /**
   * Called for every completion that carries an error, before the sink sees it. Must not submit anything. It should not
   * throw; if it does, the exception surfaces as uncaught, and nothing else changes (C19).
   */
  readonly onTrace?: (record: TraceRecord) => void;
}

/** Counts for tests and diagnostics; a port that owns nothing shows zeros in the first four. */
export interface PortStats {
  readonly streams: number;
  readonly listeners: number;
  /** Operations submitted and not yet completed. */
  readonly pending: number;
  /** Leases handed out and not yet released. */
  readonly leases: number;
  /** Bytes registered with {@link Port.registerMemory} by the user of the port. */
  readonly registeredBytes: number;
  /** Times the sink was called, and completions delivered, since the port was made. */
  readonly batches: number;
  readonly completions: number;
}

/** A mechanism. Stateless: ports hold everything. */
export interface Backend<Options extends PortOptions = PortOptions> {
  /** Short and stable (`net`, `epoll`, `iocp`, `memory`): shown to users and accepted on command lines. */
  readonly name: string;
  readonly supports: BackendSupports;
  /** Whether a port can be made in this process. Never throws. */
  isAvailable(): boolean;
  /** Why not, as one sentence; `null` when it is available. */
  unavailabilityReason(): string | null;
  createPort(sink: CompletionSink, options?: Options): Port;
}

/**
 * One queue of submissions and completions; one per event base and thread.
 *
 * Every verb that submits throws synchronously, with nothing submitted: `TypeError`/`RangeError` for malformed
 * arguments, {@link BackendError} `ERR_BACKEND_STALE_HANDLE` for a handle that is closed or was never given out (C12),
 * `ERR_BACKEND_BUSY` when that kind is in flight already (C3), `ERR_BACKEND_UNSUPPORTED` where `supports` says no,
 * `ERR_BACKEND_CLOSED` after disposal. Everything else is a completion.
 */
export interface Port {
  readonly backend: Backend;

  /**
   * Binds and listens. Completes with 0, or fails (`EADDRINUSE`, `EACCES`, …); the handle must be closed either way.
   * Nothing is accepted without credits.
   */
  listen(address: Address, options?: ListenOptions): Handle;

  /**
   * Accepts up to `credits` connections. Each completes with its handle and uses one credit (C2, C3). Running out of
   * descriptors completes once per episode with `-EMFILE`/`-ENFILE` and uses no credit (C20). When the listener is
   * cancelled or closed with credits left, one `-ECANCELED` ends them; that is the last completion of this call.
   */
  accept(listener: Handle, credits: number): void;

  /**
   * Starts a connection. Completes with 0, or fails; the handle must be closed either way. Operations submitted before
   * it has completed with 0 complete with `-ENOTCONN`.
   */
  connect(address: Address, options?: ConnectOptions): Handle;

  /**
   * Takes over an open, connected stream descriptor, where `supports.descriptors`. Usable at once; no completion. The
   * port closes it with the handle. Throws a system error (`EBADF`, `ENOTSOCK`, …) when it cannot, and the descriptor
   * stays the caller's.
   */
  adopt(descriptor: number): Handle;

  /**
   * Gives the descriptor back open, where `supports.descriptors`: cancels what is in flight (C17), then completes with
   * the descriptor as the last word about this handle.
   */
  detach(stream: Handle): void;

  /**
   * Asks for at most `max` bytes (at least 1). Completes with the count and leased memory, 0 at the end of the stream,
   * or an error. Bytes beyond `max` stay for the next recv (C7). After the end, every recv answers 0 again.
   */
  recv(stream: Handle, max: number): void;

  /**
   * Lowers the `max` of the recv in flight (C7); larger values and idle streams are left alone. Takes effect at once, but
   * for what has been gathered already.
   */
  lowerRecvMax(stream: Handle, max: number): void;

  /**
   * Sends the bytes of the first `count` segments (default all; at least one byte in total). The array and its objects
   * are read during the call only; the memory is borrowed until completion (C4). May complete short (C9).
   */
  send(stream: Handle, segments: readonly Segment[], count?: number): void;

  /**
   * Sends `length` bytes (at least 1) of an open file from `offset`, where `supports.sendFile`. The descriptor is
   * borrowed until completion. May complete short, with 0 when the file ends before `offset` (the caller knows how much it asked
   * for). Shares the one place in flight with `send`.
   */
  sendFile(stream: Handle, descriptor: number, offset: number, length: number): void;

  /** Ends our direction after the send in flight, and fails with it (C9). Receiving goes on (C10). */
  shutdown(stream: Handle): void;

  /**
   * Completes with 0 when the peer has closed its side or the connection is gone with everything read so far left
   * untouched, where `supports.peerClose`; meant for streams without a recv in flight. A reset completes with its errno.
   */
  watchPeer(stream: Handle): void;

  /**
   * Asks for an operation in flight to end early: it still completes once, with the bytes it moved or `-ECANCELED`
   * (C17). A cancelled `accept` stops the listener's credits. Does nothing when that kind is not in flight.
   */
  cancel(handle: Handle, operation: CancellableOperation): void;

  /**
   * Closes. What is in flight completes first (C11), then `close` completes with 0. The handle is stale at once for
   * every verb; bytes not yet sent or read are dropped, bytes the system took are still sent.
   */
  close(handle: Handle): void;

  /** As {@link close}, but the peer gets a reset instead of an end (RST on TCP). Streams only. */
  reset(stream: Handle): void;

  /**
   * Sets one option now. Returns 0 or a negated errno of the system. `ERR_BACKEND_UNSUPPORTED` where
   * `supports.streamOptions` does not list it.
   */
  setOption<Name extends keyof StreamOptions>(stream: Handle, name: Name, value: StreamOptions[Name]): number;

  /** The ends of a connected stream, or the bound address of a listener after `listen` completed with 0. */
  address(handle: Handle): AddressPair;

  /** The open descriptor behind a handle, where `supports.descriptors`; -1 while there is none. */
  descriptor(handle: Handle): number;

  /**
   * Makes memory sendable without a copy, where `supports.registeredMemory`. The port keeps the memory alive until
   * {@link unregisterMemory}. Memory that was detached or resized since fails its sends with `-EFAULT`. Registering the
   * same memory again is counted.
   */
  registerMemory(memory: ArrayBuffer): void;
  unregisterMemory(memory: ArrayBuffer): void;

  /**
   * Gives received memory back; the holder must not touch the bytes again (C5). `ERR_BACKEND_STALE_LEASE` when it was
   * given back before. Still allowed, and without effect, after the port was disposed of.
   */
  release(lease: Lease): void;

  /**
   * Hands everything submitted so far to the mechanism now. A port does that by itself when the sink returns, and at
   * the latest in the next turn of the loop; calling it only saves the delay.
   */
  flush(): void;

  /**
   * A referenced port (the default) keeps the process alive while an operation is pending on a referenced handle (C16).
   * With a handle, the same for that handle alone.
   */
  ref(handle?: Handle): void;
  unref(handle?: Handle): void;

  stats(): PortStats;

  /**
   * Closes every handle, delivers every completion still owed (C2) and no `close` that nobody asked for, then resolves.
   * Idempotent. No verb but `release` and `stats` may be used from the first call on.
   */
  [Symbol.asyncDispose](): Promise<void>;
}
