// Two halves without a transport: what one writes, the other receives.
import { type BuffereventHandlers, createPair, type PairBufferevent } from 'bufferevent';
import { describe, expect, it } from 'vitest';
import { contents, KiB, MiB, pattern, same, text } from './support/bytes.js';
import { Collector } from './support/recorder.js';
import { ScriptedFile } from './support/scripted-file.js';
import { isPending, rejection } from './support/wait.js';
import { inMemory, type World } from './support/world.js';

function pairOf(world: World, a?: BuffereventHandlers, b?: BuffereventHandlers): [PairBufferevent, PairBufferevent] {
  const pair = createPair(world.base, { handlers: [a, b] });
  for (const half of pair) world.keep(half);
  return pair;
}

inMemory((world) => {
  describe('transfer', () => {
    it('the halves know each other, and 8,333 bytes arrive with one success on each side (regress B2)', async () => {
      const seen: string[] = [];
      const [a, b] = pairOf(
        world,
        { onWrite: (bev) => void seen.push(`write ${bev.output.length}`) },
        {
          onRead(bev) {
            if (bev.input.length === 8_333) seen.push('read 8333');
            bev.disable('read');
          },
          onEvent: (_, { kind }) => void seen.push(kind),
        },
      );
      expect(a.partner).toBe(b);
      expect(b.partner).toBe(a);
      expect(a.underlying).toBeNull();
      expect(a.enabled).toEqual(['write']);
      a.write(pattern(8_333));
      b.enable('read');
      await world.settle();
      expect(seen).toEqual(['read 8333', 'write 0']);
      expect(same(contents(b.input), pattern(8_333))).toBe(true);
      a.free();
      expect(b.partner).toBeNull();
    });

    it('PA-1: bytes move iff the writer may write and the reader reads below its mark', async () => {
      const [a, b] = pairOf(world);
      a.disable('write');
      a.write('0123456789');
      b.enable('read');
      await world.settle();
      expect(b.input.length).toBe(0);
      a.enable('write');
      await world.settle();
      expect([a.output.length, b.input.length]).toEqual([0, 10]);
      b.disable('read');
      a.write('abc');
      await world.settle();
      expect([a.output.length, b.input.length]).toEqual([3, 10]);
      b.setWatermarks('read', { high: 10 });
      b.enable('read');
      await world.settle();
      expect([a.output.length, b.input.length]).toEqual([3, 10]);
      b.input.drain(2);
      await world.settle();
      expect([a.output.length, b.input.length]).toEqual([1, 10]);
      b.setWatermarks('read', { high: 0 });
      await world.settle();
      expect([a.output.length, b.input.length]).toEqual([0, 11]);
    });

    it('PA-1: callbacks are never inside a call; the reader is told before the writer, each by its low mark (CB-6)', async () => {
      const [a, b] = pairOf(world, world.record('a'), world.record('b'));
      b.enable('read');
      b.setWatermarks('read', { low: 3 });
      a.write('12');
      expect(world.log).toEqual([]);
      await world.settle();
      expect(world.log).toEqual(['a write']);
      a.write('3');
      await world.settle();
      expect(world.log).toEqual(['a write', 'b read 3', 'a write']);
    });

    it('bytes are moved, not copied', async () => {
      const [a, b] = pairOf(world);
      const bytes = pattern(100 * KiB);
      a.output.addReference(bytes);
      b.enable('read');
      await world.settle();
      const [piece] = b.input.peek({ length: 1, maxSegments: 1 });
      expect(piece?.buffer).toBe(bytes.buffer);
    });

    it('65,000 bytes through low 10 and high 20: every onRead sees 10 to 20 bytes (regress B11, RD-11)', async () => {
      const sizes = new Set<number>();
      const left = new Set<number>();
      const collector = new Collector();
      const [a, b] = pairOf(
        world,
        { onWrite: (bev) => void left.add(bev.output.length) },
        {
          onRead(bev) {
            sizes.add(bev.input.length);
            collector.take(bev);
          },
        },
      );
      a.setWatermarks('write', { low: 100, high: 2000 });
      b.setWatermarks('read', { low: 10, high: 20 });
      expect(a.getWatermarks('write')).toEqual({ low: 100, high: 2000 });
      a.write(pattern(65_000));
      b.enable('read');
      await world.until(() => collector.bytes === 65_000, 'all bytes');
      expect(same(collector.data, pattern(65_000))).toBe(true);
      expect(Math.min(...sizes)).toBeGreaterThanOrEqual(10);
      expect(Math.max(...sizes)).toBeLessThanOrEqual(20);
      await world.settle();
      expect(Math.max(...left)).toBeLessThanOrEqual(100);
      expect(left.has(0)).toBe(true);
    });

    it('megabytes pass in both directions at once, within the marks', async () => {
      const sides = [new Collector(), new Collector()] as const;
      let most = 0;
      const [a, b] = pairOf(
        world,
        ...(sides.map(
          (side): BuffereventHandlers => ({
            onRead(bev) {
              most = Math.max(most, bev.input.length);
              side.take(bev);
            },
          }),
        ) as [BuffereventHandlers, BuffereventHandlers]),
      );
      a.write(pattern(3 * MiB, 1));
      b.write(pattern(3 * MiB, 2));
      a.enable('read');
      b.enable('read');
      await world.until(() => sides.every(({ bytes }) => bytes === 3 * MiB), 'all bytes');
      expect(same(sides[0].data, pattern(3 * MiB, 2))).toBe(true);
      expect(same(sides[1].data, pattern(3 * MiB, 1))).toBe(true);
      expect(most).toBeLessThanOrEqual(256 * KiB);
    });

    it.each([256 * KiB, 150])(
      'B35: memory that its user has detached is one error of the writer; what lies in front of it arrives (mark %i)',
      async (high) => {
        const [a, b] = pairOf(world, world.record('a'), world.record('b'));
        for (let piece = 0; piece < 3; piece++) a.output.addReference(pattern(100, piece));
        const memory = new Uint8Array(5_000);
        a.output.addReference(memory);
        structuredClone(memory.buffer, { transfer: [memory.buffer] });
        a.write('behind');
        const drained = rejection(a.drained());
        b.setWatermarks('read', { high });
        const front = (await b.read(300)) as Uint8Array;
        b.enable('read');
        await world.settle();
        expect(await drained).toMatchObject({ code: 'ERR_EVBUFFER_DETACHED' });
        for (let piece = 0; piece < 3; piece++) {
          expect(same(front.subarray(piece * 100, piece * 100 + 100), pattern(100, piece))).toBe(true);
        }
        expect(world.log.filter((line) => line !== 'a write')).toEqual(['a error ERR_EVBUFFER_DETACHED write']);
        expect([a.output.length, b.input.length]).toEqual([5_006, 0]);
        expect(await a.end()).toMatchObject({ kind: 'error', error: { code: 'ERR_EVBUFFER_DETACHED' } });
      },
    );

    it('pulls of one half are served by writes of the other, although reading is not enabled (B73)', async () => {
      const [a, b] = pairOf(world);
      const line = b.readLine();
      a.write('one\r\ntwo');
      expect(await line).toBe('one');
      expect(b.enabled).toEqual(['write']);
      a.write('\r\n');
      a.halfClose();
      expect(await b.readLine()).toBe('two');
      expect(await b.readLine()).toBeNull();
    });
  });

  describe('flush', () => {
    it('in every mode all bytes arrive, and only finished is an event (regress B6–B8)', async () => {
      for (const mode of ['normal', 'flush', 'finished'] as const) {
        world.log.length = 0;
        const [a, b] = pairOf(world, undefined, world.record('b'));
        a.write(pattern(8_333));
        b.enable('read');
        a.flush('write', mode);
        await world.settle();
        expect(same(contents(b.input), pattern(8_333))).toBe(true);
        expect(world.log).toEqual(mode === 'finished' ? ['b read 8333', 'b eof'] : ['b read 8333']);
      }
    });

    it('PA-3: finished with nothing queued tells the partner the end of reading, and nothing else (regress B34)', async () => {
      const events: unknown[] = [];
      const [a] = pairOf(world, world.record('a'), {
        ...world.record('b'),
        onEvent: (_, event) => void events.push(event),
      });
      expect(a.flush('write', 'finished')).toBe(false);
      expect(events).toEqual([]);
      await world.settle();
      expect(events).toEqual([{ kind: 'eof', direction: 'read' }]);
      expect(world.log).toEqual([]);
    });

    it('PA-3: finished reading tells the partner the end of writing; both tell both', async () => {
      const events: unknown[] = [];
      const [a, b] = pairOf(world, undefined, { onEvent: (_, event) => void events.push(event) });
      a.flush('read', 'finished');
      await world.settle();
      expect(events).toEqual([{ kind: 'eof', direction: 'write' }]);
      a.flush('write', 'finished');
      await world.settle();
      expect(events.slice(1)).toEqual([{ kind: 'eof', direction: 'read' }]);
      // Writing goes on afterwards.
      a.write('more');
      b.enable('read');
      await world.settle();
      expect(text(contents(b.input))).toBe('more');
    });

    it('PA-3: what does not fit under the mark comes before the end', async () => {
      const [a, b] = pairOf(world, undefined, {
        onRead: (bev) => void world.log.push(`read ${text(bev.input.remove(bev.input.length))}`),
        onEvent: (_, { kind }) => void world.log.push(kind),
      });
      b.setWatermarks('read', { high: 4 });
      a.write('0123456789');
      b.enable('read');
      a.flush('write', 'finished');
      await world.settle();
      expect(world.log).toEqual(['read 0123', 'read 4567', 'read 89', 'eof']);
    });

    it.each(['read', 'write'] as const)(
      'PA-3: what did not fit may go with a later flush of the %s side, and the end comes behind it',
      async (side) => {
        const seen: string[] = [];
        const [a, b] = pairOf(world, undefined, { onEvent: (_, { kind }) => void seen.push(kind) });
        b.setWatermarks('read', { high: 50 });
        a.write(pattern(90));
        a.flush('write', 'finished');
        await world.settle();
        b.input.drain(50);
        await world.settle();
        if (side === 'read') b.flush('read', 'flush');
        else a.flush('write', 'flush');
        await world.settle();
        expect(b.input.length).toBe(40);
        b.input.drain(40);
        await world.settle();
        expect(seen).toEqual(['eof']);
      },
    );

    it('PA-4: flush does not ask what is enabled; below the mark it fills, at the mark it moves everything', async () => {
      const [a, b] = pairOf(world);
      a.disable('write');
      b.setWatermarks('read', { high: 4 });
      a.write('0123456789');
      expect(a.flush('write', 'normal')).toBe(false);
      expect(a.flush('write', 'flush')).toBe(true);
      expect([a.output.length, b.input.length]).toEqual([6, 4]);
      expect(b.flush('read', 'flush')).toBe(true);
      expect([a.output.length, b.input.length]).toEqual([0, 10]);
      expect(b.flush('read', 'flush')).toBe(false);
    });

    it('PA-2: a flush that moves nothing calls nobody', async () => {
      const [a, b] = pairOf(world, world.record('a'), world.record('b'));
      for (const direction of ['read', 'write'] as const) {
        a.flush(direction, 'flush');
        b.flush(direction, 'normal');
      }
      await world.settle();
      expect(world.log).toEqual([]);
    });

    it('PA-6: after the partner is gone flush moves nothing', async () => {
      const [a, b] = pairOf(world);
      b.free();
      for (const mode of ['normal', 'flush', 'finished'] as const) {
        expect(a.flush('write', mode)).toBe(false);
        expect(a.flush('read', mode)).toBe(false);
      }
    });
  });

  describe('the end of one half', () => {
    it('PA-5: freeing one half is an end for the other, after the data', async () => {
      const [a, b] = pairOf(world, undefined, world.record('b'));
      b.enable('read');
      a.write('last words');
      await world.settle();
      a.free();
      await world.settle();
      expect(world.log).toEqual(['b read 10', 'b eof']);
      expect(b.partner).toBeNull();
      expect(text(contents(b.input))).toBe('last words');
      expect(b.enabled).toEqual(['write']);
    });

    it('PA-5: the end is noticed by reading, as on a socket (RD-7)', async () => {
      const [a, b] = pairOf(world, undefined, world.record('b'));
      a.free();
      await world.settle();
      expect(world.log).toEqual([]);
      b.enable('read');
      await world.settle();
      expect(world.log).toEqual(['b eof']);
    });

    it('what is written to a half that is gone fails as on a socket', async () => {
      const [a, b] = pairOf(world, undefined, world.record('b'));
      a.free();
      b.write('nobody reads it');
      const drained = rejection(b.drained());
      await world.settle();
      expect(world.log).toEqual(['b error EPIPE write']);
      expect(await drained).toMatchObject({ code: 'EPIPE' });
      expect(await b.closed).toMatchObject({ kind: 'reset' });
      expect(b.output.length).toBe(15);
    });

    it('PA-7: both may be freed in any order, also back to back and inside a callback (regress B9)', async () => {
      for (const order of [0, 1] as const) {
        const pair = pairOf(world, world.record('a'), world.record('b'));
        for (const half of pair) {
          half.enable('read');
          half.write('x');
        }
        pair[order].free();
        pair[1 - order]?.free();
        await world.settle();
        expect(world.log).toEqual([]);
      }
      const [a, b] = pairOf(world);
      a.setHandlers({
        onRead() {
          b.free();
          a.free();
        },
      });
      a.enable('read');
      b.write('x');
      await world.settle();
      expect([a.freed, b.freed]).toEqual([true, true]);
      expect(await Promise.all([a.closed, b.closed])).toEqual([{ kind: 'freed' }, { kind: 'freed' }]);
    });

    it('B60, B61: halfClose() and end() work as on sockets', async () => {
      const [a, b] = pairOf(world, world.record('a'), world.record('b'));
      a.enable('read');
      b.enable('read');
      a.write('request');
      a.halfClose();
      await world.settle();
      expect(world.log.filter((line) => line.startsWith('b'))).toEqual(['b read 7', 'b eof']);
      expect(() => a.write('more')).toThrow(expect.objectContaining({ code: 'ERR_BUFFEREVENT_WRITE_AFTER_END' }));
      b.write('response');
      const ended = b.end();
      expect(await ended).toEqual({ kind: 'clean' });
      await world.settle();
      expect(world.log.filter((line) => line.startsWith('a'))).toEqual(['a write', 'a read 8', 'a eof']);
      expect(await a.end()).toEqual({ kind: 'clean' });
    });

    it('B33, B61: end() after the hard cap of the output is over at once', async () => {
      const [a, b] = createPair(world.newBase({ limits: { outputMaxBytes: 100 } }));
      expect(() => world.keep(a).write(pattern(101))).toThrow(
        expect.objectContaining({ code: 'ERR_BUFFEREVENT_OUTPUT_LIMIT' }),
      );
      expect(await a.end()).toMatchObject({ kind: 'error', error: { code: 'ERR_BUFFEREVENT_OUTPUT_LIMIT' } });
      expect(await rejection(b.read())).toMatchObject({ code: 'ECONNRESET' });
    });

    it('B61: end() of a half whose partner never ends is over by the time-out, and resets it', async () => {
      const [a, b] = pairOf(world, undefined, world.record('b'));
      a.setTimeouts({ closeMs: 100 });
      b.enable('read');
      const ended = a.end();
      await world.advance(99);
      expect(await isPending(ended)).toBe(true);
      await world.advance(1);
      expect(await ended).toMatchObject({ kind: 'timeout', timeout: 'close' });
      b.enable('read');
      await world.settle();
      expect(world.log).toEqual(['b eof', 'b error ECONNRESET read']);
    });
  });

  describe('time-outs', () => {
    function timed(bev: PairBufferevent, name: string): void {
      bev.setHandlers({
        onEvent: (_, event) => {
          const what = event.kind === 'timeout' ? `${event.timeout} ${event.direction}` : event.kind;
          world.log.push(`${world.clock.now()} ${name} ${what}`);
        },
      });
    }

    it('TO-6, TO-8: read and write time-outs run only while they are tried (regress B22, B25)', async () => {
      const [b1, b2] = pairOf(world);
      timed(b1, 'b1');
      timed(b2, 'b2');
      b1.write('1234567');
      b1.setTimeouts({ readMs: 150, writeMs: 100 });
      b1.enable('read', 'write');
      b2.setTimeouts({ readMs: 100, writeMs: 200 });
      b2.enable('write');
      for (let at = 0; at < 350; at += 10) await world.advance(10);
      expect(world.log).toEqual(['100 b1 write write', '150 b1 read read']);
      expect(b1.output.length).toBe(7);
    });

    it('TO-6: what is written later has the time-out, too', async () => {
      const [a] = pairOf(world);
      timed(a, 'a');
      a.setTimeouts({ writeMs: 50 });
      await world.advance(200);
      expect(world.log).toEqual([]);
      a.write('x');
      await world.advance(50);
      expect(world.log).toEqual(['250 a write write']);
    });

    it('TO-1, TO-2: a full input stops the read time-out, and a transfer starts it anew', async () => {
      const [a, b] = pairOf(world);
      timed(b, 'b');
      b.setWatermarks('read', { high: 4 });
      b.setTimeouts({ readMs: 50 });
      b.enable('read');
      await world.advance(30);
      a.write('12345678');
      await world.advance(150);
      expect(world.log).toEqual([]);
      b.input.drain(8 - 4);
      await world.advance(30);
      b.input.drain(4);
      await world.advance(49);
      expect(world.log).toEqual([]);
      await world.advance(1);
      expect(world.log).toEqual(['260 b read read']);
    });
  });

  describe('files', () => {
    it('are read without blocking and arrive whole, in their place', async () => {
      const [a, b] = pairOf(world);
      const content = pattern(300 * KiB);
      const file = new ScriptedFile(content);
      a.write('<');
      a.output.addFileSegment(file);
      a.write('>');
      a.halfClose();
      const collector = new Collector();
      b.setHandlers({ onRead: collector.take });
      b.enable('read');
      await a.drained();
      await world.until(() => b.readEnded && collector.bytes === content.length + 2, 'the file');
      expect(same(collector.data.subarray(1, -1), content)).toBe(true);
      expect(collector.data.toString('latin1', 0, 1) + collector.data.toString('latin1', content.length + 1)).toBe(
        '<>',
      );
      expect(file.users).toBe(0);
    });

    it('are read only as far as they are wanted', async () => {
      const [a, b] = pairOf(world);
      const file = new ScriptedFile(pattern(1 * MiB));
      b.setWatermarks('read', { high: 1000 });
      b.enable('read');
      a.output.addFileSegment(file);
      await world.until(() => b.input.length === 1000, 'the first bytes');
      await world.settle();
      expect(file.asked).toBeLessThanOrEqual(192 * KiB);
      a.free();
      b.free();
      await world.settle();
      expect(file.users).toBe(0);
    });

    it('one that can not be read fails the writer behind the bytes before it', async () => {
      const [a, b] = pairOf(world, world.record('a'), world.record('b'));
      const file = new ScriptedFile(pattern(100));
      file.readableTo = 60;
      b.enable('read');
      a.output.addFileSegment(file);
      await world.until(() => world.log.some((line) => line.includes('error')), 'the failure');
      await world.settle();
      expect(world.log.filter((line) => line.includes('error'))).toEqual(['a error ERR_EVBUFFER_FILE_READ write']);
      expect(same(contents(b.input), pattern(100).subarray(0, 60))).toBe(true);
    });
  });
});
