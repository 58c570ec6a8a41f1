// One byte at a time costs bytes, not buffers: pieces are copied together where they queue up. RD-4, B27, B30.
import { type Bufferevent, createPair, Evbuffer, FilterBufferevent, type Layer } from 'bufferevent';
import { withFaults } from 'bufferevent-backend/memory';
import { describe, expect, it } from 'vitest';
import { contents, KiB, MiB, pattern, same, text } from './support/bytes.js';
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

/** Keeps all that it is given, and tells in how many pieces of memory that is. */
class Hoard implements Layer {
  readonly name = 'hoard';
  bytes = 0;
  pieces = 0;

  decode(source: Evbuffer): 'need-more' {
    this.bytes = source.length;
    this.pieces = pieces(source);
    return 'need-more';
  }

  encode(source: Evbuffer): 'need-more' {
    return this.decode(source);
  }
}

/** Moves what there is. */
const passing: Layer = {
  name: 'passing',
  decode: (source, target) => (source.moveTo(target, Infinity) > 0 ? 'ok' : 'need-more'),
  encode: (source, target) => (source.moveTo(target, Infinity) > 0 ? 'ok' : 'need-more'),
};

describe('under layers', () => {
  const count = 5_000;

  inMemory((world) => {
    function open(): readonly [Bufferevent, Bufferevent] {
      const [near, far] = createPair(world.base);
      return [world.keep(near), world.keep(far)];
    }

    /** Writes byte by byte, each on its way before the next. */
    function trickle(writer: Bufferevent, reader?: Bufferevent): void {
      for (const byte of pattern(count)) {
        writer.write(Uint8Array.of(byte));
        writer.flush('write', 'normal');
        reader?.flush('read', 'normal');
      }
    }

    function expectFewPieces({ bytes, pieces }: { bytes: number; pieces: number }): void {
      expect(bytes).toBe(count);
      expect(pieces).toBeLessThan(count / 500);
    }

    for (const name of ['a layer', 'the upper of two layers', 'a filter']) {
      it(`B94: single bytes that ${name} can't decode yet hold a few pieces of memory`, async () => {
        const [near, far] = open();
        const hoard = new Hoard();
        const reader = name === 'a filter' ? world.keep(new FilterBufferevent(far)) : far;
        if (name === 'the upper of two layers') void far.insertLayer(passing);
        void reader.insertLayer(hoard);
        reader.enable('read');
        await world.settle();
        trickle(near, reader);
        await world.settle();
        expectFewPieces(hoard);
      });
    }

    for (const name of ['the only layer', 'the lower of two layers']) {
      it(`B94: so do single bytes that ${name} can't encode yet`, async () => {
        const [near] = open();
        const hoard = new Hoard();
        void near.insertLayer(hoard);
        if (name !== 'the only layer') void near.insertLayer(passing);
        trickle(near);
        await world.settle();
        expectFewPieces(hoard);
      });
    }

    it('B102: so do single bytes that wait below a filter', async () => {
      const [near] = open();
      const filter = world.keep(new FilterBufferevent(near));
      near.disable('write');
      trickle(filter);
      await world.settle();
      expectFewPieces({ bytes: near.output.length, pieces: pieces(near.output) });
      expect(same(contents(near.output), pattern(count))).toBe(true);
    });
  });
});

describe('a watch that writes and flushes while a small piece arrives', () => {
  inMemory((world) => {
    /** Answers what comes to `watched` with the next of some digits. */
    function countOn(watched: Evbuffer, writer: Bufferevent): void {
      let next = 1;
      watched.watch((_, { added }) => {
        if (added === 0 || next > 9) return;
        writer.write(`${next++}`);
        writer.flush('write', 'normal');
      });
    }

    it('PA-1: the other half of a pair has every byte once, in order', async () => {
      const [near, far] = createPair(world.base);
      world.keep(near).write('begin ');
      world.keep(far).enable('read');
      await world.settle();
      countOn(far.input, near);
      near.write('0');
      await world.settle();
      expect(text(contents(far.input))).toBe('begin 0123456789');
    });

    it('B102: and so has the bufferevent below a filter', async () => {
      const [near] = createPair(world.base);
      const filter = new FilterBufferevent(world.keep(near));
      near.disable('write');
      world.keep(filter).write('begin ');
      await world.settle();
      countOn(near.output, filter);
      filter.write('0');
      await world.settle();
      expect(text(contents(near.output))).toBe('begin 0123456789');
    });
  });
});
