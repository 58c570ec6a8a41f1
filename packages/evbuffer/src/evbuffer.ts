import { checkBytes, checkCount, checkFinite, checkPosition, checkType } from './arguments.js';
import {
  appendBytes,
  type Chain,
  changed,
  copyFrom,
  copyOf,
  createChain,
  discardFront,
  dropSpares,
  growthFor,
  linkBack,
  mergeFront,
  prependBytes,
  releaseNodes,
} from './chain.js';
import { detached, EvbufferError, frozenFront, pinned, rangeError, typeError } from './errors.js';
import { linkFile, makeReadable } from './file-node.js';
import type { FileRange, FileSource } from './file-source.js';
import { inspectChain } from './inspect.js';
import { checkStyle, type EolMatch, type EolStyle, findEol, terminatorBytes } from './line.js';
import { batchBytes, LineReader, readBatch, textAt } from './line-reader.js';
import { allocate, bytesIn, MAX_SLAB_BYTES } from './memory.js';
import {
  type ChainNode,
  checkReadable,
  type LeaseOwner,
  leasedNode,
  type ReleaseCallback,
  referenceNode,
  roomOf,
  writableNode,
} from './node.js';
import { type EvbufferSegment, type PeekOptions, peekSegments, peekViews, show } from './peek.js';
import { pinFront, unpinAll } from './pin.js';
import { checkPlace, type EvbufferIndex, EvbufferPosition, findIndex, foundBase, foundNode, Place } from './place.js';
import { defineHidden, fixDispose, hasBrand, isBytes } from './platform.js';
import { commitNodes, exposeRoom, type Reservation, reserveNodes, roomOfAll } from './reservation.js';
import { findBytes } from './search.js';
import { bytesOf, checkEncoding, type EvbufferEncoding, encodeText, writableTextBytes, writeText } from './text.js';
import { moveAll, moveSome, shareAll } from './transfer.js';
import { type EvbufferChange, type EvbufferWatch, WatchList } from './watch.js';

/** Which end of a buffer `freeze` means: `front` is where bytes leave, `back` is where they arrive. */
export type EvbufferEnd = 'front' | 'back';

const BRAND = Symbol.for('evbuffer.Evbuffer');
const INSPECT = Symbol.for('nodejs.util.inspect.custom');

const FRONT = 1;
const BACK = 2;

/** Module-internal access for `evbuffer/framing` and `evbuffer/debug`; not exported by the package. */
export let chainOf: (buffer: Evbuffer) => Chain;
/** Whether an object was made by this copy of the class. */
let isOwn: (value: object) => boolean;

function endBit(end: EvbufferEnd): number {
  if (end === 'front') return FRONT;
  if (end === 'back') return BACK;
  throw typeError(`an end is 'front' or 'back', not ${String(end)}`);
}

/**
 * A queue of bytes, made for adding at the back and removing from the front.
 *
 * The bytes lie in a chain of memory pieces. Names tell the cost: `add` and `prepend` copy, `addReference` and
 * `addLeased` never do, `addBuffer`, `prependBuffer` and `moveTo` relink memory from one buffer to another, `remove`
 * and `copyOut` copy out, `peek` never copies, `pullup` may.
 *
 * Views handed out (`peek`, `pullup`, iteration, `reserve`) show the buffer's own memory. They are valid until the next
 * call that changes the buffer; afterwards the memory may hold anything. To keep bytes longer, copy them (`remove`) or
 * `pin` them. What lies around a view in its ArrayBuffer is no one's business.
 *
 * Who looks at bytes may meet memory that its owner took away (ERR_EVBUFFER_DETACHED) or lets other threads write
 * (ERR_EVBUFFER_SHARED), and files that cannot be read (ERR_EVBUFFER_FILE_READ) or became too short
 * (ERR_EVBUFFER_FILE_SHRANK): where the first is listed, all four are meant. What is copied to memory of its own throws
 * ERR_EVBUFFER_TOO_LARGE when so much cannot be allocated.
 *
 * Every refused call leaves the buffer as it was. Watchers and release callbacks run at the end of the call that
 * causes them, when the buffer is consistent again: they may use and change it.
 */
export class Evbuffer {
  readonly #chain: Chain = createChain();
  #frozen = 0;
  #watches: WatchList<Evbuffer> | null = null;
  #lines: LineReader | null = null;

  static {
    chainOf = (buffer) => buffer.#chain;
    isOwn = (value) => #chain in value;
  }

  /**
   * A new buffer with a copy of the data: bytes, a string in `encoding`, or several pieces of either (an `Evbuffer` is
   * an iterable of its pieces). Copies. Throws as `add` does. (row 15)
   */
  static from(
    data: string | Uint8Array | Iterable<Uint8Array | string>,
    encoding: EvbufferEncoding = 'utf8',
  ): Evbuffer {
    const buffer = new Evbuffer();
    if (typeof data === 'string' || isBytes(data)) buffer.add(data, encoding);
    else buffer.addVector(data, encoding);
    return buffer;
  }

  /** Bytes in the buffer. (row 10) */
  get length(): number {
    return this.#chain.length;
  }

