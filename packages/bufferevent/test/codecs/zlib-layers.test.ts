// Compressing layers: what passes, when, and what goes wrong.
import {
  type Bufferevent,
  type BuffereventHandlers,
  createPair,
  FilterBufferevent,
  type Layer,
  type SocketBufferevent,
} from 'bufferevent';
import { brotliLayer, deflateLayer, gzipLayer } from 'bufferevent/codecs';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { KiB, MiB, pattern, same, text } from '../support/bytes.js';
import { Program } from '../support/program.js';
import { Collector } from '../support/recorder.js';
import { failure, isPending, turns } from '../support/wait.js';
import { inMemory, onEveryBackend, type World } from '../support/world.js';
import { type Format, foreignTools, formats } from './formats.js';

/** Half of it compresses well, half not at all. */
function payload(length: number, seed = 1): Uint8Array {
  const bytes = pattern(length, seed);
  bytes.fill(seed, 0, length >> 1);
  return bytes;
}

interface Ends {
  readonly client: Bufferevent;
  readonly server: Bufferevent;
}

/** Two ends with a layer each. */
async function layered(
  world: World,
  layer: () => Layer,
  handlers: Partial<Record<keyof Ends, BuffereventHandlers>> = {},
) {
  const ends = await world.pair(handlers.client ?? {}, handlers.server ?? {});
  void ends.client.insertLayer(layer());
  void ends.server.insertLayer(layer());
  return ends;
}

function pairOf(world: World, layer: () => Layer): Ends {
  const [client, server] = createPair(world.base);
  void client.insertLayer(layer());
  void server.insertLayer(layer());
  return { client: world.keep(client), server: world.keep(server) };
}

async function readAll(bev: Bufferevent): Promise<Buffer> {
  const chunks: Uint8Array[] = [];
  for await (const chunk of bev) chunks.push(chunk);
  return Buffer.concat(chunks);
}

describe('regress', () => {
  onEveryBackend((world) => {
    it('regress B30, G1: a deflate filter writes 1800 and 6533 bytes and is flushed; the reader gets 8333 at once', async () => {
      const { client, server } = await world.pair({}, {});
      const writer = new FilterBufferevent(client, {
        layer: deflateLayer({ decompress: false }),
        handlers: world.record('writer'),
      });
      const reader = new FilterBufferevent(server, {
        layer: deflateLayer({ compress: false }),
        handlers: world.record('reader'),
      });
      // Where one byte arrives at a time, zlib answers in pieces.
      if (world.kind === 'memory with faults') reader.setWatermarks('read', { low: 8333 });
      reader.enable('read');
      const sent = new Uint8Array(8333).fill(105);
      writer.write(sent.subarray(0, 1800));
      writer.write(sent.subarray(1800));
      expect(writer.flush('write', 'finished')).toBe(true);
      await world.until(() => world.log.includes('reader read 8333'), 'all bytes');
      expect(same(reader.input.remove(), sent)).toBe(true);
      expect(writer.output.length).toBe(0);
      expect(world.log.filter((line) => !line.endsWith(' write'))).toEqual(['reader read 8333']);
      expect(world.log).toContain('writer write');
      writer.free();
      reader.free();
    });
  });
});

