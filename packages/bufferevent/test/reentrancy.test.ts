// The input changes under a waiting pull: by a watch of the user's, by `prepend`, by a time-out. B10, B70–B73, RD-4.
import { type Bufferevent, SocketBufferevent } from 'bufferevent';
import { describe, expect, it } from 'vitest';
import { contents, text } from './support/bytes.js';
import { gatherUncaught } from './support/uncaught.js';
import { rejection } from './support/wait.js';
import { inBothMemories, inMemory, ipOf } from './support/world.js';

describe('a pull made inside a watch', () => {
  inMemory((world) => {
    const pulls: Record<string, (bev: Bufferevent) => Promise<Uint8Array | string | null>> = {
      'read(n)': (bev) => bev.read(2),
      'readLine()': (bev) => bev.readLine('lf'),
    };
    for (const [name, outer] of Object.entries(pulls)) {
      it(`B73: it gets the bytes behind those that ${name} is being served, and both settle`, async () => {
        const { bev, peer } = await world.accepted({});
        const inner: Promise<Uint8Array | null>[] = [];
        const watch = bev.input.watch((_, { removed }) => {
          if (removed === 0) return;
          watch.dispose();
          inner.push(bev.read(3));
        });
        const first = outer(bev);
        peer.send(name === 'read(n)' ? '01234more' : '01\n234more');
        await world.settle();
        const got = await first;
        expect(typeof got === 'string' ? got : text(got)).toBe('01');
        expect(inner).toHaveLength(1);
        expect(text((await inner[0]) as Uint8Array)).toBe('234');
        expect(text(contents(bev.input))).toBe('more');
      });
    }

    it('B73: promises settle in the order of the pulls, also for a pull made while another is served', async () => {
      const { bev, peer } = await world.accepted({});
      const order: string[] = [];
      const watch = bev.input.watch((_, { removed }) => {
        if (removed === 0) return;
        watch.dispose();
        void bev.read(1).then(() => order.push('inner'));
      });
      void bev.read(1).then(() => order.push('outer'));
      peer.send('01');
      await world.settle();
      expect(order).toEqual(['outer', 'inner']);
    });

    it('B73: it takes its turn behind the pulls that wait already', async () => {
      const { bev, peer } = await world.accepted({});
      const pulls = [bev.read(1), bev.read(1)];
      const watch = bev.input.watch((_, { removed }) => {
        if (removed === 0) return;
        watch.dispose();
        pulls.push(bev.read(1));
      });
      peer.send('012');
      await world.settle();
      expect((await Promise.all(pulls)).map(text)).toEqual(['0', '1', '2']);
    });
  });
});

describe('a connect that fails under a pull that lifted the mark', () => {
  inMemory((world) => {
    it('RD-4: leaves the mark in force for the next connection', async () => {
      const listener = await world.listen({ onConnection: (at) => void world.keep(at).write('0123456789') });
      const bev = world.keep(new SocketBufferevent(world.base));
      bev.setWatermarks('read', { high: 10 });
      const pull = rejection(bev.read(100));
      bev.input.prepend('twelve bytes');
      bev.connect({ ip: '127.0.0.1', port: 9 });
      expect(await pull).toMatchObject({ code: 'ECONNREFUSED' });
      bev.enable('read');
      bev.connect(ipOf(listener));
      await world.settle();
      expect(bev.input.length).toBe(12);
      bev.input.drain(7);
      await world.settle();
      expect(bev.input.length).toBe(10);
      bev.input.drain(10);
      await world.settle();
      expect(text(contents(bev.input))).toBe('56789');
    });
  });
});

describe('bytes put in front while a pull waits', () => {
  inBothMemories((world) => {
    it('B72: the line that is found starts with them', async () => {
      const { bev, peer } = await world.accepted({});
      const line = bev.readLine('lf');
      peer.send('world');
      await world.until(() => bev.input.length === 5, 'the first part');
      bev.input.prepend('hello ');
      peer.send('\nnext');
      expect(await line).toBe('hello world');
      expect(text(await bev.read(4))).toBe('next');
    });

    it('B72: a line never contains a line end, also when that was put in front', async () => {
      const { bev, peer } = await world.accepted({});
      const lines = [bev.readLine('crlf'), bev.readLine('crlf')];
      peer.send('cd');
      await world.until(() => bev.input.length === 2, 'the first part');
      bev.input.prepend('a\r\nb');
      expect(await lines[0]).toBe('a');
      peer.send('e\r\n');
      expect(await lines[1]).toBe('bcde');
    });

    it('B70: a read(n) that they satisfy is served', async () => {
      const { bev, peer } = await world.accepted({});
      const pulls = [bev.read(5), bev.read()];
      peer.send('345');
      await world.until(() => bev.input.length === 3, 'the first part');
      bev.input.prepend('012');
      expect(text((await pulls[0]) as Uint8Array)).toBe('01234');
      expect(text((await pulls[1]) as Uint8Array)).toBe('5');
    });
  });

  inMemory((world) => {
    it('RD-4: above the high mark they suspend reading, and draining resumes it', async () => {
      const { bev, peer } = await world.accepted({}, { enable: ['read', 'write'] });
      bev.setWatermarks('read', { high: 10 });
      await world.settle();
      const errors = await gatherUncaught(async () => {
        bev.input.prepend('x'.repeat(25));
        peer.send('0123456789abcdef');
        await world.settle();
        expect(bev.input.length).toBe(25);
        bev.input.drain(10);
        await world.settle();
        expect(bev.input.length).toBe(15);
        bev.input.drain(12);
        await world.settle();
        expect(text(contents(bev.input))).toBe('xxx0123456');
      });
      expect(errors).toEqual([]);
    });
  });
});

describe('a read that lifted the high mark and timed out', () => {
  inMemory((world) => {
    for (const name of ['read', 'idle'] as const) {
      it(`B53, B71: after the ${name} time-out the mark counts again, and reading goes on below it`, async () => {
        const { bev, peer } = await world.accepted(world.record('server', { onEvent: (at) => at.enable('read') }), {
          enable: ['write'],
        });
        bev.setWatermarks('read', { high: 10 });
        bev.setTimeouts(name === 'read' ? { readMs: 50 } : { idleMs: 50 });
        const pull = rejection(bev.read(50));
        peer.send('x'.repeat(30));
        await world.settle();
        expect(bev.input.length).toBe(30);
        const errors = await gatherUncaught(async () => {
          await world.advance(50);
          expect(await pull).toMatchObject({ code: 'ERR_BUFFEREVENT_TIMEOUT', timeout: name });
          expect(world.log).toEqual([`server timeout ${name}`]);
          peer.send('y'.repeat(30));
          await world.settle();
          expect(bev.input.length).toBe(30);
          bev.input.drain(25);
          await world.settle();
          expect(bev.input.length).toBe(10);
        });
        expect(errors).toEqual([]);
      });
    }
  });
});
