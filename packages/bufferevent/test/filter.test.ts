// One filter over one bufferevent, rule by rule.
import {
  type Bufferevent,
  createPair,
  FilterBufferevent,
  type FilterFunction,
  type FilterOptions,
  type FlushMode,
  type Layer,
  SocketBufferevent,
} from 'bufferevent';
import { createTestBase } from 'bufferevent/testing';
import { Operation } from 'bufferevent-backend';
import { withFaults } from 'bufferevent-backend/memory';
import { describe, expect, it } from 'vitest';
import { contents, KiB, pattern, same, text } from './support/bytes.js';
import { doubling, halving } from './support/filters.js';
import { inEveryFlavour, type OpenFlavour } from './support/flavours.js';
import { Collector } from './support/recorder.js';
import { sockets } from './support/system-backends.js';
import { isPending, rejection, turn } from './support/wait.js';
import { inMemory, inWorlds, ipOf, type World } from './support/world.js';

interface Call {
  readonly source: number;
  readonly limit: number;
  readonly mode: FlushMode;
}

/** A filter that notes its calls and then does what `then` does. */
function noted(calls: Call[], then: FilterFunction = passing): FilterFunction {
  return (source, target, limit, mode) => {
    calls.push({ source: source.length, limit, mode });
    return then(source, target, limit, mode);
  };
}

const passing: FilterFunction = (source, target, limit) => (source.moveTo(target, limit) > 0 ? 'ok' : 'need-more');

/** A filter over one half of a pair, and the other half. */
function overPair(world: World, options: FilterOptions = {}) {
  const [under, peer] = createPair(world.base);
  const filter = new FilterBufferevent(under, options);
  for (const bev of [under, peer, filter]) world.keep(bev);
  return { filter, under, peer };
}

inEveryFlavour(
  ({ world, connect }: OpenFlavour) => {
    const size = 8_333;

    it('one filter doubles, the other takes it back: one run, one read and one write success (regress B12, B13)', async () => {
      const { near, far } = await connect();
      const counts = { runs: 0, reads: 0, writes: 0 };
      const writer = world.keep(
        new FilterBufferevent(near, {
          output(source, target, limit, mode) {
            if (source.length > 0) counts.runs += 1;
            return doubling(source, target, limit, mode);
          },
        }),
      );
      writer.setHandlers({
        onWrite(bev) {
          if (bev.output.length === 0) counts.writes += 1;
        },
        onEvent: (_, { kind }) => void world.log.push(kind),
      });
      const reader = world.keep(new FilterBufferevent(far, { input: halving }));
      const collector = new Collector();
      reader.setHandlers({
        onRead(bev) {
          if (bev.input.length !== size) return;
          counts.reads += 1;
          collector.take(bev);
          bev.disable('read');
        },
        onEvent: (_, { kind }) => void world.log.push(kind),
      });
      reader.enable('read');
      expect(writer.underlying).toBe(near);
      expect(reader.underlying).toBe(far);
      writer.write(pattern(size));
      await world.until(() => counts.reads === 1 && counts.writes === 1, 'both successes');
      expect(counts).toEqual({ runs: 1, reads: 1, writes: 1 });
      expect(same(collector.data, pattern(size))).toBe(true);
      expect(world.log).toEqual([]);
    });

    it('FI-4: what an output filter writes to its own output waits for its next call (regress B14, B15)', async () => {
      const { near, far } = await connect();
      let depth = 0;
      const offered: string[] = [];
      const writer: FilterBufferevent = world.keep(
        new FilterBufferevent(near, {
          output(source, target, limit) {
            depth += 1;
            expect(depth).toBe(1);
            offered.push(text(contents(source)) as string);
            if (offered.length === 1) writer.write('-');
            const moved = source.moveTo(target, limit);
            depth -= 1;
            return moved > 0 ? 'ok' : 'need-more';
          },
        }),
      );
      writer.write('abc');
      expect(text(await far.read(4))).toBe('abc-');
      expect(offered).toEqual(['abc', '-']);
    });
  },
  { worlds: ['memory', ...sockets] },
);