for (const format of formats) {
  describe(`${format.name}`, () => {
    onEveryBackend((world) => {
      it('what is written arrives, both ways, and end() drains the compressor', async () => {
        const { client, server } = await layered(world, format.layer);
        const there = payload(world.bytes(300 * KiB), 1);
        const back = payload(world.bytes(200 * KiB), 2);
        client.write(there);
        server.write(back);
        const ended = [client.end(), server.end()];
        // end() discards what nobody takes: the reads were not there before.
        const [got, answer] = await Promise.all([readAll(server), readAll(client)]);
        expect(same(got, there)).toBe(true);
        expect(same(answer, back)).toBe(true);
        expect(await Promise.all(ended)).toEqual([{ kind: 'clean' }, { kind: 'clean' }]);
      });

      it('a flushed byte arrives without an end, and FI-3: again and again', async () => {
        const { client, server } = await layered(world, format.layer);
        for (const word of ['a', 'b', 'c']) {
          client.write(word);
          client.flush('write', 'flush');
          expect(text(await server.read(1))).toBe(word);
        }
        await client.drained();
      });

      it('autoFlush: what is written arrives as it comes', async () => {
        const { client, server } = await layered(world, () => format.layer({ autoFlush: true }));
        for (const word of ['x', 'y', 'z']) {
          client.write(word);
          expect(text(await server.read(1))).toBe(word);
          server.write(word);
          expect(text(await client.read(1))).toBe(word);
        }
      });

      it('FI-7: a peer that ends in the middle is a truncated stream, after what came before', async () => {
        const { bev, peer } = await world.accepted({});
        void bev.insertLayer(format.layer());
        const bytes = payload(world.bytes(60 * KiB));
        peer.send(format.compress(bytes).subarray(0, -1));
        peer.end();
        const chunks: Uint8Array[] = [];
        const error = await failure(async () => {
          for await (const chunk of bev) chunks.push(chunk);
        });
        expect(error).toMatchObject({ code: 'ERR_BUFFEREVENT_UNEXPECTED_END', cause: { code: 'Z_BUF_ERROR' } });
        const got = Buffer.concat(chunks);
        expect(same(got, bytes.subarray(0, got.length))).toBe(true);
        expect(await bev.closed).toEqual({ kind: 'error', error });
      });

      it('a peer that says nothing at all and ends is a truncated stream', async () => {
        const { bev, peer } = await world.accepted({});
        void bev.insertLayer(format.layer());
        peer.end();
        expect(await failure(() => bev.read())).toMatchObject({ code: 'ERR_BUFFEREVENT_UNEXPECTED_END' });
      });

      it('bytes after the end of the stream are refused, after all that came before', async () => {
        const { bev, peer } = await world.accepted({});
        void bev.insertLayer(format.layer());
        const bytes = payload(world.bytes(40 * KiB));
        const compressed = format.compress(bytes);
        peer.send(compressed);
        expect(same((await bev.read(bytes.length)) as Uint8Array, bytes)).toBe(true);
        peer.send('more');
        expect(await failure(() => bev.read())).toMatchObject({ code: 'ERR_BUFFEREVENT_MALFORMED_INPUT' });
      });
    });

    inMemory((world) => {
      it('without a flush a byte stays in the compressor, and drained() does not wait for it', async () => {
        const { client, server } = await layered(world, format.layer);
        client.write('b');
        const read = server.read();
        await client.drained();
        await turns(200);
        expect(await isPending(read)).toBe(true);
        client.flush('write', 'flush');
        expect(text(await read)).toBe('b');
      });

      it('drained() waits while zlib works', async () => {
        const { client, server } = await layered(world, format.layer);
        const reading = readAll(server);
        client.write(payload(200 * KiB));
        client.halfClose();
        await client.drained();
        expect(client.output.length).toBe(0);
        expect(client.stats().payloadSent).toBe(200 * KiB);
        expect((await reading).length).toBe(200 * KiB);
      });

      it('a direction that is switched off passes unchanged', async () => {
        const { bev, peer } = await world.accepted({});
        void bev.insertLayer(format.layer({ decompress: false }));
        peer.send('as it is');
        expect(text(await bev.read(8))).toBe('as it is');
        bev.write('compressed');
        bev.halfClose();
        await world.until(() => peer.ended, 'the end');
        expect(format.decompress(peer.received).toString()).toBe('compressed');

        const other = await world.accepted({});
        void other.bev.insertLayer(format.layer({ compress: false }));
        other.bev.write('as it is');
        await world.until(() => other.peer.received.length === 8, 'the bytes');
        expect(other.peer.received.toString()).toBe('as it is');
        other.peer.send(format.compress(Buffer.from('compressed')));
        other.peer.end();
        expect((await readAll(other.bev)).toString()).toBe('compressed');
      });

      it('what zlib finds wrong is one error event with its error as the cause', async () => {
        const { bev, peer } = await world.accepted(world.record('bev'));
        void bev.insertLayer(format.layer());
        bev.enable('read');
        peer.send(new Uint8Array(100).fill(0xff));
        expect(await bev.closed).toMatchObject({
          kind: 'error',
          error: { code: 'ERR_BUFFEREVENT_MALFORMED_INPUT', cause: { code: expect.stringMatching(/^(Z_|ERR_)/) } },
        });
        await turns();
        expect(world.log.filter((line) => line.startsWith('bev error'))).toHaveLength(1);
        bev.free();
      });

      it('what is written after flush(finished) fails the connection', async () => {
        const { client, server } = await layered(world, format.layer, { client: world.record('client') });
        client.write('all');
        client.flush('write', 'finished');
        await client.drained();
        expect(text(await server.read(3))).toBe('all');
        client.write('more');
        await client.closed;
        await turns();
        expect(world.log).toContain('client error ERR_BUFFEREVENT_WRITE_AFTER_END write');
      });

      it('end() after flush(finished) is clean, and the stream has ended once', async () => {
        const { client, server } = await layered(world, format.layer);
        client.write('all');
        client.flush('write', 'finished');
        const ended = [client.end(), server.end()];
        expect((await readAll(server)).toString()).toBe('all');
        expect(await Promise.all(ended)).toEqual([{ kind: 'clean' }, { kind: 'clean' }]);
      });

      it('PA-3: flush(finished) tells the partner of a pair the end after all bytes, although zlib takes its time', async () => {
        const { client, server } = pairOf(world, format.layer);
        const bytes = payload(100 * KiB);
        const reading = readAll(server);
        client.write(bytes);
        client.flush('write', 'finished');
        expect(same(await reading, bytes)).toBe(true);
        client.free();
        server.free();
      });

      it('two layers, one over the other, flush one after the other', async () => {
        const [client, server] = createPair(world.base);
        for (const bev of [client, server]) {
          void bev.insertLayer(format.layer());
          void bev.insertLayer(gzipLayer());
        }
        for (const word of ['one', 'two']) {
          client.write(word);
          client.flush('write', 'flush');
          expect(text(await server.read(3))).toBe(word);
        }
        client.write('end');
        client.flush('write', 'finished');
        expect((await readAll(server)).toString()).toBe('end');
        client.free();
        server.free();
      });

      it('filters, one over the other, flush one after the other', async () => {
        const { client, server } = await world.pair({}, {});
        const over = (bev: Bufferevent): FilterBufferevent =>
          new FilterBufferevent(new FilterBufferevent(bev, { layer: gzipLayer() }), { layer: format.layer() });
        const [writer, reader] = [over(client), over(server)];
        writer.write('flushed');
        writer.flush('write', 'flush');
        expect(text(await reader.read(7))).toBe('flushed');
        writer.write(' and ended');
        const ended = [writer.end(), reader.end()];
        expect((await readAll(reader)).toString()).toBe(' and ended');
        expect(await Promise.all(ended)).toEqual([{ kind: 'clean' }, { kind: 'clean' }]);
      });

      it('a rested input rests the decompressor, and FI-5: draining it goes on without another arrival', async () => {
        const { bev, peer } = await world.accepted({});
        void bev.insertLayer(format.layer());
        bev.setWatermarks('read', { high: 1000 });
        bev.enable('read');
        peer.send(format.compress(new Uint8Array(100_000).fill(7)));
        let bytes = 0;
        while (bytes < 100_000) {
          await world.until(() => bev.input.length === Math.min(1000, 100_000 - bytes), `byte ${bytes}`);
          bytes += bev.input.drain(bev.input.length);
        }
        peer.end();
        expect(await bev.read()).toBeNull();
      });

      it('free() at any time leaves nothing behind, and nothing is called afterwards', async () => {
        for (let moment = 0; moment < 40; moment++) {
          const { client, server } = await layered(world, format.layer, {
            client: world.record('client'),
            server: world.record('server'),
          });
          client.enable('read');
          server.enable('read');
          client.write(payload(100 * KiB, moment));
          server.write(payload(100 * KiB, moment));
          client.flush('write', 'flush');
          if (moment % 2 === 1) void server.end();
          await turns(moment);
          client.free();
          server.free();
          const { length } = world.log;
          await turns(5);
          expect(world.log.length).toBe(length);
        }
      });
    });
  });
}