  /**
   * How many of them are in files, and so take no memory (`addFileSegment`). Takes time in proportion to the pieces when
   * there are any.
   */
  get fileBytes(): number {
    let bytes = 0;
    for (let node = this.#chain.files ? this.#chain.head : null; node !== null; node = node.next) {
      if (node.extent !== null) bytes += node.end - node.start;
    }
    return bytes;
  }

  /** Bytes that can be seen without a copy or a second view: those in the first piece of memory; 0 when empty, or when the first byte is in a file. (api-evbuffer row 11) */
  get contiguousLength(): number {
    const head = this.#chain.head;
    return head === null || head.extent !== null ? 0 : head.end - head.start;
  }

  // Adding at the back

  /**
   * Copies bytes, or a string in `encoding` (default utf8), to the back. The caller keeps its memory.
   * Adding nothing succeeds without a notification. Watchers run before it returns.
   * Throws ERR_EVBUFFER_FROZEN_BACK (also when adding nothing), ERR_EVBUFFER_INVALID_ARGUMENT, ERR_EVBUFFER_UNKNOWN_ENCODING.
   * (row 15, BU-1)
   */
  add(data: Uint8Array | string, encoding: EvbufferEncoding = 'utf8'): void {
    if (typeof data === 'string') {
      this.#addText(data, encoding);
      return;
    }
    checkBytes(data, 'data');
    this.#checkBack();
    const bytes = bytesIn(data);
    if (bytes === 0) return;
    const chain = this.#chain;
    appendBytes(chain, data, 0, bytes);
    changed(chain);
    // Asked here already, since V8 inlines no more into this method.
    if (this.#watches !== null) this.#notifyAdded(bytes);
  }

  #addText(text: string, encoding: EvbufferEncoding): void {
    checkEncoding(encoding);
    const chain = this.#chain;
    const atMost = writableTextBytes(text, encoding);
    let node: ChainNode | null = null;
    if (atMost > 0 && atMost <= MAX_SLAB_BYTES && (this.#frozen & BACK) === 0) {
      const tail = chain.tail;
      if (roomOf(tail) >= atMost) {
        node = tail;
      } else if (!tail?.writable && chain.spare === null) {
        node = writableNode(growthFor(chain, atMost));
      }
    }
    if (node === null) {
      this.add(encodeText(text, encoding));
      return;
    }
    changed(chain);
    const bytes = writeText(node.memory, node.end, text, encoding);
    if (node !== chain.tail) linkBack(chain, node);
    node.end += bytes;
    chain.length += bytes;
    this.#notifyAdded(bytes);
  }

  /**
   * Copies several pieces (bytes, or strings in `encoding`) to the back, in order, with one notification; returns how
   * many bytes that were. All pieces are checked before the first is added. Throws as `add` does. (row 16)
   */
  addVector(parts: Iterable<Uint8Array | string>, encoding: EvbufferEncoding = 'utf8'): number {
    if (typeof parts?.[Symbol.iterator] !== 'function') throw typeError('parts must be iterable');
    checkEncoding(encoding);
    const pieces: Uint8Array[] = [];
    let bytes = 0;
    for (const part of parts) {
      pieces.push(bytesOf(part, encoding, 'each part'));
    }
    for (const piece of pieces) bytes += bytesIn(piece);
    this.#checkBack();
    if (bytes === 0) return 0;
    const chain = this.#chain;
    // All the room there has to be is made first: that can fail.
    reserveNodes(chain, bytes, Infinity);
    for (const piece of pieces) {
      const size = bytesIn(piece);
      if (size > 0) appendBytes(chain, piece, 0, size);
    }
    changed(chain);
    this.#notifyAdded(bytes);
    return bytes;
  }

  /**
   * Appends the caller's memory without copying. The buffer never writes it; the caller must not change or detach it
   * until `onRelease(bytes)` says that no byte of it is in any buffer any more: because the last one was drained,
   * removed or copied away by `pullup`, or its buffer cleared. Moving it to another buffer does not release it.
   * `onRelease` is called exactly once, before the watchers of the call that causes it; memory of length 0 is released at once.
   * Throws ERR_EVBUFFER_FROZEN_BACK, ERR_EVBUFFER_INVALID_ARGUMENT; the memory then stays the caller's and `onRelease` is not called.
   * Memory that is detached (`transfer()`, `postMessage`) or shrunk later makes what looks at those bytes throw
   * ERR_EVBUFFER_DETACHED, memory that other threads can write (`SharedArrayBuffer`) ERR_EVBUFFER_SHARED; `drain` passes
   * them. (rows 23 and 24, BU-5)
   */
  addReference(bytes: Uint8Array, onRelease?: ReleaseCallback): void {
    checkBytes(bytes, 'bytes');
    if (onRelease !== undefined) checkType(onRelease, 'function', 'onRelease');
    this.#checkBack();
    if (bytesIn(bytes) === 0) onRelease?.(bytes);
    else this.#addNode(referenceNode(bytes, onRelease ?? null));
  }

  /**
   * For those who feed a buffer from a memory pool: appends memory[start, end) without copying, without a view and
   * without a closure. `owner.release(lease)` is called exactly once, when the last byte has been drained or copied
   * away (also by `clear`; at once for an empty range). The buffer never writes the memory, and trusts its owner that no
   * other thread does.
   * Throws ERR_EVBUFFER_FROZEN_BACK, ERR_EVBUFFER_INVALID_ARGUMENT, ERR_EVBUFFER_OUT_OF_RANGE; the lease then stays the caller's. (BU-5)
   */
  addLeased(memory: Uint8Array, start: number, end: number, owner: LeaseOwner, lease: number): void {
    checkBytes(memory, 'memory');
    checkType(owner?.release, 'function', 'owner.release');
    checkType(lease, 'number', 'lease');
    checkPosition(end, bytesIn(memory), 'end');
    checkPosition(start, end, 'start');
    this.#checkBack();
    if (start === end) owner.release(lease);
    else this.#addNode(leasedNode(memory, start, end, owner, lease));
  }

  #addNode(node: ChainNode): void {
    const chain = this.#chain;
    const bytes = node.end - node.start;
    changed(chain);
    linkBack(chain, node);
    chain.length += bytes;
    if (this.#watches !== null) this.#notifyAdded(bytes);
  }

  /**
   * Appends `length` bytes of a file, from `offset` of the segment on (default: all of it; FileSegment of `evbuffer/file`),
   * without reading them. The file stays open until the bytes have left all buffers. What looks at them reads them then,
   * synchronously: `remove`, `copyOut` and `pullup` straight to their target; searching, `peek`, iteration and the like in
   * pieces of 64 KiB, which stay in memory from there on. When that fails they throw ERR_EVBUFFER_FILE_SHRANK (the file
   * has become too short) or ERR_EVBUFFER_FILE_READ, and the buffer keeps what it had. `drain` and moves read nothing.
   * Throws ERR_EVBUFFER_FROZEN_BACK, ERR_EVBUFFER_INVALID_ARGUMENT, ERR_EVBUFFER_OUT_OF_RANGE for what is not inside the
   * segment; nothing has been added or taken over then. (rows 26 and 30)
   */
  addFileSegment(segment: FileSource, offset = 0, length?: number): void {
    if (typeof segment?.retain !== 'function') throw typeError('segment must be a FileSegment');
    checkPosition(offset, segment.length, 'offset');
    const bytes = length ?? segment.length - offset;
    checkPosition(bytes, segment.length - offset, 'length');
    this.#checkBack();
    if (bytes === 0) return;
    const chain = this.#chain;
    changed(chain);
    linkFile(chain, segment, offset, bytes);
    this.#notifyAdded(bytes);
  }

  /**
   * Appends all bytes of `source` without copying them; `source` keeps them. Both buffers refer to the same memory, which
   * neither writes any more and which is released when the last buffer is done with it: what either does, the other does
   * not see. Takes time in proportion to the pieces of memory of `source`, whose watchers are not called and whose freezes
   * do not matter. An empty source changes nothing, whatever is frozen.
   * Throws ERR_EVBUFFER_FROZEN_BACK; ERR_EVBUFFER_INVALID_ARGUMENT also when `source` is this buffer. (row 25, BU-6)
   */
  addBufferReference(source: Evbuffer): void {
    checkEvbuffer(source, 'source');
    const from = source.#chain;
    if (from.length === 0) return;
    if (source === this) throw typeError('a buffer cannot be added to itself');
    this.#checkBack();
    const chain = this.#chain;
    // Room reserved behind the last byte of the source is not the source's any more.
    changed(from);
    changed(chain);
    shareAll(from, chain);
    this.#notifyAdded(from.length);
  }

  // Moving between buffers

  /**
   * Moves all of `source` to the back of this buffer, without copying and in constant time; `source` is empty after.
   * An empty source, or this buffer itself, changes nothing, whatever is frozen. Watchers of `source` run first.
   * Throws ERR_EVBUFFER_FROZEN_BACK (this), ERR_EVBUFFER_FROZEN_FRONT (source), ERR_EVBUFFER_PINNED (source is pinned).
   * (row 19, BU-1)
   */
  addBuffer(source: Evbuffer): void {
    this.#take(source, BACK);
  }

  /** Moves all of `source` to the front of this buffer; otherwise like `addBuffer`, with this buffer's front in place of its back. (row 20, BU-1) */
  prependBuffer(source: Evbuffer): void {
    this.#take(source, FRONT);
  }

  #take(source: Evbuffer, end: number): void {
    checkEvbuffer(source, 'source');
    const from = source.#chain;
    const bytes = from.length;
    if (bytes === 0 || source === this) return;
    if (end === FRONT) this.#checkFront();
    else this.#checkBack();
    source.#checkMovable();
    const chain = this.#chain;
    const originalLength = chain.length;
    changed(from);
    changed(chain);
    moveAll(from, chain, end === FRONT);
    try {
      source.#notify(bytes, 0, bytes);
    } finally {
      this.#notify(originalLength, bytes, 0);
    }
  }