describe('results', () => {
  inMemory((world) => {
    it('FI-1: ok is called again while there is input and room; need-more keeps the source for the next arrival', async () => {
      const calls: Call[] = [];
      const byThrees: FilterFunction = (source, target) =>
        source.length < 3 ? 'need-more' : source.moveTo(target, 3) > 0 ? 'ok' : 'need-more';
      const { filter, peer } = overPair(world, { input: noted(calls, byThrees) });
      filter.enable('read');
      peer.write('1234567');
      await world.settle();
      expect(text(contents(filter.input))).toBe('123456');
      expect(calls.map(({ source }) => source)).toEqual([7, 4, 1]);
      peer.write('89');
      await world.settle();
      expect(text(contents(filter.input))).toBe('123456789');
      expect(calls.map(({ source }) => source)).toEqual([7, 4, 1, 3]);
    });

    it('FI-1: the directions are independent', async () => {
      const { filter, peer } = overPair(world, { input: () => 'need-more' });
      filter.enable('read');
      peer.write('never decoded');
      filter.write('out');
      expect(text(await peer.read(3))).toBe('out');
      expect(filter.input.length).toBe(0);
    });

    it('FI-2: what an input filter throws is an error of reading, after the bytes before it', async () => {
      const problem = Object.assign(new Error('bad'), { code: 'BAD' });
      const { filter, peer, under } = overPair(world, {
        input(source, target) {
          if (source.length === 1) throw problem;
          return source.moveTo(target, 1) > 0 ? 'ok' : 'need-more';
        },
        handlers: world.record('filter'),
      });
      filter.enable('read');
      const waits = rejection(filter.read(10));
      peer.write('abc');
      await world.settle();
      expect(await waits).toBe(problem);
      expect(world.log.at(-1)).toBe('filter error BAD read');
      expect(world.log.filter((line) => line.includes('error'))).toHaveLength(1);
      expect(text(contents(filter.input))).toBe('ab');
      expect(filter.enabled).not.toContain('read');
      expect(await filter.closed).toEqual({ kind: 'error', error: problem });
      expect(under.freed).toBe(false);
    });

    it('FI-2: what an output filter throws is an error of writing; reading goes on', async () => {
      const problem = Object.assign(new Error('bad'), { code: 'BAD' });
      const { filter, peer } = overPair(world, {
        output() {
          throw problem;
        },
        handlers: world.record('filter'),
      });
      filter.enable('read');
      filter.write('abc');
      const undrained = rejection(filter.drained());
      await world.settle();
      expect(await undrained).toBe(problem);
      expect(world.log.filter((line) => line !== 'filter write')).toEqual(['filter error BAD write']);
      expect(filter.enabled).toEqual(['read']);
      expect(filter.write('dropped')).toBe(false);
      peer.write('still read');
      await world.settle();
      expect(world.log.at(-1)).toBe('filter read 10');
    });

    // One that answers a promise would otherwise be asked again and again, and its bytes be lost; vitest fails for a rejection
    // that nobody handles.
    const noAnswers: Array<[string, () => unknown]> = [
      ['an asynchronous function', async () => 'ok'],
      ['an asynchronous function that fails', () => Promise.reject(new Error('late'))],
      ['another word', () => 'zz'],
      ['nothing', () => undefined],
    ];
    for (const [name, call] of noAnswers) {
      const answer = call as unknown as FilterFunction;

      it(`FI-2: ${name} as input filter is an error of reading`, async () => {
        const { filter, peer } = overPair(world, { input: answer, handlers: world.record('filter') });
        filter.enable('read');
        peer.write('abc');
        await world.settle();
        expect(world.log).toEqual(['filter error ERR_INVALID_ARG_TYPE read']);
        expect((await filter.closed) as object).toMatchObject({ kind: 'error', error: { name: 'TypeError' } });
      });

      it(`FI-2: ${name} as output filter is an error of writing; reading goes on`, async () => {
        const { filter, peer } = overPair(world, { output: answer, handlers: world.record('filter') });
        filter.enable('read');
        filter.write('abc');
        const undrained = rejection(filter.drained());
        await world.settle();
        expect(await undrained).toMatchObject({ name: 'TypeError', code: 'ERR_INVALID_ARG_TYPE' });
        expect(world.log.filter((line) => line !== 'filter write')).toEqual([
          'filter error ERR_INVALID_ARG_TYPE write',
        ]);
        peer.write('still read');
        await world.settle();
        expect(world.log.at(-1)).toBe('filter read 10');
      });
    }

    it('B35: memory that its user has detached is one error of writing; what lies in front of it passes', async () => {
      const { filter, peer } = overPair(world, { handlers: world.record('filter') });
      filter.output.addReference(pattern(100));
      const memory = new Uint8Array(5_000);
      filter.output.addReference(memory);
      structuredClone(memory.buffer, { transfer: [memory.buffer] });
      filter.write('behind');
      peer.enable('read');
      await world.settle();
      expect(same(contents(peer.input), pattern(100))).toBe(true);
      expect(world.log.filter((line) => line !== 'filter write')).toEqual(['filter error ERR_EVBUFFER_DETACHED write']);
      expect(filter.output.length).toBe(5_006);
    });

    it('FI-2: encoding does not end with what only decoding may answer', async () => {
      const { filter } = overPair(world, {
        layer: { name: 'ending', decode: () => 'need-more', encode: (() => 'end') as unknown as FilterFunction },
        handlers: world.record('filter'),
      });
      filter.write('abc');
      await world.settle();
      expect(world.log.at(-1)).toBe('filter error ERR_INVALID_ARG_TYPE write');
    });

    it('FI-2: an asynchronous handshake is an error without a direction', async () => {
      const { filter } = overPair(world, {
        layer: {
          name: 'asynchronous',
          handshake: (async () => 'done') as unknown as () => 'done',
          decode: passing,
          encode: passing,
        } as Layer,
        handlers: world.record('filter'),
      });
      await world.settle();
      expect(world.log).toEqual(['filter error ERR_INVALID_ARG_TYPE']);
      expect(filter.enabled).toEqual(['write']);
    });

    it('FI-2: what is thrown while finishing is one error and no eof', async () => {
      const { filter, peer } = overPair(world, {
        input(source, target, limit, mode) {
          if (mode === 'finished') throw Object.assign(new Error('cut off'), { code: 'CUT' });
          return passing(source, target, limit, mode);
        },
        handlers: world.record('filter'),
      });
      filter.enable('read');
      peer.write('data');
      peer.halfClose();
      await world.settle();
      expect(world.log).toEqual(['filter read 4', 'filter error CUT read']);
    });
  });
});