describe('any sizes and marks', () => {
  // Small marks mean a turn for every few bytes: few bytes there.
  const scale = fc.constantFrom({ size: 40, mark: [1, 60] }, { size: 30_000, mark: [4_000, 60_000] });
  const scenario = scale.chain(({ size, mark: [min, max] }) => {
    const mark = fc.oneof(fc.constant(0), fc.integer({ min, max }));
    const chunk = fc.record({
      sizes: fc.array(fc.nat({ max: size }), { maxLength: 4 }),
      flush: fc.constantFrom('normal' as const, 'flush' as const),
    });
    return fc.record({
      format: fc.constantFrom(...formats),
      chunks: fc.array(chunk, { maxLength: 4 }),
      readHigh: mark,
      writeHigh: mark,
      options: fc.record({ chunkSize: fc.integer({ min: 64, max: 20_000 }) }),
      autoFlush: fc.boolean(),
    });
  });

  async function transfers(
    world: World,
    { client, server }: Ends,
    script: typeof scenario extends fc.Arbitrary<infer S> ? S : never,
  ) {
    const { chunks, readHigh, writeHigh } = script;
    server.setWatermarks('read', { high: readHigh });
    client.setWatermarks('write', { high: writeHigh });
    const sent: Uint8Array[] = [];
    const collector = new Collector();
    server.setHandlers({ onRead: collector.take });
    server.enable('read');
    for (const { sizes, flush } of chunks) {
      for (const size of sizes) {
        const piece = payload(world.bytes(size), sent.length);
        sent.push(piece);
        client.write(piece);
      }
      client.flush('write', flush);
      if (flush === 'flush') {
        const total = sent.reduce((sum, { length }) => sum + length, 0);
        await world.until(() => collector.bytes === total, 'what was flushed');
      }
    }
    const ended = [client.end(), server.end()];
    expect(await Promise.all(ended)).toEqual([{ kind: 'clean' }, { kind: 'clean' }]);
    expect(same(collector.data, Buffer.concat(sent))).toBe(true);
  }

  onEveryBackend((world) => {
    it('the bytes that arrive are those that were written', async () => {
      await fc.assert(
        fc.asyncProperty(scenario, async (script) => {
          const { format, options, autoFlush } = script;
          const layer = (): Layer => format.layer({ compress: options, decompress: options, autoFlush });
          await transfers(world, await layered(world, layer), script);
        }),
        { numRuns: world.kind === 'memory' ? 60 : 25 },
      );
    }, 60_000);
  });

  inMemory((world) => {
    it('over a pair, too', async () => {
      await fc.assert(
        fc.asyncProperty(scenario, async (script) => {
          const { format, options, autoFlush } = script;
          const layer = (): Layer => format.layer({ compress: options, decompress: options, autoFlush });
          await transfers(world, pairOf(world, layer), script);
        }),
        { numRuns: 60 },
      );
    }, 60_000);
  });
});

