// Filters over filters: end, pressure, drain and time-outs go through the whole stack.
import { type Bufferevent, createPair, FilterBufferevent, type FilterOptions } from 'bufferevent';
import { ToyLayer } from 'bufferevent/compliance';
import { describe, expect, it } from 'vitest';
import { contents, KiB, MiB, pattern, same } from './support/bytes.js';
import { doubling, halving } from './support/filters.js';
import { Collector } from './support/recorder.js';
import { ScriptedFile } from './support/scripted-file.js';
import { sockets } from './support/system-backends.js';
import { isPending, rejection } from './support/wait.js';
import { inMemory, inWorlds, onEveryBackend, type World } from './support/world.js';

/** `height` filters over `base`, from the lowest to the top. */
function stackOver(world: World, base: Bufferevent, height: number, options: FilterOptions = {}): FilterBufferevent[] {
  const stack: FilterBufferevent[] = [];
  for (let below = base; stack.length < height; below = stack.at(-1) as FilterBufferevent) {
    stack.push(world.keep(new FilterBufferevent(below, { input: halving, output: doubling, ...options })));
  }
  return stack;
}

function top(stack: readonly FilterBufferevent[]): FilterBufferevent {
  return stack.at(-1) as FilterBufferevent;
}

async function everything(bev: Bufferevent): Promise<Buffer> {
  const collector = new Collector();
  for await (const chunk of bev) collector.chunks.push(chunk);
  return collector.data;
}

onEveryBackend((world) => {
  it('FI-10: end() of a stack of three drains all of it and closes clean on both sides', async () => {
    const { client, server } = await world.pair({}, {});
    const near = stackOver(world, client, 3);
    const far = stackOver(world, server, 3);
    const size = world.bytes(100 * KiB);
    top(near).write(pattern(size));
    const ended = top(near).end();
    expect(same(await everything(top(far)), pattern(size))).toBe(true);
    expect(await top(far).end()).toEqual({ kind: 'clean' });
    expect(await ended).toEqual({ kind: 'clean' });
    for (const bev of [client, server, ...near, ...far]) expect(bev.freed).toBe(true);
    expect(await client.closed).toEqual({ kind: 'clean' });
  });

  it('FI-10, B61: end() of filters whose layers mark their ends is clean, over one, and over filters that mark theirs', async () => {
    for (const height of [1, 2, 3]) {
      const { client, server } = await world.pair({}, {});
      const [near, far] = [client, server].map((bev) => {
        let bevs: Bufferevent = bev;
        for (let i = 0; i < height; i++) bevs = world.keep(new FilterBufferevent(bevs, { layer: new ToyLayer() }));
        return bevs;
      }) as [Bufferevent, Bufferevent];
      near.write('all of it');
      const ended = near.end();
      expect(`${await everything(far)}`).toBe('all of it');
      expect(await far.end()).toEqual({ kind: 'clean' });
      expect(await ended).toEqual({ kind: 'clean' });
      expect(client.freed && server.freed).toBe(true);
    }
  });

  it('FI-10, FR-4: end() of a filter that marks its end and gives back is clean while the one below goes on', async () => {
    const { client, server } = await world.pair({}, {});
    const over = (bev: Bufferevent) =>
      world.keep(new FilterBufferevent(bev, { layer: new ToyLayer(), closeOnFree: false }));
    const near = over(client);
    const far = over(server);
    near.write('secret');
    const ended = near.end();
    expect(`${await everything(far)}`).toBe('secret');
    expect(await far.end()).toEqual({ kind: 'clean' });
    expect(await ended).toEqual({ kind: 'clean' });
    client.write('in the open');
    expect(`${await server.read(11)}`).toBe('in the open');
  });

  it('FI-10: drained() of the top resolves when the system has every byte', async () => {
    const { bev, peer } = await world.accepted({});
    const stack = stackOver(world, bev, 3);
    const size = world.bytes(40 * KiB);
    top(stack).write(pattern(size));
    await top(stack).drained();
    for (const each of [bev, ...stack]) expect(each.output.length).toBe(0);
    await world.until(() => peer.receivedBytes === size * 8, 'all bytes');
  });
});