describe('when a filter is called', () => {
  inMemory((world) => {
    it('FI-3: in mode normal not while its side is disabled, full or empty', async () => {
      const input: Call[] = [];
      const output: Call[] = [];
      const { filter, under, peer } = overPair(world, { input: noted(input), output: noted(output) });
      await world.settle();
      expect([input, output]).toEqual([[], []]);
      peer.write('123456789');
      await world.settle();
      expect(input).toEqual([]);
      filter.setWatermarks('read', { high: 4 });
      filter.enable('read');
      await world.settle();
      expect(input).toEqual([{ source: 9, limit: 4, mode: 'normal' }]);
      filter.input.drain(1);
      await world.settle();
      expect(input.slice(1)).toEqual([{ source: 5, limit: 1, mode: 'normal' }]);
      filter.disable('write');
      filter.write('abc');
      await world.settle();
      expect(output).toEqual([]);
      under.setWatermarks('write', { high: 2 });
      filter.enable('write');
      await world.settle();
      expect(output).toEqual([{ source: 2, limit: 2, mode: 'normal' }]);
      expect(filter.output.length).toBe(1);
    });

    it('FI-3: flush calls it at least once, also with an empty source, without a limit, in its mode', async () => {
      const input: Call[] = [];
      const output: Call[] = [];
      const { filter } = overPair(world, { input: noted(input), output: noted(output) });
      for (const mode of ['normal', 'flush', 'finished'] as const) {
        filter.flush('read', mode);
        filter.flush('write', mode);
      }
      const forced = [
        { source: 0, limit: Infinity, mode: 'flush' },
        { source: 0, limit: Infinity, mode: 'finished' },
      ];
      expect(output).toEqual(forced);
      expect(input).toEqual(forced);
    });

    it('a filter that holds bytes back gives them out when flushed', async () => {
      let held = '';
      const { filter, peer } = overPair(world, {
        output(source, target, _, mode) {
          held += text(source.remove(source.length));
          if (mode === 'normal' || held === '') return 'need-more';
          target.add(`[${held}]`);
          held = '';
          return 'ok';
        },
      });
      filter.write('one ');
      await world.settle();
      filter.write('two');
      await world.settle();
      expect(filter.flush('write', 'flush')).toBe(true);
      expect(text(await peer.read(9))).toBe('[one two]');
      expect(filter.flush('write', 'flush')).toBe(false);
    });

    it('FI-8: enabling writing sends what waited', async () => {
      const { filter, peer } = overPair(world, { output: doubling });
      filter.disable('write');
      filter.write('ab');
      await world.settle();
      expect(filter.output.length).toBe(2);
      filter.enable('write');
      expect(text(await peer.read(4))).toBe('xaxb');
    });
  });
});

describe('marks', () => {
  inMemory((world) => {
    it('FI-5: 4,096 bytes and a header through a mark of 4,096 arrive in two rounds, without another network read', async () => {
      const { client, server } = await world.pair({}, {});
      const rounds: number[] = [];
      let headers = 0;
      const filter = world.keep(
        new FilterBufferevent(server, {
          input(source, target, limit) {
            if (headers === 0) {
              if (source.length < 20) return 'need-more';
              headers = 1;
              source.moveTo(target, 20);
              return 'ok';
            }
            return source.moveTo(target, limit) > 0 ? 'ok' : 'need-more';
          },
        }),
      );
      const collector = new Collector();
      filter.setWatermarks('read', { high: 4096 });
      filter.enable('read');
      client.write(pattern(4116));
      await world.settle();
      const { receives } = server.stats();
      expect(filter.input.length).toBe(4096);
      filter.setHandlers({
        onRead(bev) {
          rounds.push(bev.input.length);
          collector.take(bev);
        },
      });
      filter.trigger('read');
      await world.settle();
      expect(rounds).toEqual([4096, 20]);
      expect(same(collector.data, pattern(4116))).toBe(true);
      expect(server.stats().receives).toBe(receives);
    });

    it('FI-6: 10 bytes through a write mark of 4 below leave in steps of 4, 4 and 2, with one onWrite at the end', async () => {
      const { filter, under, peer } = overPair(world);
      filter.setHandlers({ onWrite: () => void world.log.push(`write ${filter.output.length}`) });
      under.setWatermarks('write', { high: 4 });
      filter.write('0123456789');
      await world.settle();
      expect(under.output.length).toBe(4);
      expect(filter.output.length).toBe(6);
      const before = under.stats().sends;
      expect(text(await peer.read(10))).toBe('0123456789');
      await world.settle();
      expect(under.stats().sends - before).toBe(3);
      expect(world.log).toEqual(['write 0']);
    });

    it('FI-6: what a filter has added beyond the mark leaves with the rest, in one step', async () => {
      const framing: FilterFunction = (source, target, limit) => {
        if (source.length === 0) return 'need-more';
        target.add('<');
        source.moveTo(target, limit);
        target.add('>');
        return 'ok';
      };
      const { filter, under, peer } = overPair(world, { output: framing });
      const half = 'x'.repeat(64);
      under.setWatermarks('write', { high: half.length });
      filter.write(half + half);
      await world.settle();
      expect(under.output.toString()).toBe(`<${half}>`);
      const before = under.stats().sends;
      expect(text(await peer.read(2 * half.length + 4))).toBe(`<${half}><${half}>`);
      expect(under.stats().sends - before).toBe(2);
    });

    it('FI-6: what a filter makes beyond a thirty-second of the mark waits above, and nothing passes the hard cap below', async () => {
      const inflating: FilterFunction = (source, target) => {
        target.add(new Uint8Array(1000 * source.drain()));
        return target.length > 0 ? 'ok' : 'need-more';
      };
      const { filter, under } = overPair(world, { output: inflating });
      under.setWatermarks('write', { high: 64 * KiB });
      filter.write('x'.repeat(1000));
      await world.settle();
      expect(under.output.length).toBe(66 * KiB);
      const tight = createTestBase({ limits: { outputHighWatermark: 64 * KiB, outputMaxBytes: 64 * KiB } });
      const [below, peer] = createPair(tight.base);
      const upper = new FilterBufferevent(below, { output: inflating });
      upper.write('x'.repeat(100));
      const received = new Collector();
      peer.setHandlers({ onRead: (bev) => received.take(bev) });
      peer.enable('read');
      await tight.settle();
      expect(received.data.length).toBe(100_000);
      for (const bev of [upper, peer]) bev.free();
      await tight[Symbol.asyncDispose]();
    });

    it('a doubling filter meets a mark of 4 below with at most one step', async () => {
      const { filter, under } = overPair(world, { output: doubling });
      under.setWatermarks('write', { high: 4 });
      filter.write('0123456789');
      await world.settle();
      expect(under.output.length).toBe(4);
      expect(filter.output.length).toBeGreaterThan(0);
    });
  });
});