describe('with the programs of the system', () => {
  inMemory((world) => {
    for (const tool of foreignTools) {
      it.skipIf(!tool.isHere)(`${tool.name} reads what we write, and the other way round`, async () => {
        const bytes = payload(300 * KiB);
        const { bev, peer } = await world.accepted({});
        void bev.insertLayer(tool.format.layer({ compress: { level: 9 } }));
        bev.write(bytes.subarray(0, 1000));
        bev.flush('write', 'flush');
        bev.write(bytes.subarray(1000));
        bev.halfClose();
        await world.until(() => peer.ended, 'the end');
        expect(same(tool.decompress(peer.received), bytes)).toBe(true);
        peer.send(tool.compress(bytes));
        peer.end();
        expect(same(await readAll(bev), bytes)).toBe(true);
      });
    }

    it('a gzip file of several members is read as one', async () => {
      const gzip = formats[2] as Format;
      const { bev, peer } = await world.accepted({});
      void bev.insertLayer(gzip.layer());
      peer.send(gzip.compress(Buffer.from('one, ')));
      expect(text(await bev.read(5))).toBe('one, ');
      peer.send(Buffer.concat([gzip.compress(Buffer.from('two, ')), gzip.compress(Buffer.from('three'))]));
      peer.end();
      expect((await readAll(bev)).toString()).toBe('two, three');
    });
  });
});

/** Two rounds of connections, each freed and none collected: bytes that the process grew by after one and after both. */
const rounds = `
  import { createPair } from 'bufferevent';
  import { deflateLayer } from 'bufferevent/codecs';
  const turns = async () => { for (let i = 0; i < 60; i++) await new Promise((resolve) => setImmediate(resolve)); };
  const held = [];
  const idle = process.memoryUsage.rss();
  const grown = [];
  for (let round = 0; round < 2; round++) {
    const ends = [];
    for (let i = 0; i < 300; i++) {
      const [client, server] = createPair();
      for (const bev of [client, server]) void bev.insertLayer(deflateLayer());
      client.write('x'.repeat(1000));
      ends.push(client, server);
    }
    await turns();
    grown.push(process.memoryUsage.rss() - idle);
    for (const bev of ends) bev.free();
    held.push(ends);
    await turns();
  }
  console.log(JSON.stringify(grown));
`;

