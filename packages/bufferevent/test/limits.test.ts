// Each default limit is reached. The table stands in docs/bufferevent-contract.md.
import { type Bufferevent, connect, defaultLimits, EventBase, listen, SocketBufferevent } from 'bufferevent';
import { createMemoryBackend, MemoryNetwork } from 'bufferevent-backend/memory';
import { describe, expect, it } from 'vitest';
import { KiB, MiB, pattern, same } from './support/bytes.js';
import { sockets } from './support/system-backends.js';
import { isPending, rejection, turn } from './support/wait.js';
import { inMemory, inWorlds, ipOf } from './support/world.js';

it('B32, B71: the defaults are those of the table', () => {
  expect(defaultLimits).toEqual({
    inputHighWatermark: 256 * KiB,
    readMaxBytes: 16 * MiB,
    lineMaxBytes: 64 * KiB,
    outputHighWatermark: 64 * KiB,
    outputMaxBytes: 64 * MiB,
    connectMs: 30_000,
    handshakeMs: 30_000,
    closeMs: 10_000,
    bytesPerTurn: 256 * KiB,
    fileBytesPerTurn: MiB,
  });
  expect(Object.isFrozen(defaultLimits)).toBe(true);
});

describe('input', () => {
  inWorlds(['memory', ...sockets], (world) => {
    it('B23: a high mark of Infinity is none, as in limits, and shows as 0', async () => {
      const { bev, peer } = await world.accepted({ onRead() {} });
      bev.setWatermarks('read', { low: 3, high: Infinity });
      bev.setWatermarks('write', { high: Infinity });
      expect(bev.getWatermarks('read')).toEqual({ low: 3, high: 0 });
      expect(bev.getWatermarks('write')).toEqual({ low: 0, high: 0 });
      bev.enable('read');
      peer.send(new Uint8Array(512 * KiB));
      await world.until(() => bev.input.length === 512 * KiB, 'everything');
      expect(bev.write(new Uint8Array(MiB))).toBe(true);
      for (const marks of [{ low: Infinity }, { high: -Infinity }]) {
        expect(() => bev.setWatermarks('read', marks)).toThrow(RangeError);
      }
      expect(bev.getWatermarks('read')).toEqual({ low: 3, high: 0 });
    });

    it('RD-4: input stops at its default high mark of 256 KiB', async () => {
      const { bev, peer } = await world.accepted({ onRead() {} });
      expect(bev.getWatermarks('read')).toEqual({ low: 0, high: 256 * KiB });
      peer.send(pattern(2 * MiB));
      await world.until(() => bev.input.length === 256 * KiB, 'a full input');
      for (let index = 0; index < 20; index++) await turn();
      expect(bev.input.length).toBe(256 * KiB);
      bev.input.drain(100 * KiB);
      await world.until(() => bev.input.length === 256 * KiB, 'a full input again');
    });

    it('B71: read(n) refuses more than 16 MiB at once, and gives 16 MiB', async () => {
      const { bev, peer } = await world.accepted({});
      const { readMaxBytes } = defaultLimits;
      expect(await rejection(bev.read(readMaxBytes + 1))).toMatchObject({ code: 'ERR_BUFFEREVENT_READ_LIMIT' });
      peer.send(new Uint8Array(readMaxBytes));
      expect((await bev.read(readMaxBytes))?.length).toBe(readMaxBytes);
    });

    it('B72: readLine refuses a line above 64 KiB, and gives one of 64 KiB', async () => {
      const { bev, peer } = await world.accepted({});
      peer.send(`${'x'.repeat(64 * KiB)}\n`);
      expect((await bev.readLine())?.length).toBe(64 * KiB);
      peer.send('y'.repeat(64 * KiB + 2));
      expect(await rejection(bev.readLine())).toMatchObject({ code: 'ERR_BUFFEREVENT_LINE_LIMIT' });
      await bev.read(64 * KiB + 2);
      peer.send('after\n');
      expect(await bev.readLine()).toBe('after');
    });
  });
});

