// One byte at a time costs bytes, not buffers: pieces are copied together where they queue up. RD-4, B27, B30.
import { type Bufferevent, Evbuffer } from 'bufferevent';
import { withFaults } from 'bufferevent-backend/memory';
import { expect, it } from 'vitest';
import { contents, KiB, MiB, pattern, same } from './support/bytes.js';
import { inMemory } from './support/world.js';

const total = 200_000;

/** Memory in use, with everything collected that nobody holds. */
function used(): number {
  (globalThis as { gc?: () => void }).gc?.();
  const { heapUsed, external } = process.memoryUsage();
  return heapUsed + external;
}

/** How many pieces of memory a buffer consists of. */
function pieces(buffer: Bufferevent['input']): number {
  return buffer.peek().length;
}

inMemory((world) => {
  it('RD-4: 200,000 arrivals of one byte that nobody takes hold a few pieces of memory', async () => {
    const base = world.newBase({ backend: withFaults(world.plain, { maxRecv: 1 }) });
    const { bev, peer } = await world.accepted({}, { base, enable: ['read', 'write'] });
    const bytes = pattern(total);
    peer.send(bytes);
    const before = used();
    await world.until(() => bev.input.length === total, 'all bytes', 30_000);
    expect(base.stats().port.leases).toBeLessThanOrEqual(4);
    expect(pieces(bev.input)).toBeLessThan(total / 500);
    expect(used() - before).toBeLessThan(2 * MiB);
    expect(same(contents(bev.input), bytes)).toBe(true);
    bev.input.drain();
    await world.settle();
    expect(base.stats().port.leases).toBe(0);
  }, 60_000);

  it('WR-1: and so do 200,000 Evbuffers of one byte written to an output that cannot leave', async () => {
    const { bev, peer } = await world.accepted({});
    bev.disable('write');
    const bytes = pattern(total);
    const source = new Evbuffer();
    const before = used();
    for (let index = 0; index < total; index++) {
      source.add(bytes.subarray(index, index + 1));
      bev.write(source);
    }
    expect(source.length).toBe(0);
    expect(bev.output.length).toBe(total);
    expect(pieces(bev.output)).toBeLessThan(total / 500);
    expect(used() - before).toBeLessThan(2 * MiB);
    bev.enable('write');
    await world.until(() => peer.receivedBytes === total, 'all bytes');
    expect(same(peer.received, bytes)).toBe(true);
  });

  it('RD-4: large pieces behind small ones keep the order of the bytes', async () => {
    const { bev, peer } = await world.accepted({}, { enable: ['read', 'write'] });
    const bytes = pattern(40 * KiB);
    let at = 0;
    for (const size of [1, 1024, 1025, 3, 5000, 1, 1, 12_000, 1024]) {
      peer.send(bytes.subarray(at, at + size));
      at += size;
      await world.settle();
    }
    expect(same(contents(bev.input), bytes.subarray(0, at))).toBe(true);
  });
});
