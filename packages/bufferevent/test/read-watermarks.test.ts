// Reading, its gate and its marks: B20–B27.
import type { Bufferevent } from 'bufferevent';
import { describe, expect, it } from 'vitest';
import { contents, KiB, pattern, same, text } from './support/bytes.js';
import { Collector, count } from './support/recorder.js';
import { inMemory, onEveryBackend } from './support/world.js';

describe('when onRead runs', () => {
  inMemory((world) => {
    it('RD-2: with low 0 every arrival calls, though nothing was taken: 4, 8, 10', async () => {
      const { peer } = await world.accepted(world.record('server'));
      for (const piece of ['0123', '4567', '89']) {
        peer.send(piece);
        await world.settle();
      }
      expect(world.log).toEqual(['server read 4', 'server read 8', 'server read 10']);
    });

    it('RD-2: a low mark is a level: 5 + 5 call once at 10, the next byte calls at 11', async () => {
      const { bev, peer } = await world.accepted(world.record('server'));
      bev.setWatermarks('read', { low: 10 });
      for (const piece of ['01234', '56789', '!']) {
        peer.send(piece);
        await world.settle();
      }
      expect(world.log).toEqual(['server read 10', 'server read 11']);
    });

    it('RD-3: marks, handlers and draining never call for bytes that are there', async () => {
      const { bev, peer } = await world.accepted(world.record('server'));
      bev.setWatermarks('read', { low: 100 });
      peer.send(pattern(20));
      await world.settle();
      bev.setWatermarks('read', { low: 5 });
      await world.settle();
      bev.setWatermarks('read', { low: 0 });
      bev.input.drain(3);
      await world.settle();
      bev.setHandlers(world.record('again'));
      bev.disable('read');
      bev.enable('read');
      await world.settle();
      expect(world.log).toEqual([]);
      peer.send('x');
      await world.settle();
      expect(world.log).toEqual(['again read 18']);
    });

    it('RD-1: a full input is not read for, however often the turn comes', async () => {
      const { bev, peer } = await world.accepted(world.record('server'));
      bev.setWatermarks('read', { high: 10 });
      peer.send(pattern(25));
      await world.settle();
      expect(bev.input.length).toBe(10);
      expect(text(contents(bev.input))).toBe(text(pattern(25).subarray(0, 10)));
    });

    it('RD-5: a full input causes no further callback and no work at all', async () => {
      const { bev, peer } = await world.accepted(world.record('server'));
      bev.setWatermarks('read', { high: 10 });
      peer.send(pattern(100));
      await world.settle();
      const { batches } = world.base.stats().port;
      const lines = world.log.length;
      await world.settle();
      await world.settle();
      expect(world.log).toHaveLength(lines);
      expect(world.base.stats().port.batches).toBe(batches);
    });

    it('RD-5: draining part of a full input reads the room that came free, without a stall', async () => {
      const { bev, peer } = await world.accepted(world.record('server'));
      bev.setWatermarks('read', { high: 10 });
      peer.send('0123456789abcdefghij');
      await world.settle();
      world.log.length = 0;
      bev.input.drain(4);
      await world.settle();
      expect(bev.input.length).toBe(10);
      expect(world.log.at(-1)).toBe('server read 10');
      expect(text(contents(bev.input))).toBe('456789abcd');
    });

    it('RD-7, RD-8: the end is not seen while suspended, and comes after the bytes: 4, 4, 2, end', async () => {
      const chunks: string[] = [];
      const { bev, peer } = await world.accepted(
        world.record('server', {
          onEvent: (at) => void chunks.push(`end with ${at.input.length}`),
        }),
      );
      bev.setWatermarks('read', { high: 4 });
      peer.send('0123456789');
      peer.end();
      await world.settle();
      for (let round = 0; round < 2; round++) {
        expect(world.log).not.toContain('server eof');
        chunks.push(text(bev.input.remove(bev.input.length)) as string);
        await world.settle();
      }
      expect(chunks).toEqual(['0123', '4567', 'end with 2']);
      expect(text(bev.input.remove(2))).toBe('89');
      expect(world.log).toEqual(['server read 4', 'server read 4', 'server read 2', 'server eof']);
    });

    it('RD-9: enabling while suspended records the wish, and lifts no suspension', async () => {
      const { bev, peer } = await world.accepted(world.record('server'));
      bev.setWatermarks('read', { high: 4 });
      peer.send(pattern(20));
      await world.settle();
      expect(bev.enabled).toEqual(expect.arrayContaining(['read', 'write']));
      bev.disable('read');
      expect(bev.enabled).toEqual(['write']);
      bev.enable('read');
      await world.settle();
      expect(bev.input.length).toBe(4);
      bev.disable('read');
      bev.input.drain(4);
      await world.settle();
      expect(bev.input.length).toBe(0);
      bev.enable('read');
      await world.settle();
      expect(bev.input.length).toBe(4);
    });

    it('RD-9: bytes of a receive in flight when reading is disabled are kept and announced later or now', async () => {
      const { bev, peer } = await world.accepted(world.record('server'));
      await world.settle();
      bev.disable('read');
      peer.send('0123');
      await world.settle();
      const early = bev.input.length;
      bev.enable('read');
      await world.settle();
      expect(bev.input.length).toBe(4);
      expect(count(world.log, 'server read 4'), `${early} bytes came while disabled`).toBe(1);
    });

    it('RD-10: removing the high mark resumes at once', async () => {
      const { bev, peer } = await world.accepted(world.record('server'));
      bev.setWatermarks('read', { high: 4 });
      peer.send(pattern(20));
      await world.settle();
      bev.setWatermarks('read', { high: 0 });
      await world.settle();
      expect(bev.input.length).toBe(20);
    });

    it('RD-10: a high mark at or below what is there suspends at once', async () => {
      const { bev, peer } = await world.accepted(world.record('server'));
      peer.send(pattern(10));
      await world.settle();
      bev.setWatermarks('read', { high: 10 });
      peer.send(pattern(10));
      await world.settle();
      expect(bev.input.length).toBe(10);
      bev.input.drain(1);
      await world.settle();
      expect(bev.input.length).toBe(10);
    });

    it('RD-6: a low mark above the high mark is refused and changes nothing', async () => {
      const { bev } = await world.accepted({});
      bev.setWatermarks('read', { low: 3, high: 30 });
      for (const direction of ['read', 'write'] as const) {
        const before = bev.getWatermarks(direction);
        expect(() => bev.setWatermarks(direction, { low: 21, high: 20 })).toThrow(
          expect.objectContaining({ name: 'RangeError', code: 'ERR_OUT_OF_RANGE' }),
        );
        expect(bev.getWatermarks(direction)).toEqual(before);
      }
      expect(() => bev.setWatermarks('read', { low: 31 })).toThrow(RangeError);
      expect(() => bev.setWatermarks('read', { high: 2 })).toThrow(RangeError);
      expect(bev.getWatermarks('read')).toEqual({ low: 3, high: 30 });
      bev.setWatermarks('read', { low: 31, high: 0 });
      expect(bev.getWatermarks('read')).toEqual({ low: 31, high: 0 });
    });
  });
});