describe('output', () => {
  inWorlds(['memory', ...sockets], (world) => {
    it('WR-4: write answers false above 64 KiB', async () => {
      const { bev } = await world.accepted({});
      bev.disable('write');
      expect(bev.getWatermarks('write')).toEqual({ low: 0, high: 64 * KiB });
      expect(bev.write(new Uint8Array(64 * KiB))).toBe(true);
      expect(bev.write('!')).toBe(false);
      expect(bev.output.length).toBe(64 * KiB + 1);
    });

    it('WR-4: the hard cap of 64 MiB throws, adds nothing, and gives the connection up', async () => {
      const { bev, peer } = await world.accepted(world.record('server'));
      peer.stopReading();
      bev.disable('write');
      const chunk = new Uint8Array(16 * MiB);
      for (let index = 0; index < 4; index++) bev.write(chunk);
      expect(bev.output.length).toBe(64 * MiB);
      expect(() => bev.write('!')).toThrow(expect.objectContaining({ code: 'ERR_BUFFEREVENT_OUTPUT_LIMIT' }));
      expect(world.log).toEqual([]);
      await world.until(() => world.log.length > 0, 'the error');
      expect(world.log).toEqual(['server error ERR_BUFFEREVENT_OUTPUT_LIMIT write']);
      expect(await bev.closed).toMatchObject({ kind: 'error', error: { code: 'ERR_BUFFEREVENT_OUTPUT_LIMIT' } });
      peer.readOn();
      await world.until(() => peer.failure !== null || peer.ended, 'the peer to notice');
      expect(peer.failure, 'the peer is reset, not told of a clean end').not.toBeNull();
      expect(bev.write('more')).toBe(false);
      bev.free();
    });

    it('WR-4: an Evbuffer that would pass the hard cap keeps its bytes', async () => {
      const { Evbuffer } = await import('bufferevent');
      const { bev } = await world.accepted({});
      bev.disable('write');
      for (let index = 0; index < 4; index++) bev.write(new Uint8Array(16 * MiB));
      const source = new Evbuffer();
      source.add('kept');
      expect(() => bev.write(source)).toThrow(expect.objectContaining({ code: 'ERR_BUFFEREVENT_OUTPUT_LIMIT' }));
      expect(source.length).toBe(4);
    });
  });
});

describe('a cap that is met before connecting', () => {
  inMemory(
    (world) => {
      const fills: Record<string, (bev: Bufferevent) => unknown> = {
        'write()': (bev) => {
          const limit = expect.objectContaining({ code: 'ERR_BUFFEREVENT_OUTPUT_LIMIT' });
          expect(() => bev.write(new Uint8Array(101))).toThrow(limit);
        },
        'output.add()': (bev) => bev.output.add(new Uint8Array(101)),
      };
      for (const [name, fill] of Object.entries(fills)) {
        it(`B33, B40: by ${name} it is one error event, and there is no connecting any more`, async () => {
          const listener = await world.listen({ onConnection: () => void world.log.push('accepted') });
          const bev = world.keep(new SocketBufferevent(world.base, { handlers: world.record('client') }));
          fill(bev);
          await world.settle();
          expect(world.log).toEqual(['client error ERR_BUFFEREVENT_OUTPUT_LIMIT write']);
          const closed = expect.objectContaining({ code: 'ERR_BUFFEREVENT_CLOSED' });
          expect(() => bev.connect(ipOf(listener))).toThrow(closed);
          expect(bev.write('more')).toBe(false);
          expect(await bev.closed).toMatchObject({ kind: 'error', error: { code: 'ERR_BUFFEREVENT_OUTPUT_LIMIT' } });
          await world.settle();
          expect(world.log).toHaveLength(1);
          bev.free();
        });
      }
    },
    { limits: { outputMaxBytes: 100 } },
  );
});

describe('no limit at all', () => {
  const unlimited = { inputHighWatermark: Number.POSITIVE_INFINITY, bytesPerTurn: Number.POSITIVE_INFINITY };

  inWorlds(
    ['memory', 'memory with faults', ...sockets],
    (world) => {
      it('B4, RD-10: without a mark and without a budget every byte moves all the same', async () => {
        const { client, server } = await world.pair({}, {}, { server: { enable: ['read', 'write'] } });
        const size = world.bytes(3 * MiB);
        client.write(pattern(size, 1));
        server.write(pattern(size, 2));
        client.enable('read');
        await world.until(() => client.input.length === size && server.input.length === size, 'all bytes');
        expect(same(client.input.remove(size), pattern(size, 2))).toBe(true);
        expect(same(server.input.remove(size), pattern(size, 1))).toBe(true);
      });
    },
    { limits: unlimited },
  );
});

describe('time', () => {
  inMemory((world) => {
    it('EV-6: a connection attempt is given up after 30 s', async () => {
      world.network.blackhole({ ip: '127.0.0.9', port: 0 });
      const connecting = connect({ ip: '127.0.0.9', port: 80 }, {}, { base: world.base });
      const outcome = rejection(connecting);
      await world.advance(29_999);
      expect(await isPending(connecting)).toBe(true);
      await world.advance(1);
      expect(await outcome).toMatchObject({ code: 'ETIMEDOUT', syscall: 'connect', address: '127.0.0.9', port: 80 });
      await world.settle();
      expect(world.base.stats().port).toMatchObject({ streams: 0, pending: 0 });
    });

    it('B61: end() is over after 10 s', async () => {
      const { bev } = await world.accepted({ onRead() {} });
      const ended = bev.end();
      await world.settle();
      await world.advance(9_999);
      expect(await isPending(ended)).toBe(true);
      await world.advance(1);
      expect(await ended).toMatchObject({ kind: 'timeout', timeout: 'close' });
    });

    it('TO-7: no other time-out is on', async () => {
      const { bev } = await world.accepted(world.record('server'));
      const idle = world.keep(new SocketBufferevent(world.base, { handlers: world.record('unconnected') }));
      bev.write('x');
      await world.advance(24 * 3_600_000);
      expect(world.log).toEqual(['server write']);
      idle.free();
    });
  });
});