describe('the end', () => {
  inWorlds(['memory', ...sockets], (world) => {
    it('FI-7: the input filter is told finished before the end, and may add its tail', async () => {
      const { client, server } = await world.pair({}, {});
      const modes: FlushMode[] = [];
      const filter = world.keep(
        new FilterBufferevent(server, {
          input(source, target, limit, mode) {
            modes.push(mode);
            if (source.length > 0) return passing(source, target, limit, mode);
            if (mode !== 'finished' || modes.filter((each) => each === 'finished').length > 1) return 'need-more';
            target.add('|tail');
            return 'ok';
          },
          handlers: {
            onRead: (bev) => void world.log.push(`read ${text(bev.input.remove(bev.input.length))}`),
            onEvent: (_, { kind }) => void world.log.push(kind),
          },
        }),
      );
      filter.enable('read');
      client.write('body');
      client.halfClose();
      await world.until(() => world.log.includes('eof'), 'the end');
      expect(
        world.log
          .filter((line) => line !== 'eof')
          .map((line) => line.slice(5))
          .join(''),
      ).toBe('body|tail');
      expect(world.log.at(-1)).toBe('eof');
      expect(modes).toContain('finished');
      expect(filter.readEnded).toBe(true);
    });

    it('FI-7: bytes that a filter leaves at the end are an error, not silence', async () => {
      const { client, server } = await world.pair({}, {});
      const filter = world.keep(new FilterBufferevent(server, { input: halving, handlers: world.record('filter') }));
      filter.enable('read');
      client.write('xax');
      client.halfClose();
      await world.until(() => world.log.length >= 2, 'the end');
      expect(world.log).toEqual(['filter read 1', 'filter error ERR_BUFFEREVENT_UNEXPECTED_END read']);
    });

    it('FI-9: the end and a reset below are told as they are, and enabled shows them', async () => {
      const { bev, peer } = await world.accepted({});
      const filter = world.keep(new FilterBufferevent(bev, { handlers: world.record('filter') }));
      filter.enable('read');
      expect(filter.enabled).toEqual(['read', 'write']);
      peer.send('last');
      peer.end();
      await world.until(() => world.log.includes('filter eof'), 'the end');
      expect(world.log).toEqual(['filter read 4', 'filter eof']);
      expect(filter.enabled).toEqual(['write']);
      const other = await world.accepted({});
      const reset = world.keep(new FilterBufferevent(other.bev, { handlers: world.record('other') }));
      reset.enable('read');
      other.peer.reset();
      expect(await reset.closed).toMatchObject({ kind: 'reset', error: { code: 'ECONNRESET' } });
      await world.until(() => world.log.includes('other error ECONNRESET read'), 'the reset');
      expect(world.log.filter((line) => line.startsWith('other'))).toHaveLength(1);
    });

    it('B40, B75: a read that fails below after a write had failed ends who waits for bytes', async () => {
      const injected = [
        { operation: Operation.send, nth: 1, error: 'EPIPE' },
        { operation: Operation.recv, nth: 2, error: 'ECONNRESET' },
      ] as const;
      const base = world.newBase({ backend: withFaults(world.plain, { errors: injected }) });
      const { bev, peer } = await world.accepted({}, { base });
      const lower = world.keep(new FilterBufferevent(bev));
      const filter = world.keep(new FilterBufferevent(lower, { handlers: world.record('filter') }));
      const [bytes, more] = [filter.read(4), rejection(filter.read(1))];
      filter.write('x');
      await world.until(() => world.log.includes('filter error EPIPE write'), 'the failed write');
      peer.send('last');
      expect(text(await bytes)).toBe('last');
      expect(await more).toMatchObject({ code: 'EPIPE' });
      expect(await rejection(filter.read(1))).toMatchObject({ code: 'EPIPE' });
      expect(world.log.filter((line) => line.includes('error'))).toEqual(['filter error EPIPE write']);
    });

    it('FI-9: connected below is connected above, once, and what was written waits for it', async () => {
      const listener = await world.listen({
        onConnection: (bev) => void bev.insertLayer(pass()),
        onRead: (bev) => void bev.write(bev.input),
      });
      const socket = world.keep(new SocketBufferevent(world.base, { handlers: world.record('socket') }));
      const filter = world.keep(new FilterBufferevent(socket, { handlers: world.record('filter') }));
      filter.write('early');
      filter.enable('read');
      socket.connect(ipOf(listener));
      await world.until(() => world.log.includes('filter read 5'), 'the echo');
      expect(world.log[0]).toBe('filter connected');
      expect(world.log.filter((line) => line.endsWith('connected'))).toHaveLength(1);
    });

    it('FI-9: a refused connection is one event of the filter', async () => {
      const socket = world.keep(new SocketBufferevent(world.base));
      const filter = world.keep(new FilterBufferevent(socket, { handlers: world.record('filter') }));
      const listener = await world.listen({});
      const address = ipOf(listener);
      await listener.close();
      socket.connect(address);
      await world.until(() => world.log.length > 0, 'the refusal');
      expect(world.log).toEqual(['filter error ECONNREFUSED']);
      expect(filter.enabled).toEqual(['write']);
    });

    it('FI-10: drained() waits until the system has the bytes, not only the one below', async () => {
      const { bev, peer } = await world.accepted({});
      peer.stopReading();
      const filter = world.keep(new FilterBufferevent(bev));
      bev.setWatermarks('write', { high: 0 });
      const size = world.isMemory ? 128 * KiB : 8 * 1024 * KiB;
      filter.write(pattern(size));
      const drained = filter.drained();
      await world.until(() => bev.output.length > 0, 'the filter to hand down');
      expect(await isPending(drained)).toBe(true);
      peer.readOn();
      await drained;
      expect(bev.output.length).toBe(0);
      await world.until(() => peer.receivedBytes === size, 'all');
    });
  });

  inMemory((world) => {
    it('a filter over a failed or an ended bufferevent tells what has happened', async () => {
      const { bev, peer } = await world.accepted({});
      bev.enable('read');
      peer.send('rest');
      peer.end();
      await world.settle();
      expect(bev.readEnded).toBe(true);
      const filter = world.keep(new FilterBufferevent(bev, { handlers: world.record('filter') }));
      filter.enable('read');
      await world.settle();
      expect(world.log).toEqual(['filter read 4', 'filter eof']);
    });
  });
});