describe('memory', () => {
  it('free() gives the memory of zlib back, not the garbage collector', async () => {
    const { stdout, stderr } = await new Program(rounds).outcome;
    expect(stderr).toBe('');
    const [once = 0, twice = 0] = JSON.parse(stdout) as number[];
    expect(once).toBeGreaterThan(40 * MiB);
    expect(twice).toBeLessThan(1.5 * once);
  });

  /** 1 MiB that decompresses to 1 GiB. */
  function bomb(): Buffer {
    const member = (formats[2] as Format).compress(new Uint8Array(64 * MiB));
    return Buffer.concat(new Array<Buffer>(16).fill(member));
  }

  inMemory((world) => {
    it('1 GiB out of 1 MiB passes a mark of 64 KiB in bounded memory', async () => {
      const { bev, peer } = await world.accepted({});
      void bev.insertLayer(gzipLayer());
      const high = 64 * KiB;
      bev.setWatermarks('read', { high });
      let bytes = 0;
      let mostWaiting = 0;
      let mostMemory = 0;
      const memory = (): number => {
        const { heapUsed, external } = process.memoryUsage();
        return heapUsed + external;
      };
      const explosive = bomb();
      global.gc?.();
      const before = memory();
      bev.setHandlers({
        onRead() {
          mostWaiting = Math.max(mostWaiting, bev.input.length);
          bytes += bev.input.drain(bev.input.length);
          if (bytes % (64 * MiB) < high) {
            global.gc?.();
            mostMemory = Math.max(mostMemory, memory() - before);
          }
        },
      });
      bev.enable('read');
      peer.send(explosive);
      peer.end();
      await world.until(() => bev.readEnded, 'the end', 60_000);
      expect(bytes).toBe(2 ** 30);
      expect(mostWaiting).toBeLessThanOrEqual(high);
      expect(mostMemory).toBeLessThan(8 * MiB);
    }, 90_000);

    it('while nobody reads, a bomb does not go off', async () => {
      const { bev, peer } = await world.accepted({});
      void bev.insertLayer(gzipLayer());
      bev.setWatermarks('read', { high: 1000 });
      bev.enable('read');
      peer.send(bomb());
      await world.until(() => bev.input.length === 1000, 'a full input');
      global.gc?.();
      const before = process.memoryUsage().external;
      await turns(500);
      global.gc?.();
      expect(bev.input.length).toBe(1000);
      expect(process.memoryUsage().external - before).toBeLessThan(MiB);
      bev.free();
    });

    it('1,000 connections with compressors leave no memory when they are freed', async () => {
      const use = async (count: number): Promise<number> => {
        for (let index = 0; index < count; index++) {
          const [client, server] = createPair(world.base);
          for (const bev of [client, server]) void bev.insertLayer(index % 2 === 0 ? deflateLayer() : brotliLayer());
          client.write(pattern(1000));
          client.flush('write', 'flush');
          if (index % 3 > 0) await server.read(1000);
          client.free();
          server.free();
        }
        await turns();
        global.gc?.();
        await turns();
        global.gc?.();
        return process.memoryUsage().rss;
      };
      await use(200);
      const before = await use(200);
      expect((await use(1000)) - before).toBeLessThan(48 * MiB);
    }, 60_000);
  });
});

describe('mistakes', () => {
  inMemory((world) => {
    it('options that are none, or that zlib refuses, throw at once', () => {
      for (const { layer } of formats) {
        expect(() => layer(null as never)).toThrow(TypeError);
        expect(() => layer({ compress: 9 as never })).toThrow(TypeError);
        expect(() => layer({ autoFlush: 'yes' as never })).toThrow(TypeError);
        expect(() => layer({ decompress: { chunkSize: 1 } })).toThrow(RangeError);
      }
      expect(() => gzipLayer({ compress: { level: 99 } })).toThrow(RangeError);
    });

    it('a layer belongs to one connection; a filter that is refused one leaves all as it was', async () => {
      const handlers = world.record('client');
      const { client, server } = await world.pair(handlers, {});
      const layer = gzipLayer();
      const other: SocketBufferevent = (await world.pair({}, {})).client;
      void other.insertLayer(layer);
      expect(() => client.insertLayer(layer)).toThrow(TypeError);
      expect(() => new FilterBufferevent(client, { layer })).toThrow(TypeError);
      expect(client.handlers).toBe(handlers);
      expect(client.layers).toEqual([]);
      server.write('plain');
      expect(text(await client.read(5))).toBe('plain');
      const filter = new FilterBufferevent(client, { layer: gzipLayer({ autoFlush: true }) });
      filter.write('good');
      void server.insertLayer(gzipLayer());
      expect(text(await server.read(4))).toBe('good');
      filter.free();
    });

    it('a filter takes a layer, or functions, but not both', async () => {
      const { client } = await world.pair({}, {});
      expect(() => new FilterBufferevent(client, { layer: gzipLayer(), input: () => 'ok' })).toThrow(TypeError);
      expect(() => new FilterBufferevent(client, { layer: {} as never })).toThrow(TypeError);
    });
  });
});