describe('a turn', () => {
  it('CB-7: a flood moves at most 256 KiB a turn for one connection', async () => {
    const network = new MemoryNetwork({ capacity: 8 * MiB });
    const base = new EventBase({ backend: createMemoryBackend(network) });
    const perTurn: number[] = [0];
    const count = (bytes: number): void => {
      perTurn.push((perTurn.pop() ?? 0) + bytes);
    };
    const accepted: Bufferevent[] = [];
    const listener = await listen(
      { ip: '127.0.0.1', port: 0 },
      {
        onConnection: (bev) => void accepted.push(bev),
        onRead(bev) {
          count(bev.input.length);
          bev.input.drain(bev.input.length);
        },
      },
      { base },
    );
    const bev = await connect(ipOf(listener), {}, { base });
    accepted[0]?.setWatermarks('read', { high: 0 });
    const total = 6 * MiB;
    bev.write(new Uint8Array(total));
    const sum = (): number => perTurn.reduce((left, right) => left + right);
    while (sum() < total && perTurn.length < 10_000) {
      await turn();
      perTurn.push(0);
    }
    expect(sum()).toBe(total);
    expect(Math.max(...perTurn)).toBeLessThanOrEqual(256 * KiB);
    await base[Symbol.asyncDispose]();
  });

  inMemory((world) => {
    it('CB-7: a turn runs a bounded number of callbacks, 1,024 by default', async () => {
      const network = new MemoryNetwork();
      const base = world.newBase({ backend: createMemoryBackend(network) });
      const connections: Bufferevent[] = [];
      for (let index = 0; index < 1500; index++) connections.push(new SocketBufferevent(base));
      let ran = 0;
      for (const bev of connections) {
        bev.setHandlers({
          onRead() {
            ran += 1;
          },
        });
        bev.trigger('read');
      }
      const perTurn: number[] = [];
      while (ran < connections.length && perTurn.length < 1000) {
        const before = ran;
        await turn();
        perTurn.push(ran - before);
      }
      expect(ran).toBe(1500);
      expect(Math.max(...perTurn)).toBe(1024);
    });
  });
});

describe('limits are options', () => {
  it('WR-4: text counts against the hard cap in bytes, not in characters', async () => {
    const base = new EventBase({
      backend: createMemoryBackend(new MemoryNetwork()),
      limits: { outputMaxBytes: 10 },
    });
    const accepted: Bufferevent[] = [];
    const listener = await listen(
      { ip: '127.0.0.1', port: 0 },
      { onConnection: (bev) => void accepted.push(bev) },
      { base },
    );
    for (const [fits, exceeds] of [
      ['éé€xxx', 'y'],
      ['nine byte', 'é'],
    ] as const) {
      const bev = await connect(ipOf(listener), {}, { base });
      bev.disable('write');
      bev.write(fits);
      expect(() => bev.write(exceeds)).toThrow(expect.objectContaining({ code: 'ERR_BUFFEREVENT_OUTPUT_LIMIT' }));
      expect(bev.output.toString()).toBe(fits);
    }
    await base[Symbol.asyncDispose]();
  });

  it('B33, B71: every limit of a base can be changed, and lifted', async () => {
    const network = new MemoryNetwork();
    const backend = createMemoryBackend(network);
    const base = new EventBase({
      backend,
      limits: {
        inputHighWatermark: 100,
        outputHighWatermark: 10,
        readMaxBytes: 50,
        lineMaxBytes: 5,
        outputMaxBytes: 20,
      },
    });
    const listener = await listen(
      { ip: '127.0.0.1', port: 0 },
      { onConnection: (bev) => bev.write('0123456789ab') },
      { base },
    );
    const bev = await connect(ipOf(listener), {}, { base });
    expect(bev.getWatermarks('read').high).toBe(100);
    expect(bev.getWatermarks('write').high).toBe(10);
    expect(await rejection(bev.read(51))).toMatchObject({ code: 'ERR_BUFFEREVENT_READ_LIMIT' });
    expect(await rejection(bev.readLine())).toMatchObject({ code: 'ERR_BUFFEREVENT_LINE_LIMIT' });
    bev.disable('write');
    expect(bev.write('0123456789')).toBe(true);
    expect(bev.write('0123456789')).toBe(false);
    expect(() => bev.write('!')).toThrow(expect.objectContaining({ code: 'ERR_BUFFEREVENT_OUTPUT_LIMIT' }));
    await base[Symbol.asyncDispose]();

    const lifted = new EventBase({
      backend,
      limits: {
        inputHighWatermark: Number.POSITIVE_INFINITY,
        readMaxBytes: Number.POSITIVE_INFINITY,
        outputMaxBytes: Number.POSITIVE_INFINITY,
      },
    });
    const sink = await listen(
      { ip: '127.0.0.1', port: 0 },
      { onConnection: (at) => at.write(pattern(2 * MiB)) },
      { base: lifted },
    );
    const reader = await connect(ipOf(sink), {}, { base: lifted });
    expect(same((await reader.read(2 * MiB)) as Uint8Array, pattern(2 * MiB))).toBe(true);
    await lifted[Symbol.asyncDispose]();
  });
});