describe('high mark', () => {
  onEveryBackend((world) => {
    it('RD-4: reading is suspended at the high mark and resumes when drained below it', async () => {
      const bytes = pattern(50_000);
      const taken: Uint8Array[] = [];
      let most = 0;
      const { bev, peer } = await world.accepted({
        onRead: (at) => {
          most = Math.max(most, at.input.length);
        },
      });
      bev.setWatermarks('read', { high: 500 });
      const total = world.bytes(bytes.length);
      peer.send(bytes.subarray(0, total));
      let moved = 0;
      while (moved < total) {
        const wanted = Math.min(500, total - moved);
        await world.until(() => bev.input.length >= wanted, `${wanted} more bytes after ${moved}`);
        expect(bev.input.length).toBeLessThanOrEqual(500);
        taken.push(bev.input.remove(wanted));
        moved += wanted;
      }
      expect(most).toBeLessThanOrEqual(500);
      expect(same(Buffer.concat(taken), bytes.subarray(0, total))).toBe(true);
    });

    it('RD-4: the peer feels a full input', async () => {
      if (world.kind === 'memory with faults') return; // One byte at a time takes long to fill the pipe.
      const { bev, peer } = await world.accepted({ onRead() {} });
      bev.setWatermarks('read', { high: 1000 });
      peer.send(new Uint8Array(32 * 1024 * KiB));
      await world.until(() => bev.input.length === 1000, 'a full input');
      expect(peer.unsentBytes).toBeGreaterThan(0);
    });

    it('RD-11: 65,000 bytes through marks 10 and 20: every callback sees 10 to 20, the total is exact', async () => {
      const total = world.kind === 'memory with faults' ? 1_300 : 65_000;
      const bytes = pattern(total);
      const collector = new Collector();
      const lengths = new Set<number>();
      const { bev, peer } = await world.accepted({
        onRead(at) {
          lengths.add(at.input.length);
          collector.take(at);
        },
      });
      bev.setWatermarks('read', { low: 10, high: 20 });
      expect(bev.getWatermarks('read')).toEqual({ low: 10, high: 20 });
      peer.send(bytes);
      await world.until(() => collector.bytes + bev.input.length === total, 'all bytes');
      for (const length of lengths) {
        expect(length).toBeGreaterThanOrEqual(10);
        expect(length).toBeLessThanOrEqual(20);
      }
      expect(same(Buffer.concat([collector.data, contents(bev.input)]), bytes)).toBe(true);
    });

    it('RD-8: every byte is delivered before the end', async () => {
      const bytes = pattern(world.bytes(700_000));
      const collector = new Collector();
      let atEnd = -1;
      const { bev, peer } = await world.accepted({
        onRead: collector.take,
        onEvent(at) {
          collector.take(at);
          atEnd = collector.bytes;
        },
      });
      peer.send(bytes);
      peer.end();
      await world.until(() => atEnd >= 0, 'the end');
      expect(atEnd).toBe(bytes.length);
      expect(same(collector.data, bytes)).toBe(true);
      expect(bev.readEnded).toBe(true);
    });

    it('B27: users take from input and add to output, never the other way', async () => {
      const { bev, peer } = await world.accepted({ onRead() {} });
      peer.send('hello');
      await world.until(() => bev.input.length === 5, 'bytes');
      bev.disable('write');
      bev.write('queued');
      expect(() => bev.input.add('x')).toThrow(expect.objectContaining({ code: 'ERR_EVBUFFER_FROZEN_BACK' }));
      expect(() => bev.output.drain(1)).toThrow(expect.objectContaining({ code: 'ERR_EVBUFFER_FROZEN_FRONT' }));
      expect(text(bev.input.remove(5))).toBe('hello');
      expect(bev.output.length).toBe(6);
    });

    it('RD-9: a new connection reads only when asked to', async () => {
      const { bev, peer } = await world.accepted({ onEvent() {} });
      expect(bev.enabled).toEqual(['write']);
      peer.send('hello');
      peer.end();
      const answer: Bufferevent[] = [];
      bev.setHandlers({ onRead: (at) => void answer.push(at) });
      expect(bev.enabled).toEqual(['write']);
      bev.enable('read');
      await world.until(() => answer.length > 0 && bev.readEnded, 'bytes and the end');
      expect(text(bev.input.remove(5))).toBe('hello');
    });
  });
});
