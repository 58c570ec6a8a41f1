import { Evbuffer } from 'evbuffer';
import { validate } from 'evbuffer/debug';
import { expect, test } from 'vitest';
import { retainedBytes } from '../dist/node.js';

/** A pool of receive slabs such as a backend keeps: counts what is out, refuses to take anything back twice. */
class SlabPool {
  readonly out = new Map<number, Uint8Array>();
  taken = 0;
  most = 0;
  #next = 0;
  readonly #free: Uint8Array[] = [];

  take(): number {
    const lease = this.#next++;
    this.out.set(lease, this.#free.pop() ?? new Uint8Array(16_384));
    this.taken++;
    this.most = Math.max(this.most, this.out.size);
    return lease;
  }

  release(lease: number): void {
    const memory = this.out.get(lease);
    if (memory === undefined) throw new Error(`lease ${lease} was released twice`);
    this.out.delete(lease);
    this.#free.push(memory);
  }
}

test('half a million leased messages echoed from buffer to buffer leave no lease out and no memory behind', {
  timeout: 60_000,
}, () => {
  const pool = new SlabPool();
  const input = new Evbuffer();
  const output = new Evbuffer();
  const rounds = (count: number): void => {
    for (let i = 0; i < count; i++) {
      const lease = pool.take();
      input.addLeased(pool.out.get(lease) as Uint8Array, 0, 64 + (i % 1000), pool, lease);
      if (i % 3 === 0) input.moveTo(output, 40);
      output.addBuffer(input);
      if (i % 5 === 0) output.add('and a copy');
      output.pin(Math.min(output.length, 2000));
      output.drain(i % 7 === 0 ? 30 : 3000);
      output.unpin();
    }
    output.drain();
  };
  rounds(50_000);
  const before = process.memoryUsage();
  rounds(450_000);
  const after = process.memoryUsage();
  validate(output);
  const grown = (after.arrayBuffers - before.arrayBuffers) / 1024;
  console.log(`${pool.taken} leases, at most ${pool.most} out at once; array buffers grew by ${grown.toFixed(0)} KiB`);
  expect(pool.taken).toBe(500_000);
  expect(pool.out.size).toBe(0);
  expect(pool.most).toBeLessThan(50);
  expect(grown).toBeLessThan(2048);
});

test('the slab pool keeps a bounded amount, however much was queued', () => {
  const buffer = new Evbuffer();
  for (const bytes of [500, 3000, 10_000, 60_000, 200_000]) {
    const block = new Uint8Array(bytes);
    for (let i = 0; i < 500; i++) buffer.add(block);
  }
  expect(buffer.length).toBeGreaterThan(100_000_000);
  buffer.drain();
  console.log(`${retainedBytes()} bytes retained after 137 MB were queued`);
  expect(retainedBytes()).toBeLessThanOrEqual(7 * 512 * 1024);
  expect(retainedBytes()).toBeGreaterThan(0);
});

test('the slab pool keeps 512 KiB of each size, and not one piece more', () => {
  for (let size = 1024; size <= 65_536; size *= 2) {
    const block = new Uint8Array(size);
    const buffers = Array.from({ length: (512 * 1024) / size + 2 }, () => Evbuffer.from(block));
    for (const buffer of buffers) buffer.drain();
  }
  expect(retainedBytes()).toBe(7 * 512 * 1024);
});

test('what was queued by reference leaves at most 4096 nodes behind, however much it was', () => {
  const buffer = new Evbuffer();
  const block = new Uint8Array(1);
  const heapBytes = (): number => {
    globalThis.gc?.();
    return process.memoryUsage().heapUsed;
  };
  const queueAndDrain = (pieces: number): void => {
    for (let i = 0; i < pieces; i++) buffer.addReference(block);
    buffer.drain();
  };
  queueAndDrain(5000);
  const before = heapBytes();
  queueAndDrain(300_000);
  // All nodes would be 40 MiB.
  expect(heapBytes() - before).toBeLessThan(2 ** 20);
});
