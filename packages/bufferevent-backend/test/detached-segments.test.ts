// In a file, and so a process, of its own: what is tested is code that V8 has optimised for what the warm-up showed it.
import { checkSegments, Errno, Operation } from 'bufferevent-backend';
import { expect, it } from 'vitest';
import { whole } from './support/recorder.js';
import { bench, connected } from './support/world.js';

/** `ArrayBuffer` as of ES2024, which the sources' own language level lacks. */
const ResizableArrayBuffer = ArrayBuffer as unknown as new (
  bytes: number,
  options: { maxByteLength: number },
) => ArrayBuffer;

const BYTES = 16;
const kept = [
  new Uint8Array(BYTES),
  Buffer.alloc(BYTES),
  new Uint8Array(new ResizableArrayBuffer(BYTES, { maxByteLength: 64 })),
  new Uint8Array(new ResizableArrayBuffer(BYTES, { maxByteLength: 64 }), 0, BYTES),
];

function detach(memory: Uint8Array): void {
  structuredClone(memory.buffer, { transfer: [memory.buffer as ArrayBuffer] });
}

const send = (memory: Uint8Array) => [{ memory, start: 0, end: BYTES }];

it('a segment of memory that was detached is refused, also once resizable memory was seen', () => {
  for (let round = 0; round < 20_000; round++) for (const memory of kept) checkSegments(send(memory), 1);
  for (let again = 0; again < 3; again++) {
    for (const memory of [new Uint8Array(BYTES), Buffer.alloc(BYTES)]) {
      detach(memory);
      expect(() => checkSegments(send(memory), 1)).toThrow(RangeError);
      expect(() => checkSegments([{ memory, start: 0, end: 0 }, ...send(kept[0] as Uint8Array)], 2)).not.toThrow();
      expect(() => checkSegments(send(memory), 1, () => true)).not.toThrow();
    }
  }
});

it('a send whose memory is detached in flight fails with EFAULT, also once resizable memory was seen', () => {
  const on = bench();
  const { left, right } = connected(on);
  for (let round = 0; round < 4_000; round++) {
    for (const memory of kept) {
      on.left.port.send(left, whole(memory));
      on.right.port.recv(right, BYTES);
      on.network.settle();
      on.right.take(Operation.recv, right);
      on.left.take(Operation.send, left);
    }
  }
  for (let again = 0; again < 3; again++) {
    const memory = new Uint8Array(BYTES);
    on.left.port.send(left, whole(memory));
    detach(memory);
    on.network.settle();
    expect(on.left.take(Operation.send, left).result).toBe(-Errno.EFAULT);
  }
});