function pass() {
  return { name: 'pass', decode: passing, encode: passing };
}

describe('covering inside a run of callbacks', () => {
  inWorlds(['memory', ...sockets], (world) => {
    it('B100: one that its own handler covers calls back no more in that run; what is left is told above', async () => {
      const { bev, peer } = await world.accepted({});
      const below = world.record('below', {
        onRead(bev) {
          if (bev.input.readLine('lf') !== 'upgrade') return;
          world.keep(new FilterBufferevent(bev, { handlers: world.record('filter') })).enable('read');
        },
      });
      bev.setHandlers(below);
      bev.enable('read');
      bev.trigger('write');
      bev.triggerEvent({ kind: 'peer-closed' });
      bev.input.prepend('upgrade\n');
      bev.trigger('read');
      peer.send('payload');
      peer.end();
      await world.until(() => world.log.includes('filter eof'), 'the end');
      const [first, ...rest] = world.log;
      expect(first).toMatch(/^below read/);
      expect(rest.filter((line) => line.startsWith('below'))).toEqual([]);
      expect(rest.filter((line) => !line.startsWith('filter read'))).toEqual(['filter peer-closed', 'filter eof']);
      expect(bev.freed).toBe(false);
    });
  });

  inMemory((world) => {
    it('B100: an end that waits behind the handler is the end of the filter, behind what came before', async () => {
      const [a, b] = createPair(world.base);
      const below = world.record('below', {
        onRead(bev) {
          bev.input.readLine('lf');
          world.keep(new FilterBufferevent(bev, { handlers: world.record('filter') })).enable('read');
        },
      });
      b.setHandlers(below);
      b.enable('read');
      a.write('STARTTLS\nmore');
      a.halfClose();
      for (const bev of [a, b]) world.keep(bev);
      await world.settle();
      expect(world.log).toEqual(['below read 13', 'filter read 4', 'filter eof']);
    });

    it('B100, B103: what waits for one that the handler of another covers meanwhile is told above', async () => {
      const [first, second] = createPair(world.base, { handlers: [undefined, world.record('below')] });
      const filters: FilterBufferevent[] = [];
      const covering = world.record('first', {
        onEvent() {
          const filter = world.keep(new FilterBufferevent(second, { handlers: world.record('filter') }));
          filter.enable('read');
          filters.push(filter);
        },
      });
      first.setHandlers(covering);
      for (const bev of [first, second]) {
        world.keep(bev);
        bev.setTimeouts({ readMs: 50 });
        bev.enable('read');
        await world.settle();
      }
      await world.advance(50);
      expect(world.log).toEqual(['first timeout read', 'filter timeout read']);
      expect(filters[0]?.enabled).toEqual(['write']);
      filters[0]?.enable('read');
      first.write('later');
      await world.settle();
      expect(world.log).toContain('filter read 5');
    });

    it('B100: a filter that is freed again in the handler leaves the rest of the run to the handlers', async () => {
      const { bev } = await world.accepted({});
      const below = world.record('below', {
        onRead: (bev) => new FilterBufferevent(bev, { closeOnFree: false }).free(),
      });
      bev.setHandlers(below);
      bev.trigger('read', { ignoreWatermarks: true });
      bev.trigger('write');
      bev.triggerEvent({ kind: 'peer-closed' });
      await world.settle();
      expect(world.log).toEqual(['below read 0', 'below write', 'below peer-closed']);
    });

    it('B61: callbacks that waited when it was covered do not keep it from being freed', async () => {
      const [under, peer] = createPair(world.base, { handlers: [world.record('below'), undefined] });
      for (const bev of [under, peer]) world.keep(bev);
      under.trigger('read', { ignoreWatermarks: true });
      const filter = world.keep(new FilterBufferevent(under));
      filter.enable('read');
      peer.free();
      expect(await under.end()).toEqual({ kind: 'clean' });
      await world.settle();
      expect(under.freed).toBe(true);
      expect(world.log).toEqual([]);
    });
  });
});

