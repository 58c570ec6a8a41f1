import { type OnReadOpts, Socket, type SocketConstructorOpts } from 'node:net';

/**
 * Reading into memory of ours. `node:net` allocates memory for each read, which takes time and keeps the
 * garbage collector at work; the option `onread` of a `Socket` makes it read into one buffer instead, again and again,
 * and call back. Sockets that connect are made with that option. Those that a server accepts are made by `node:net` without
 * it, and are given what it would have set: two properties of the socket, which are looked for by making one with the option,
 * and a call of its handle.
 *
 * Where one of these is not found (another runtime, another version), sockets are read by 'data' events, and all else is
 * the same. On Windows nobody has tried.
 */

/** What one read can bring, in bytes; as much as libuv reads otherwise. */
const BUFFER_BYTES = 65_536;

/** Bytes are here for the time of the callback only: all sockets of the thread share it, and no user ever sees it. */
const shared: Buffer = Buffer.allocUnsafeSlow(BUFFER_BYTES);

/** Called with the socket as `this`. @returns whether to go on */
export type OnRead = (this: Socket, count: number, bytes: Buffer) => boolean;

interface Slots {
  readonly buffer: symbol;
  readonly callback: symbol;
}

type Slotted = Record<symbol, unknown> & { readonly _handle?: { useUserBuffer?: (buffer: Uint8Array) => void } | null };

const slots: Slots | null = findSlots();

function findSlots(): Slots | null {
  const { bun, deno } = process.versions as { bun?: string; deno?: string };
  if (bun !== undefined || deno !== undefined || process.platform === 'win32') return null;
  const callback = (): boolean => true;
  const probe = new Socket(withOnRead({}, { buffer: shared, callback }));
  const slotOf = (value: unknown): symbol | undefined =>
    Object.getOwnPropertySymbols(probe).find((symbol) => (probe as unknown as Slotted)[symbol] === value);
  const found = { buffer: slotOf(shared), callback: slotOf(callback) };
  return found.buffer === undefined || found.callback === undefined ? null : (found as Slots);
}

/** The types of Node have it for `connect()` only, which hands it to the constructor. */
function withOnRead(options: SocketConstructorOpts, onread: OnReadOpts): SocketConstructorOpts {
  return { ...options, onread } as SocketConstructorOpts;
}

/** A socket that will connect, with the option where it can be used. */
export function createSocket(options: SocketConstructorOpts, callback: OnRead): Socket {
  if (slots === null) return new Socket(options);
  return new Socket(withOnRead(options, { buffer: shared, callback: callback as OnReadOpts['callback'] }));
}

/** Whether a socket has the option, or has been given what it does. Before the first read. */
export function readsByCallback(socket: Socket, callback: OnRead): boolean {
  if (slots === null) return false;
  const slotted = socket as unknown as Slotted;
  if (slotted[slots.callback] === callback) return true;
  const handle = slotted._handle;
  if (typeof handle?.useUserBuffer !== 'function') return false;
  handle.useUserBuffer(shared);
  slotted[slots.buffer] = shared;
  slotted[slots.callback] = callback;
  return true;
}