inWorlds(['memory', ...sockets], (world) => {
  it('WR-4: a peer that does not read is felt at the top, and each level holds a bounded part', async () => {
    const { bev, peer } = await world.accepted({});
    const stack = stackOver(world, bev, 3);
    peer.stopReading();
    for (let index = 0; index < 16; index++) top(stack).write(pattern(256 * KiB, index));
    await world.until(() => bev.stats().bytesSent > 0, 'the first bytes');
    expect(top(stack).write('more')).toBe(false);
    for (const each of [bev, ...stack.slice(0, -1)]) expect(each.output.length).toBeLessThanOrEqual(64 * KiB);
    top(stack).free();
    expect(bev.freed).toBe(true);
  });

  it('RD-4: an input at its mark stops the whole stack, and a drain moves it on', async () => {
    const { client, server } = await world.pair({}, {});
    const far = stackOver(world, server, 3);
    const near = stackOver(world, client, 3);
    top(far).setWatermarks('read', { high: 1000 });
    top(far).enable('read');
    const size = 300 * KiB;
    top(near).write(pattern(size));
    top(near).halfClose();
    await world.until(() => top(far).input.length === 1000, 'a full input');
    const chunks: Uint8Array[] = [];
    while (!top(far).readEnded || top(far).input.length > 0) {
      const { input } = top(far);
      if (input.length > 0) chunks.push(input.remove(input.length));
      else await world.until(() => input.length > 0 || top(far).readEnded, 'more');
      expect(input.length).toBeLessThanOrEqual(1000);
    }
    expect(same(Buffer.concat(chunks), pattern(size))).toBe(true);
  });

  it('FR-4, FI-11: freeing the top of a stack that gives back leaves each level to its user', async () => {
    const { client, server } = await world.pair({}, {});
    const near = stackOver(world, client, 3, { closeOnFree: false });
    for (let level = 3; level > 0; level--) {
      const speaker = near[level - 1] as FilterBufferevent;
      speaker.write('x');
      await speaker.drained();
      speaker.free();
      expect(near.map(({ freed }) => freed)).toEqual([0, 1, 2].map((index) => index >= level - 1));
    }
    client.write('.');
    expect(Buffer.from((await server.read(15)) as Uint8Array).toString()).toBe(`${'x'.repeat(14)}.`);
  });

  it('EV-4: a reset below is one error at the top, and everything can be freed', async () => {
    const { bev, peer } = await world.accepted({});
    const stack = stackOver(world, bev, 3);
    top(stack).setHandlers(world.record('top'));
    top(stack).enable('read');
    peer.reset();
    expect(await top(stack).closed).toMatchObject({ kind: 'reset' });
    await world.until(() => world.log.length > 0, 'the error');
    expect(world.log).toEqual(['top error ECONNRESET read']);
    top(stack).free();
  });

  it('a file at the top of a stack is read without blocking and arrives whole', async () => {
    const { client, server } = await world.pair({}, {});
    const near = stackOver(world, client, 2);
    const far = stackOver(world, server, 2);
    const content = pattern(150 * KiB);
    const file = new ScriptedFile(content);
    top(near).output.addFileSegment(file);
    const ended = top(near).end();
    expect(same(await everything(top(far)), content)).toBe(true);
    await top(far).end();
    expect(await ended).toEqual({ kind: 'clean' });
    expect(file.users).toBe(0);
  });
});