describe('one below that its owner frees, or that has failed', () => {
  inWorlds(['memory', ...sockets], (world) => {
    it('B104: what its owner frees is one error of the filter, and everything that waits is told', async () => {
      for (const closeOnFree of [true, false]) {
        world.log.length = 0;
        const { bev } = await world.accepted({});
        const filter = world.keep(new FilterBufferevent(bev, { closeOnFree, handlers: world.record('filter') }));
        const top = world.keep(new FilterBufferevent(filter, { handlers: world.record('top') }));
        const waiting = [top.read(), top.readLine(), filter.read()].map(rejection);
        top.disable('write');
        top.write('never sent');
        waiting.push(rejection(top.drained()));
        bev.free();
        for (const error of await Promise.all(waiting)) expect(error).toMatchObject({ code: 'ERR_BUFFEREVENT_FREED' });
        expect(await filter.closed).toEqual({ kind: 'freed' });
        expect(await top.closed).toEqual({ kind: 'freed' });
        expect(top.write('dropped')).toBe(false);
        await world.until(() => world.log.length > 0, 'the event');
        expect(world.log).toEqual(['top error ERR_BUFFEREVENT_FREED read']);
        expect(await top.end()).toEqual({ kind: 'freed' });
      }
    });

    it('B104: a filter that frees the one below, or is freed with it, is told nothing', async () => {
      for (const closeOnFree of [true, false]) {
        const { bev } = await world.accepted({});
        const filter = world.keep(new FilterBufferevent(bev, { closeOnFree, handlers: world.record('filter') }));
        const other = await world.accepted({});
        const freed = world.keep(new FilterBufferevent(other.bev, { closeOnFree, handlers: world.record('freed') }));
        filter.free();
        other.bev.free();
        freed.free();
        bev.free();
        expect([await filter.closed, await freed.closed]).toEqual([{ kind: 'freed' }, { kind: 'freed' }]);
        await turn();
        expect(world.log).toEqual([]);
      }
    });
  });

  inMemory((world) => {
    it('B104: freed from a handler of the filter: what came before is told, then the error', async () => {
      const { filter, under, peer } = overPair(world);
      const above = world.record('filter', { onRead: () => under.free() });
      filter.setHandlers(above);
      filter.enable('read');
      peer.write('last');
      await world.settle();
      expect(world.log).toEqual(['filter read 4', 'filter error ERR_BUFFEREVENT_FREED read']);
      expect(text(contents(filter.input))).toBe('last');
      expect(filter.enabled).toEqual(['write']);
    });

    it('B104: bytes that are lost with it are followed by no end', async () => {
      const { bev, peer } = await world.accepted({});
      bev.enable('read');
      peer.send('never taken');
      peer.end();
      await world.settle();
      const filter = world.keep(new FilterBufferevent(bev, { handlers: world.record('filter') }));
      await world.settle();
      bev.free();
      await world.settle();
      filter.enable('read');
      await world.settle();
      expect(world.log).toEqual(['filter error ERR_BUFFEREVENT_FREED read']);
    });

    it('B104: a failure that was to come behind its bytes is what is told', async () => {
      const { bev, peer } = await world.accepted({});
      bev.watchPeer = true;
      bev.enable('read');
      peer.send('never taken');
      await world.settle();
      const filter = world.keep(new FilterBufferevent(bev, { handlers: world.record('filter') }));
      await world.settle();
      peer.reset();
      await bev.closed;
      expect(world.log).toEqual([]);
      bev.free();
      await world.settle();
      expect(world.log).toEqual(['filter error ECONNRESET read']);
      expect(await filter.closed).toMatchObject({ kind: 'reset' });
    });

    it('B61: end() of the filter is over when the one below is freed meanwhile', async () => {
      const { filter, under } = overPair(world);
      const ended = filter.end();
      await world.settle();
      under.free();
      expect(await ended).toEqual({ kind: 'freed' });
      await world.settle();
      expect(filter.freed).toBe(true);
    });

    it('B67: disposal of the base tells a filter as it tells others: promises, no event', async () => {
      const base = world.newBase();
      const [under] = createPair(base);
      const filter = new FilterBufferevent(under, { handlers: world.record('filter') });
      const waiting = rejection(filter.read());
      await base[Symbol.asyncDispose]();
      expect(await waiting).toMatchObject({ code: 'ERR_BUFFEREVENT_FREED' });
      expect(await filter.closed).toEqual({ kind: 'freed' });
      await world.settle();
      expect(world.log).toEqual([]);
    });

    it('B100: over one that has failed no filter can be made, in whichever direction; over one that connects again it can', async () => {
      const { bev, peer } = await world.accepted({});
      bev.enable('read');
      peer.reset();
      await bev.closed;
      expect(() => new FilterBufferevent(bev)).toThrow(expect.objectContaining({ code: 'ERR_BUFFEREVENT_CLOSED' }));
      const [under, partner] = createPair(world.base);
      world.keep(under);
      partner.free();
      under.write('nowhere');
      await under.closed;
      expect(() => new FilterBufferevent(under)).toThrow(expect.objectContaining({ code: 'ERR_BUFFEREVENT_CLOSED' }));
      const listener = await world.listen({});
      const refusing = await world.listen({});
      const nobody = ipOf(refusing);
      await refusing.close();
      const socket = world.keep(new SocketBufferevent(world.base));
      socket.connect(nobody);
      await socket.closed;
      expect(() => new FilterBufferevent(socket)).toThrow(expect.objectContaining({ code: 'ERR_BUFFEREVENT_CLOSED' }));
      socket.connect(ipOf(listener));
      const filter = world.keep(new FilterBufferevent(socket, { handlers: world.record('filter') }));
      await world.until(() => world.log.includes('filter connected'), 'the connection');
      expect(filter.freed).toBe(false);
    });
  });
});