  /**
   * Moves the first `bytes` bytes (all, when there are fewer) to the back of `target` and returns how many that were.
   * Pieces of memory are relinked; of the one in which the cut falls the front part is copied when it is the smaller one and
   * at most 1 KiB; else both share the memory.
   * Moving nothing, or to this buffer itself, returns 0 whatever is frozen. Watchers of `target` run first, unless
   * everything is moved: then as in `addBuffer`.
   * Throws ERR_EVBUFFER_FROZEN_FRONT (this) and ERR_EVBUFFER_FROZEN_BACK (target), both also when this buffer is empty;
   * ERR_EVBUFFER_PINNED; ERR_EVBUFFER_DETACHED when the piece to be cut is gone. (row 21, BU-1)
   */
  moveTo(target: Evbuffer, bytes: number): number {
    checkEvbuffer(target, 'target');
    checkCount(bytes, 'bytes');
    if (bytes === 0 || target === this) return 0;
    this.#checkFront();
    target.#checkBack();
    const chain = this.#chain;
    const originalLength = chain.length;
    if (bytes >= originalLength) {
      target.#take(this, BACK);
      return originalLength;
    }
    this.#checkMovable();
    const targetLength = target.#chain.length;
    changed(chain);
    changed(target.#chain);
    moveSome(chain, target.#chain, bytes);
    try {
      target.#notify(targetLength, bytes, 0);
    } finally {
      this.#notify(originalLength, 0, bytes);
    }
    return bytes;
  }

  /**
   * A new buffer with the first `bytes` bytes (all, when there are fewer, and by default), moved there as by `moveTo`,
   * with its errors. Watchers of this buffer run before it returns; when one throws, what was moved is given back to its owners. (row 21)
   */
  take(bytes: number = Infinity): Evbuffer {
    const taken = new Evbuffer();
    try {
      this.moveTo(taken, bytes);
    } catch (error) {
      // Of a watcher or a release callback: nobody gets to see what was moved.
      taken[Symbol.dispose]();
      throw error;
    }
    return taken;
  }

  #checkMovable(): void {
    this.#checkFront();
    if (this.#chain.pinned) throw pinned();
  }

  // Adding at the front

  /**
   * Copies bytes, or a string, to the front. Uses the gap that draining left where there is one, and never writes memory that is not ours.
   * Prepending nothing succeeds even on a frozen front. Watchers run before it returns, once.
   * Throws ERR_EVBUFFER_FROZEN_FRONT, ERR_EVBUFFER_INVALID_ARGUMENT, ERR_EVBUFFER_UNKNOWN_ENCODING. (row 22)
   */
  prepend(data: Uint8Array | string, encoding: EvbufferEncoding = 'utf8'): void {
    const bytes = bytesOf(data, encoding, 'data');
    const added = bytesIn(bytes);
    if (added === 0) return;
    this.#checkFront();
    const chain = this.#chain;
    prependBytes(chain, bytes);
    changed(chain);
    this.#notifyAdded(added);
  }

  // Taking from the front

  /** Copies everything out and drains it. */
  remove(): Uint8Array;
  /** Copies the first `bytes` bytes (all, when there are fewer) to memory of the caller's own and drains them. */
  remove(bytes: number): Uint8Array;
  /**
   * Copies as many bytes as `into` holds, or as there are, to its start and drains them; returns how many.
   * All three forms: watchers run before it returns. They throw ERR_EVBUFFER_FROZEN_FRONT (unless there is nothing to
   * remove), ERR_EVBUFFER_DETACHED, ERR_EVBUFFER_INVALID_ARGUMENT, ERR_EVBUFFER_OUT_OF_RANGE. (row 35, BU-1)
   */
  remove(into: Uint8Array): number;
  remove(what: number | Uint8Array = Infinity): Uint8Array | number {
    const byCount = typeof what === 'number';
    if (byCount) checkCount(what, 'bytes');
    else checkBytes(what, 'into');
    const chain = this.#chain;
    const bytes = Math.min(byCount ? what : bytesIn(what), chain.length);
    if (bytes > 0) this.#checkFront();
    const target = byCount ? allocate(bytes) : what;
    if (bytes > 0) {
      copyFrom(chain.head, 0, bytes, target);
      this.#discard(bytes);
    }
    return byCount ? target : bytes;
  }

  /**
   * Copies bytes from position `from` (default 0) on to the start of `into`, without draining; returns how many.
   * Allowed while the front is frozen: it changes nothing. (libevent refuses it.)
   * Throws ERR_EVBUFFER_OUT_OF_RANGE when `from` is beyond the end, ERR_EVBUFFER_STALE_POSITION, ERR_EVBUFFER_DETACHED,
   * ERR_EVBUFFER_INVALID_ARGUMENT. (rows 36 and 37)
   */
  copyOut(into: Uint8Array, from: EvbufferIndex = 0): number {
    checkBytes(into, 'into');
    const start = findIndex(this.#chain, from, 'from');
    const bytes = Math.min(bytesIn(into), this.#chain.length - start);
    if (bytes > 0) copyFrom(foundNode, start - foundBase, bytes, into);
    return bytes;
  }

  /**
   * Discards the first `bytes` bytes (all, when there are fewer, and by default) and returns how many. Memory is given
   * back to its owners, then watchers run, both before it returns.
   * Throws ERR_EVBUFFER_FROZEN_FRONT unless the buffer is empty, also for 0 bytes. (row 34, BU-1)
   */
  drain(bytes: number = Infinity): number {
    checkCount(bytes, 'bytes');
    const length = this.#chain.length;
    if (length === 0) return 0;
    this.#checkFront();
    const removed = Math.min(bytes, length);
    if (removed > 0) this.#discard(removed);
    return removed;
  }

  /** Drains 1 to length bytes. */
  #discard(bytes: number): void {
    const chain = this.#chain;
    changed(chain);
    const done = discardFront(chain, bytes);
    if (done !== null || this.#watches !== null) this.#announceRemoval(done, bytes);
  }

  /** Runs user code: the release callbacks, then the watchers. */
  #announceRemoval(done: ChainNode | null, bytes: number): void {
    const originalLength = this.#chain.length + bytes;
    try {
      releaseNodes(done);
    } finally {
      this.#notify(originalLength, 0, bytes);
    }
  }

  /**
   * Takes a line off the front and returns it as text, without its terminator, which is drained too; null while no
   * terminator has arrived. Zero bytes inside a line are kept. `style` defaults to `crlf` (LF, with or without CR).
   * Copies the line out. Watchers run before it returns, once for line and terminator together.
   * Throws ERR_EVBUFFER_FROZEN_FRONT unless the buffer is empty, ERR_EVBUFFER_DETACHED, ERR_EVBUFFER_INVALID_ARGUMENT
   * for an unknown style, ERR_EVBUFFER_UNKNOWN_ENCODING. (row 40, BU-2, BU-8)
   */
  readLine(style?: EolStyle, encoding?: EvbufferEncoding): string | null;
  /** The same, with the line as bytes in memory of the caller's own. */
  readLine(style: EolStyle | undefined, encoding: 'bytes'): Uint8Array | null;
  readLine(style: EolStyle = 'crlf', encoding: EvbufferEncoding | 'bytes' = 'utf8'): string | Uint8Array | null {
    checkStyle(style);
    if (encoding !== 'bytes') checkEncoding(encoding);
    const chain = this.#chain;
    if (chain.length === 0) return null;
    this.#checkFront();
    this.#lines ??= new LineReader(chain);
    const lines = this.#lines;
    const line = lines.next(style, encoding);
    if (line !== null) this.#discard(lines.lineBytes);
    return line;
  }

  /**
   * Takes all complete lines, at most `maxLines`, off the front and returns them as text, each as `readLine` would;
   * fastest for lines that end with LF. Lines may share memory with up to 4 KiB of their neighbours: to keep few of many
   * for long, keep copies. Copies the lines out. Watchers run before it returns, once for all. Throws as `readLine`. (row
   * 40, BU-2, BU-8)
   */
  readLines(maxLines: number = Infinity, style: EolStyle = 'crlf', encoding: EvbufferEncoding = 'utf8'): string[] {
    checkCount(maxLines, 'maxLines');
    checkStyle(style);
    checkEncoding(encoding);
    const chain = this.#chain;
    if (chain.length === 0) return [];
    this.#checkFront();
    this.#lines ??= new LineReader(chain);
    if (!this.#lines.hasLine(style)) return [];
    const lines = readBatch(chain, maxLines, style, encoding);
    if (batchBytes > 0) this.#discard(batchBytes);
    return lines;
  }

  /**
   * Drains everything, gives the memory back to its owners and lets go of room kept by `ensureSpace` or `reserve`.
   * Watchers run before it returns. Pinned memory is given back by `unpin`. Throws ERR_EVBUFFER_FROZEN_FRONT unless empty. (row 2)
   */
  clear(): void {
    if (this.#chain.length > 0) this.#checkFront();
    this.#empty();
  }

  #empty(): void {
    const chain = this.#chain;
    if (chain.length > 0) {
      this.#discard(chain.length);
    } else {
      changed(chain);
      dropSpares(chain);
    }
  }

  /**
   * Ends the use of the buffer: forgets its watchers without calling them and gives back all memory, whatever is frozen
   * (pinned memory at `unpin`). Safe to call twice; the buffer is empty then, and could be used again. (row 2)
   */
  [Symbol.dispose](): void {
    this.#watches?.clear();
    this.#watches = null;
    this.#empty();
  }

  // Looking

  /**
   * Makes the first `bytes` bytes (default: all) contiguous and returns a view of exactly them; null when there are
   * fewer, and for 0. Copies nothing when they already are; otherwise copies what has to be joined, and gives back the
   * memory emptied by it (release callbacks run before it returns). Works on a frozen buffer. No notification.
   * The view is valid until the next call that changes the buffer.
   * Throws ERR_EVBUFFER_PINNED when pinned memory would have to move, ERR_EVBUFFER_DETACHED, ERR_EVBUFFER_OUT_OF_RANGE,
   * ERR_EVBUFFER_TOO_LARGE. (row 38, BU-5)
   */
  pullup(bytes?: number): Uint8Array | null {
    const chain = this.#chain;
    const wanted = bytes ?? chain.length;
    checkCount(wanted, 'bytes');
    if (wanted === 0 || wanted > chain.length) return null;
    let head = chain.head as ChainNode;
    let done: ChainNode | null = null;
    if (head.end - head.start < wanted || head.extent !== null) {
      done = mergeFront(chain, wanted);
      changed(chain);
      head = chain.head as ChainNode;
    }
    checkReadable(head);
    const view = show(chain, head, head.start, head.start + wanted);
    if (done !== null) releaseNodes(done);
    return view;
  }

  /**
   * Shows bytes as views of the buffer's own memory, without copying: those from `start` on, at most `length` bytes in at
   * most `maxSegments` views. The number of views is the number of pieces that hold the bytes; the last is cut to fit.
   * The views are valid until the next call that changes the buffer, and must not be written.
   * Throws ERR_EVBUFFER_OUT_OF_RANGE when `start` is beyond the end, ERR_EVBUFFER_STALE_POSITION, ERR_EVBUFFER_DETACHED.
   * (row 39, BU-7)
   */
  peek(options: PeekOptions = {}): Uint8Array[] {
    if (typeof options !== 'object' || options === null) throw typeError('options must be an object');
    const { length = Infinity, start = 0, maxSegments = Infinity } = options;
    checkCount(length, 'length');
    checkCount(maxSegments, 'maxSegments');
    const index = findIndex(this.#chain, start, 'start');
    return peekViews(this.#chain, index, length, maxSegments);
  }

  /**
   * When the first byte is in a file, where: for those who send files from the kernel, or read them without blocking. The
   * bytes from there up to `length` are all in that file, and leave the buffer by `drain`, as others do; pin them while
   * they are being sent. Else null. Reads nothing.
   */
  peekFile(): FileRange | null {
    const head = this.#chain.head;
    if (!head?.extent) return null;
    const { file, offset } = head.extent;
    return { file, offset: offset + head.start, length: head.end - head.start };
  }

  /**
   * Describes the first `maxBytes` bytes, in at most `maxSegments` pieces, into the caller's array of reusable objects,
   * without views or copies; returns how many were filled. The array grows when it is too short; objects beyond the
   * count keep what they held. The last piece is cut to fit; bytes in a file (`peekFile`) and what is behind them are left
   * out. For those who hand the bytes on as (memory, start, end).
   * Valid until the next call that changes the buffer, or, when pinned, until `unpin`.
   * Throws ERR_EVBUFFER_DETACHED, ERR_EVBUFFER_OUT_OF_RANGE. (row 39, C4)
   */
  peekInto(target: EvbufferSegment[], maxBytes: number, maxSegments: number = Infinity): number {
    if (!Array.isArray(target)) throw typeError('target must be an array');
    checkCount(maxBytes, 'maxBytes');
    checkCount(maxSegments, 'maxSegments');
    return peekSegments(this.#chain, target, maxBytes, maxSegments);
  }

  /**
   * The pieces of memory that hold the bytes, in order, as views that are valid until the next call that changes the
   * buffer. Copies nothing. Changing it while the iteration goes on makes the next step throw ERR_EVBUFFER_STALE_ITERATION;
   * throws ERR_EVBUFFER_DETACHED. (row 39)
   */
  *[Symbol.iterator](): Generator<Uint8Array, void, undefined> {
    const chain = this.#chain;
    const version = chain.version;
    for (let node = chain.head; node !== null; node = node.next) {
      makeReadable(chain, node, 0);
      yield show(chain, node, node.start, node.end);
      if (chain.version !== version) {
        throw new EvbufferError('ERR_EVBUFFER_STALE_ITERATION', 'the buffer changed meanwhile');
      }
    }
  }

  /**
   * Position of the first match of `needle` (bytes, or a utf8 string) that lies wholly in [start, end), or −1. Matches
   * may span pieces of memory. An empty needle is found at `start`. `end` defaults to the end of the buffer and may lie
   * beyond it. Copies nothing.
   * Throws ERR_EVBUFFER_OUT_OF_RANGE when `start` is beyond the end, ERR_EVBUFFER_STALE_POSITION, ERR_EVBUFFER_DETACHED,
   * ERR_EVBUFFER_INVALID_ARGUMENT, ERR_EVBUFFER_UNKNOWN_ENCODING for text where there is no codec. (rows 42 and 43)
   */
  indexOf(needle: Uint8Array | string, start: EvbufferIndex = 0, end: EvbufferIndex = Infinity): number {
    const chain = this.#chain;
    const bytes = bytesOf(needle, 'utf8', 'needle');
    const to = this.#endIndex(end);
    const from = findIndex(chain, start, 'start');
    if (bytesIn(bytes) === 0) return from;
    return findBytes(chain, foundNode, foundBase, bytes, from, to);
  }

  /** An end, which as a number may lie beyond the last byte. */
  #endIndex(end: EvbufferIndex): number {
    if (typeof end === 'object') return checkPlace(this.#chain, end, 'end').index;
    checkCount(end, 'end');
    return Math.min(end, this.#chain.length);
  }

  /**
   * The first line terminator of a style at or after `start`, or null. A search that starts on the LF of a CRLF finds
   * the LF alone. Copies nothing.
   * Throws ERR_EVBUFFER_OUT_OF_RANGE when `start` is beyond the end, ERR_EVBUFFER_STALE_POSITION,
   * ERR_EVBUFFER_INVALID_ARGUMENT, ERR_EVBUFFER_DETACHED. (row 41, BU-2)
   */
  indexOfEol(style: EolStyle, start: EvbufferIndex = 0): EolMatch | null {
    checkStyle(style);
    const chain = this.#chain;
    const from = findIndex(chain, start, 'start');
    const index = findEol(chain, style, foundNode, foundBase, from, from);
    return index < 0 ? null : { index, length: terminatorBytes };
  }

  /**
   * A position `index` bytes from the front, 0 to length, for use wherever a position is taken: see `EvbufferPosition`.
   * Throws ERR_EVBUFFER_OUT_OF_RANGE. (row 44)
   */
  position(index: number): EvbufferPosition {
    checkPosition(index, this.#chain.length, 'index');
    return new EvbufferPosition(new Place(this.#chain, index));
  }

  /**
   * A position `bytes` bytes after another one of this buffer, found from there.
   * Throws ERR_EVBUFFER_OUT_OF_RANGE beyond the end, ERR_EVBUFFER_STALE_POSITION, ERR_EVBUFFER_INVALID_ARGUMENT. (row 44)
   */
  advance(position: EvbufferPosition, bytes: number): EvbufferPosition {
    const place = checkPlace(this.#chain, position, 'position');
    checkPosition(bytes, this.#chain.length - place.index, 'bytes');
    return new EvbufferPosition(place.advanced(bytes));
  }

  /**
   * The bytes from `start` to `end` (default: all) as text; characters may span pieces of memory, one that is cut at
   * either end gives U+FFFD. Copies; drains nothing.
   * Throws ERR_EVBUFFER_OUT_OF_RANGE when `start` is beyond the end, ERR_EVBUFFER_UNKNOWN_ENCODING,
   * ERR_EVBUFFER_STALE_POSITION, ERR_EVBUFFER_DETACHED, ERR_EVBUFFER_TOO_LARGE for more than fits into a string. (row 37)
   */
  toString(encoding: EvbufferEncoding = 'utf8', start: EvbufferIndex = 0, end: EvbufferIndex = Infinity): string {
    checkEncoding(encoding);
    const to = this.#endIndex(end);
    const from = findIndex(this.#chain, start, 'start');
    return to <= from ? '' : textAt(foundNode, foundBase, from, to - from, encoding);
  }

  /**
   * A copy of the bytes from `start` to `end` (default: all), alone in an ArrayBuffer of its own: it may be transferred,
   * or cloned, without any effect on the buffer. Drains nothing. Throws as `toString`. (row 37)
   */
  toUint8Array(start: EvbufferIndex = 0, end: EvbufferIndex = Infinity): Uint8Array {
    const to = this.#endIndex(end);
    const from = findIndex(this.#chain, start, 'start');
    return copyOf(foundNode, from - foundBase, Math.max(0, to - from));
  }

  // Writing in place

  /**
   * Makes sure that `bytes` more bytes can be added without allocating: in contiguous room behind the last byte, or else
   * in a new piece of memory kept for them. May shift up to 2 KiB to the start of their memory. Ignores a frozen back,
   * notifies no one. Throws ERR_EVBUFFER_OUT_OF_RANGE, ERR_EVBUFFER_TOO_LARGE when so much cannot be allocated. (row 31)
   */
  ensureSpace(bytes: number): void {
    checkFinite(bytes, 'bytes');
    changed(this.#chain);
    if (bytes > 0) reserveNodes(this.#chain, bytes, 1);
  }

  /**
   * Opens room for `bytes` bytes behind the last one, to be written in place: one contiguous piece (the default) or up
   * to `maxSegments` pieces, which wastes less. Pieces are cleared, may exceed the request, and are not part of the
   * buffer until `commit`. Asking again without a commit gives the same memory, cleared again. No notification.
   * The reservation, and its views, are good until the next call that changes the buffer.
   * 0 bytes give one piece, or none when `maxSegments` is more than 1.
   * Throws ERR_EVBUFFER_FROZEN_BACK, ERR_EVBUFFER_OUT_OF_RANGE, ERR_EVBUFFER_TOO_LARGE. (row 32)
   */
  reserve(bytes: number, maxSegments = 1): Reservation {
    checkFinite(bytes, 'bytes');
    checkFinite(maxSegments, 'maxSegments');
    if (maxSegments < 1) throw rangeError('maxSegments must be 1 or more');
    this.#checkBack();
    const chain = this.#chain;
    changed(chain);
    const version = chain.version;
    const nodes = reserveNodes(chain, bytes, maxSegments);
    const segments = exposeRoom(chain, nodes);
    const length = roomOfAll(nodes);
    return {
      segments,
      length,
      commit: (used: number): void => {
        if (chain.version !== version) {
          throw new EvbufferError('ERR_EVBUFFER_STALE_RESERVATION', 'the buffer changed meanwhile');
        }
        this.#checkBack();
        checkPosition(used, length, 'bytes');
        if (roomOfAll(nodes) !== length) throw detached();
        if (used > 0) commitNodes(chain, nodes, segments, used);
        changed(chain);
        if (used > 0) this.#notifyAdded(used);
      },
    };
  }

  // States

  /**
   * Refuses changes at one end until `unfreeze`: `front`, nothing may be removed or prepended; `back`, nothing may be
   * appended. Freezing twice is freezing once. Throws ERR_EVBUFFER_INVALID_ARGUMENT. (rows 12 and 13, BU-1)
   */
  freeze(end: EvbufferEnd): void {
    this.#frozen |= endBit(end);
  }

  /** Allows changes at one end again. Throws ERR_EVBUFFER_INVALID_ARGUMENT. */
  unfreeze(end: EvbufferEnd): void {
    this.#frozen &= ~endBit(end);
  }

  /** Whether one end is frozen. Throws ERR_EVBUFFER_INVALID_ARGUMENT. */
  isFrozen(end: EvbufferEnd): boolean {
    return (this.#frozen & endBit(end)) !== 0;
  }

  /**
   * For those who lend the bytes to an operation in flight: pins the pieces of memory that hold the first `bytes`
   * bytes. Until `unpin` that memory is neither moved, rewritten, released nor recycled, whatever else happens to the
   * buffer; what is drained meanwhile is given back at `unpin`. Bytes may be appended behind the pinned ones in the same
   * memory, and prepended before them. The buffer can not be the source of a move meanwhile.
   * One pin at a time. Throws ERR_EVBUFFER_INVALID_STATE when pinned already, ERR_EVBUFFER_OUT_OF_RANGE for more than
   * there is, ERR_EVBUFFER_DETACHED. (C4)
   */
  pin(bytes: number): void {
    checkCount(bytes, 'bytes');
    const chain = this.#chain;
    if (chain.pinned) throw new EvbufferError('ERR_EVBUFFER_INVALID_STATE', 'pinned already');
    checkPosition(bytes, chain.length, 'bytes');
    pinFront(chain, bytes);
  }

  /** Ends the pin and gives back pinned memory that was drained meanwhile (release callbacks run before it returns). Does nothing without a pin. */
  unpin(): void {
    releaseNodes(unpinAll(this.#chain));
  }

  // Watching

  /**
   * Calls `callback(buffer, change)` after each call that adds or removes bytes, once per call and before it returns, in
   * order of registration. `change` is valid during the callback only: the object is reused. The callback may change
   * this buffer (which notifies anew, nested, with the nested change alone), add watchers (called from the next change
   * on) and dispose of any watcher. When one throws, the others are still called, and the first exception leaves the
   * call that made the change, which has happened. Throws ERR_EVBUFFER_INVALID_ARGUMENT. (rows 48 to 52, BU-4)
   */
  watch(callback: (buffer: Evbuffer, change: EvbufferChange) => void): EvbufferWatch {
    checkType(callback, 'function', 'callback');
    this.#watches ??= new WatchList<Evbuffer>();
    return this.#watches.add(callback);
  }

  // Short, to be inlined into every operation.
  #checkFront(): void {
    if (this.#frozen !== 0) this.#refuseAtFront();
  }

  #checkBack(): void {
    if (this.#frozen !== 0) this.#refuseAtBack();
  }

  #refuseAtFront(): void {
    if ((this.#frozen & FRONT) !== 0) throw frozenFront();
  }

  #refuseAtBack(): void {
    if ((this.#frozen & BACK) !== 0) throw new EvbufferError('ERR_EVBUFFER_FROZEN_BACK', 'the back is frozen');
  }

  /** After a call that added bytes, before anybody else could change the buffer. */
  #notifyAdded(bytes: number): void {
    this.#watches?.notify(this, this.#chain.length - bytes, bytes, 0);
  }

  #notify(originalLength: number, added: number, removed: number): void {
    this.#watches?.notify(this, originalLength, added, removed);
  }
}

fixDispose(Evbuffer.prototype);
defineHidden(Evbuffer.prototype, BRAND, true);
// What `util.inspect` and `console.log` print: the states and the first bytes.
defineHidden(Evbuffer.prototype, INSPECT, function inspect(this: Evbuffer): string {
  return inspectChain(chainOf(this), this.isFrozen('front'), this.isFrozen('back'));
});

/** Throws unless the value is an `Evbuffer` of this copy of the package. */
export function checkEvbuffer(value: unknown, name: string): asserts value is Evbuffer {
  if (typeof value !== 'object' || value === null || !isOwn(value)) {
    throw typeError(`${name} must be an Evbuffer${isEvbuffer(value) ? ' of the same copy' : ''}`);
  }
}

/** Whether a value is an `Evbuffer`, also one made by another copy of this package. */
export function isEvbuffer(value: unknown): value is Evbuffer {
  return hasBrand(value, BRAND);
}