inMemory((world) => {
  describe('closing', () => {
    it('B61: the close deadline of the top is over the whole stack', async () => {
      const [a, b] = createPair(world.base);
      world.keep(a);
      world.keep(b).setHandlers(world.record('b'));
      const stack = stackOver(world, a, 3);
      top(stack).setTimeouts({ closeMs: 100 });
      top(stack).write('never read');
      const ended = top(stack).end();
      await world.advance(99);
      expect(await isPending(ended)).toBe(true);
      await world.advance(1);
      expect(await ended).toMatchObject({ kind: 'timeout', timeout: 'close' });
      for (const each of [a, ...stack]) expect(each.freed).toBe(true);
      b.enable('read');
      await world.settle();
      expect(world.log.at(-1)).toBe('b error ECONNRESET read');
    });

    it('B55: bytes that leave below are progress of end() at the top', async () => {
      const [a, b] = createPair(world.base);
      world.keep(a);
      world.keep(b).setWatermarks('read', { high: 100 });
      const stack = stackOver(world, a, 3);
      top(stack).setTimeouts({ closeMs: 100 });
      top(stack).write(pattern(100));
      const ended = top(stack).end();
      b.enable('read');
      let taken = 0;
      while (taken < 800) {
        await world.advance(90);
        expect(await isPending(ended)).toBe(true);
        expect(b.input.length).toBe(100);
        taken += 100;
        b.input.drain(100);
      }
      await world.settle();
      expect(b.readEnded).toBe(true);
      b.halfClose();
      expect(await ended).toEqual({ kind: 'clean' });
    });

    it('the end is refused to no level: each is told finished, from the transport up (FI-7)', async () => {
      const [a, b] = createPair(world.base);
      world.keep(a);
      const finished: string[] = [];
      const low = world.keep(
        new FilterBufferevent(b, {
          input(source, target, limit, mode) {
            if (mode === 'finished' && !finished.includes('low')) {
              finished.push('low');
              target.add('!');
              return 'ok';
            }
            return source.moveTo(target, limit) > 0 ? 'ok' : 'need-more';
          },
        }),
      );
      const high = world.keep(
        new FilterBufferevent(low, {
          input(source, target, limit, mode) {
            if (mode === 'finished') finished.push('high');
            return source.moveTo(target, limit) > 0 ? 'ok' : 'need-more';
          },
          handlers: world.record('high'),
        }),
      );
      high.enable('read');
      a.write('data');
      a.halfClose();
      await world.settle();
      expect(finished.slice(0, 2)).toEqual(['low', 'high']);
      expect(contents(high.input).toString()).toBe('data!');
      expect(world.log.at(-1)).toBe('high eof');
      expect(low.readEnded).toBe(true);
    });

    it('B68: after a clean end what nobody took stays in the input of the top', async () => {
      const [a, b] = createPair(world.base);
      world.keep(b);
      const stack = stackOver(world, a, 2);
      b.write('xxxaxxxb');
      b.halfClose();
      expect(await top(stack).end()).toEqual({ kind: 'clean' });
      expect(top(stack).freed).toBe(false);
      expect(Buffer.from((await top(stack).read()) as Uint8Array).toString()).toBe('ab');
      expect(await top(stack).read()).toBeNull();
      await world.settle();
      expect(top(stack).freed).toBe(true);
    });
  });

  it('EV-4: a write that fails below rejects drained() of the top', async () => {
    const [a, b] = createPair(world.base);
    world.keep(a);
    const stack = stackOver(world, a, 3);
    top(stack).setHandlers(world.record('top'));
    b.free();
    top(stack).write('lost');
    const drained = rejection(top(stack).drained());
    await world.settle();
    expect(await drained).toMatchObject({ code: 'EPIPE' });
    expect(world.log.filter((line) => line.includes('error'))).toEqual(['top error EPIPE write']);
  });

  it('TO-3: the write time-out of the top runs while its bytes wait anywhere below', async () => {
    const [a, b] = createPair(world.base);
    world.keep(a);
    world.keep(b);
    const stack = stackOver(world, a, 3);
    top(stack).setHandlers({ onEvent: world.record('top').onEvent });
    top(stack).setTimeouts({ writeMs: 50 });
    await world.advance(100);
    expect(world.log).toEqual([]);
    top(stack).write('x');
    await world.advance(49);
    expect(world.log).toEqual([]);
    await world.advance(1);
    expect(world.log).toEqual(['top timeout write']);
  });

  it('megabytes pass through a stack in both directions at once', async () => {
    const [a, b] = createPair(world.base);
    const near = top(stackOver(world, a, 3));
    const far = top(stackOver(world, b, 3));
    const size = MiB;
    near.write(pattern(size, 1));
    far.write(pattern(size, 2));
    const [atFar, atNear] = await Promise.all([far.read(size), near.read(size)]);
    expect(same(atFar as Uint8Array, pattern(size, 1))).toBe(true);
    expect(same(atNear as Uint8Array, pattern(size, 2))).toBe(true);
  });
});