describe('giving back', () => {
  inWorlds(['memory', ...sockets], (world) => {
    it('FI-11: without closeOnFree the one below comes back with its handlers and what was enabled, and works', async () => {
      for (const reading of [true, false]) {
        world.log.length = 0;
        const { client, server } = await world.pair({}, {});
        const handlers = world.record('server');
        server.setHandlers(handlers);
        if (reading) server.enable('read');
        const enabled = [...server.enabled];
        const filter = world.keep(
          new FilterBufferevent(server, { closeOnFree: false, input: halving, output: doubling }),
        );
        expect(server.handlers).toBe(handlers);
        filter.enable('read');
        client.write('xaxb');
        await world.until(() => filter.input.length === 2, 'the filtered bytes');
        filter.free();
        expect(server.freed).toBe(false);
        expect(server.handlers).toBe(handlers);
        expect(server.enabled).toEqual(enabled);
        server.write('back');
        expect(text(await client.read(4))).toBe('back');
        server.enable('read');
        client.write('plain');
        await world.until(() => server.input.length === 5, 'plain bytes');
        await turn();
        expect(world.log.filter((line) => line.startsWith('server read'))).toEqual(['server read 5']);
      }
    });

    it('FR-4: with closeOnFree, the default, it goes with the filter', async () => {
      const { client, server } = await world.pair({}, {});
      const filter = world.keep(new FilterBufferevent(server));
      client.enable('read');
      filter.free();
      expect(server.freed).toBe(true);
      await world.until(() => client.readEnded, 'the end');
    });

    it('end() of a filter that gives back sends all and leaves the one below open', async () => {
      const { client, server } = await world.pair({}, {});
      const filter = world.keep(new FilterBufferevent(server, { closeOnFree: false, output: doubling }));
      filter.write('ab');
      expect(await filter.end()).toEqual({ kind: 'clean' });
      expect(filter.freed).toBe(true);
      server.write('!');
      expect(text(await client.read(5))).toBe('xaxb!');
    });

    it('dispose is called once, when the filter is freed', async () => {
      const { server } = await world.pair({}, {});
      let disposed = 0;
      const filter = new FilterBufferevent(server, {
        dispose: () => {
          disposed += 1;
        },
      });
      expect(disposed).toBe(0);
      filter.free();
      filter.free();
      await world.until(() => disposed > 0, 'disposal');
      await turn();
      expect(disposed).toBe(1);
    });
  });

  inMemory((world) => {
    it('a second filter over the same bufferevent is refused, and takes nothing over', async () => {
      const { filter, under, peer } = overPair(world);
      expect(() => new FilterBufferevent(under)).toThrow(expect.objectContaining({ code: 'ERR_BUFFEREVENT_COVERED' }));
      peer.write('x');
      expect(text(await filter.read(1))).toBe('x');
      filter.free();
      expect(() => new FilterBufferevent(under)).toThrow(expect.objectContaining({ code: 'ERR_BUFFEREVENT_FREED' }));
    });

    it('B13: malformed arguments throw and take nothing over', async () => {
      const [under] = createPair(world.base);
      world.keep(under);
      for (const wrong of [null, undefined, {}, 5])
        expect(() => new FilterBufferevent(wrong as never)).toThrow(TypeError);
      for (const key of ['input', 'output', 'dispose', 'closeOnFree'] as const) {
        expect(() => new FilterBufferevent(under, { [key]: 5 } as never), key).toThrow(TypeError);
      }
      expect(() => new FilterBufferevent(under, null as never)).toThrow(TypeError);
      world.keep(new FilterBufferevent(under));
    });

    it('a filter over a socket that is not connected can be made and both be freed (regress B33)', async () => {
      for (const order of [0, 1]) {
        const socket = world.keep(new SocketBufferevent(world.base));
        const filter = world.keep(new FilterBufferevent(socket, { closeOnFree: false }));
        const both: Bufferevent[] = [socket, filter];
        both[order]?.free();
        both[1 - order]?.free();
        expect(await Promise.all([socket.closed, filter.closed])).toEqual([{ kind: 'freed' }, { kind: 'freed' }]);
      }
    });

    it('when the one below is freed by somebody else, the filter can still be freed, and moves nothing', async () => {
      const { filter, under } = overPair(world);
      under.free();
      filter.write('nowhere');
      filter.enable('read');
      await world.settle();
      filter.free();
      expect(await filter.closed).toMatchObject({ kind: expect.stringMatching(/freed|error/) });
    });
  });
});

describe('time-outs', () => {
  inMemory((world) => {
    it('FI-12, TO-6: write and read time-outs run only while there is something to do (regress B24, B25)', async () => {
      const [a, b] = createPair(world.base);
      const b1 = world.keep(new FilterBufferevent(a));
      const b2 = world.keep(new FilterBufferevent(b));
      for (const [name, bev] of Object.entries({ b1, b2 })) {
        bev.setHandlers({
          onRead: () => void world.log.push(`${name} read`),
          onWrite: () => void world.log.push(`${name} write`),
          onEvent: (_, event) => {
            if (event.kind === 'timeout')
              world.log.push(`${world.clock.now()} ${name} ${event.timeout} ${event.direction}`);
            else world.log.push(`${name} ${event.kind}`);
          },
        });
      }
      b1.write('1234567');
      b1.setTimeouts({ readMs: 150, writeMs: 100 });
      b1.enable('read', 'write');
      b2.setTimeouts({ readMs: 100, writeMs: 200 });
      b2.enable('write');
      await world.advance(0);
      for (let at = 0; at < 350; at += 10) await world.advance(10);
      expect(world.log.filter((line) => line.startsWith('b2') && !line.endsWith('write'))).toEqual([]);
      expect(world.log.filter((line) => line.includes('b1') && line.includes(' read'))).toEqual(['150 b1 read read']);
      expect(world.log.filter((line) => line.includes('b1 write w'))).toEqual(['100 b1 write write']);
      expect(b1.enabled).toEqual([]);
    });

    it('FI-12: over a socket that is not connected no timer runs (regress B24)', async () => {
      const socket = world.keep(new SocketBufferevent(world.base));
      const filter = world.keep(new FilterBufferevent(socket, { handlers: world.record('filter') }));
      filter.write('1234567');
      filter.setTimeouts({ readMs: 150, writeMs: 100 });
      filter.enable('read', 'write');
      await world.advance(350);
      expect(world.log).toEqual([]);
    });

    it('B55, FI-12: time-outs set before the one below is connected start no connect time-out of the filter', async () => {
      const listener = await world.listen({ onConnection: (bev) => void world.keep(bev).write('late') });
      const socket = world.keep(new SocketBufferevent(world.base));
      const filter = world.keep(new FilterBufferevent(socket, { handlers: world.record('filter') }));
      socket.connect(ipOf(listener));
      filter.setTimeouts({ connectMs: 50 });
      filter.disable('read');
      await world.settle();
      const reading = filter.read(5);
      await world.advance(31_000);
      expect(world.log).toEqual(['filter connected']);
      expect(await isPending(reading)).toBe(true);
      filter.free();
      expect(await rejection(reading)).toMatchObject({ code: 'ERR_BUFFEREVENT_FREED' });
    });

    it('TO-2: bytes that move below are progress of the filter', async () => {
      const { filter, peer, under } = overPair(world, { handlers: world.record('filter') });
      under.setWatermarks('write', { high: 0 });
      filter.setTimeouts({ readMs: 50, writeMs: 50 });
      filter.setHandlers(world.record('filter'));
      filter.write(pattern(10));
      filter.enable('read');
      for (let index = 0; index < 10; index++) {
        peer.write('x');
        await peer.read(1);
        await world.advance(40);
      }
      expect(world.log.filter((line) => line.includes('timeout'))).toEqual([]);
      await world.advance(60);
      expect(world.log.filter((line) => line.includes('timeout'))).toEqual(['filter timeout read']);
    });

    it('B53, B103: a write time-out below is told above, and enabling goes on, also from within the event', async () => {
      for (const within of [true, false]) {
        world.log.length = 0;
        const { bev, peer } = await world.accepted({});
        const filter = world.keep(new FilterBufferevent(bev));
        const then = { onEvent: (bev: Bufferevent) => void (within && bev.enable('write')) };
        const top = world.keep(new FilterBufferevent(filter, { handlers: world.record('top', then) }));
        const size = 256 * KiB;
        peer.stopReading();
        bev.setTimeouts({ writeMs: 50 });
        top.write(pattern(size));
        await world.settle();
        await world.advance(60);
        expect(world.log).toEqual(['top timeout write']);
        if (within) {
          await world.advance(60);
          expect(world.log).toEqual(['top timeout write', 'top timeout write']);
        } else {
          peer.readOn();
          await world.settle();
          expect([top.enabled, filter.enabled, bev.enabled]).toEqual([[], [], []]);
          top.enable('write');
        }
        peer.readOn();
        await world.until(() => peer.receivedBytes === size, 'the rest');
        expect([top.enabled, filter.enabled, bev.enabled]).toEqual([['write'], ['write'], ['write']]);
      }
    });

    it('FR-4: writing that its owner has disabled below stays disabled, whatever the filter enables', async () => {
      const { filter, under, peer } = overPair(world, { closeOnFree: false });
      under.disable('write');
      filter.write('x');
      filter.disable('write');
      filter.enable('write');
      await world.settle();
      expect(under.enabled).toEqual([]);
      under.enable('write');
      expect(text(await peer.read(1))).toBe('x');
    });

    it('FI-9, TO-4: a time-out below is told above, and enabling goes on', async () => {
      const { filter, under, peer } = overPair(world, { handlers: world.record('filter') });
      under.setTimeouts({ readMs: 50 });
      filter.enable('read');
      await world.advance(60);
      expect(world.log).toEqual(['filter timeout read']);
      expect(filter.enabled).toEqual(['write']);
      peer.write('later');
      await world.settle();
      expect(filter.input.length).toBe(0);
      filter.enable('read');
      await world.settle();
      expect(world.log.at(-1)).toBe('filter read 5');
    });
  });
});
