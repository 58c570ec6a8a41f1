// Changing the descriptor of a connection: B120–B123. Where a backend has descriptors; memory and epoll do.
import {
  type Layer,
  type LayerHost,
  type LookupAddress,
  SocketBufferevent,
  type SocketBuffereventOptions,
} from 'bufferevent';
import type { Backend, Handle } from 'bufferevent-backend';
import { PortDecorator, withFaults } from 'bufferevent-backend/memory';
import type { Evbuffer } from 'evbuffer';
import { describe, expect, it } from 'vitest';
import { text } from './support/bytes.js';
import { count } from './support/recorder.js';
import { isPending, rejection, turns } from './support/wait.js';
import { inMemory, inWorlds, ipOf, type World, whereDescriptors } from './support/world.js';

/** A connection over one of two connected descriptors, and the other end. */
async function onDescriptor(world: World, options: SocketBuffereventOptions = {}) {
  const [mine, other] = await world.socketPair();
  const bev = world.keep(new SocketBufferevent(world.base, { descriptor: mine, ...options }));
  return { bev, mine, peer: world.keep(new SocketBufferevent(world.base, { descriptor: other })) };
}

describe('setDescriptor', () => {
  whereDescriptors((world) => {
    it('B120: gives a connection to an object that had none, without an event; what was queued is sent', async () => {
      const bev = world.keep(new SocketBufferevent(world.base, { handlers: world.record('mine') }));
      bev.enable('read');
      bev.write('queued before');
      expect(bev.descriptor).toBe(-1);
      const [mine, other] = await world.socketPair();
      await bev.setDescriptor(mine);
      expect(bev.descriptor).toBe(mine);
      expect([...bev.enabled].sort()).toEqual(['read', 'write']);
      const peer = world.keep(new SocketBufferevent(world.base, { descriptor: other }));
      expect(text(await peer.read(13))).toBe('queued before');
      peer.write('hello');
      await world.until(() => bev.input.length === 5, 'an answer');
      expect(world.log.filter((line) => !line.startsWith('mine read'))).toEqual(['mine write']);
      bev.free();
      peer.free();
      await world.until(() => world.openDescriptors === 0, 'every descriptor to be closed');
    });

    it('B120: the old descriptor stays open and is the caller’s, with every byte that was not received', async () => {
      const { bev, mine, peer } = await onDescriptor(world, { handlers: world.record('bev') });
      bev.enable('read');
      peer.write('first');
      await world.until(() => bev.input.length === 5, 'bytes');
      const [next, other] = await world.socketPair();
      const released = bev.setDescriptor(next);
      expect(bev.descriptor).toBe(next);
      await released;
      peer.write('second');
      if (world.isMemory) await world.settle();
      expect(bev.input.length).toBe(5);
      const again = world.keep(new SocketBufferevent(world.base, { descriptor: mine }));
      expect(text(await again.read(6))).toBe('second');
      const newPeer = world.keep(new SocketBufferevent(world.base, { descriptor: other }));
      newPeer.write('third');
      await world.until(() => bev.input.length === 10, 'bytes of the new peer');
      expect(text(bev.input.remove(10))).toBe('firstthird');
      expect(world.log.every((line) => line.startsWith('bev read'))).toBe(true);
      for (const one of [bev, again, peer, newPeer]) one.free();
      await world.until(() => world.openDescriptors === 0, 'every descriptor to be closed');
    });

    it('B120, RD-7: the peer is watched behind the new descriptor as it was behind the old one', async () => {
      const { bev, peer } = await onDescriptor(world, { handlers: world.record('bev') });
      bev.watchPeer = true;
      await turns(5);
      const [next, other] = await world.socketPair();
      const newPeer = world.keep(new SocketBufferevent(world.base, { descriptor: other }));
      await bev.setDescriptor(next);
      peer.free();
      if (world.isMemory) await world.settle();
      await turns(5);
      expect(world.log).toEqual([]);
      void newPeer.end();
      await world.until(() => world.log.includes('bev peer-closed'), 'the close of the new peer');
      bev.free();
    });

    it('B120: what the system took before the change is not sent twice, and the rest goes to the new peer', async () => {
      const pattern = Uint8Array.from({ length: 40 }, (_, index) => 48 + index);
      for (let steps = 0; steps < 16; steps++) {
        const { bev, mine, peer } = await onDescriptor(world);
        const [next, other] = await world.socketPair();
        bev.write(pattern);
        await turns(steps);
        await bev.setDescriptor(next);
        const newPeer = world.keep(new SocketBufferevent(world.base, { descriptor: other }));
        const old = world.keep(new SocketBufferevent(world.base, { descriptor: mine }));
        old.halfClose();
        bev.halfClose();
        const chunks: Uint8Array[] = [];
        for (const end of [peer, newPeer]) for await (const chunk of end) chunks.push(chunk);
        expect(text(Buffer.concat(chunks)), `after ${steps} turns`).toBe(text(pattern));
        for (const one of [bev, old, peer, newPeer]) one.free();
      }
    });

    it('B121: -1 leaves the object without a connection; it may get another one or connect', async () => {
      const { bev, mine, peer } = await onDescriptor(world, { handlers: world.record('bev') });
      bev.enable('read');
      peer.write('bytes');
      await world.until(() => bev.input.length === 5, 'bytes');
      bev.write('kept');
      await bev.setDescriptor(-1);
      expect(bev.descriptor).toBe(-1);
      expect(bev.address).toEqual({ local: null, peer: null });
      expect(bev.input.length).toBe(5);
      await bev.setDescriptor(-1);
      world.closeDescriptor(mine);
      const sent = 'kept'.length - bev.output.length;
      const listener = await world.listen({ ...world.record('server'), onConnection: (at) => void world.keep(at) });
      world.log.length = 0;
      bev.connect(ipOf(listener));
      await world.until(() => world.log.includes('bev connected'), 'the connection');
      if (sent < 4) await world.until(() => world.log.includes(`server read ${4 - sent}`), 'what was kept');
      bev.free();
      peer.free();
    });

    it('B121: at whatever moment a descriptor is given up, each byte is in the input or still to be received', async () => {
      for (let steps = 0; steps < 12; steps++) {
        for (const to of ['none', 'another']) {
          const { bev, mine, peer } = await onDescriptor(world);
          const [next, other] = await world.socketPair();
          bev.enable('read');
          await turns(2);
          peer.write('0123456789');
          await turns(steps);
          await bev.setDescriptor(to === 'none' ? -1 : next);
          if (to === 'none') world.closeDescriptor(next);
          const here = text(bev.input.remove(bev.input.length)) as string;
          const again = world.keep(new SocketBufferevent(world.base, { descriptor: mine }));
          const there = here.length === 10 ? '' : text(await again.read(10 - here.length));
          expect(here + there, `after ${steps} turns, to ${to}`).toBe('0123456789');
          world.closeDescriptor(other);
          for (const one of [bev, again, peer]) one.free();
        }
      }
    });

    it('B121: freed at any moment of a change, everything is given back', async () => {
      for (let steps = 0; steps < 12; steps++) {
        const { bev, mine, peer } = await onDescriptor(world);
        const [next, other] = await world.socketPair();
        bev.enable('read');
        bev.write('x'.repeat(world.bytes(40_000)));
        await world.until(() => bev.output.length < world.bytes(40_000), 'something to be sent');
        const released = bev.setDescriptor(steps % 2 === 0 ? next : -1);
        if (steps % 2 === 1) world.closeDescriptor(next);
        await turns(steps >> 1);
        bev.free();
        await released;
        await bev.end();
        expect(bev.output.length).toBe(0);
        world.closeDescriptor(mine);
        world.closeDescriptor(other);
        peer.free();
        await world.until(() => world.openDescriptors === 0, `every descriptor to be closed, after ${steps} turns`);
      }
    });

    it('B120: several changes in a row end with the last, and each descriptor is given back', async () => {
      const { bev, mine, peer } = await onDescriptor(world);
      const pairs = [await world.socketPair(), await world.socketPair(), await world.socketPair()] as const;
      bev.write('for the last');
      const released = pairs.map(([descriptor]) => bev.setDescriptor(descriptor));
      await Promise.all(released);
      expect(bev.descriptor).toBe(pairs[2][0]);
      const last = world.keep(new SocketBufferevent(world.base, { descriptor: pairs[2][1] }));
      expect(text(await last.read(12))).toBe('for the last');
      for (const descriptor of [mine, pairs[0][0], pairs[0][1], pairs[1][0], pairs[1][1]]) {
        world.closeDescriptor(descriptor);
      }
      for (const one of [bev, peer, last]) one.free();
      await world.until(() => world.openDescriptors === 0, 'every descriptor to be closed');
    });

    it('B122: replaceDescriptor closes the old one', async () => {
      const { bev, peer } = await onDescriptor(world);
      const [next, other] = await world.socketPair();
      await bev.replaceDescriptor(next);
      expect(await peer.read()).toBeNull();
      await bev.replaceDescriptor(-1);
      const newPeer = world.keep(new SocketBufferevent(world.base, { descriptor: other }));
      expect(await newPeer.read()).toBeNull();
      for (const one of [bev, peer, newPeer]) one.free();
      await world.until(() => world.openDescriptors === 0, 'every descriptor to be closed');
    });

    it('B123: an end and a failure of the connection before are forgotten', async () => {
      const { bev, peer } = await onDescriptor(world, { handlers: world.record('bev') });
      bev.enable('read');
      peer.halfClose();
      await world.until(() => world.log.includes('bev eof'), 'the end');
      peer.free();
      if (world.isMemory) await world.settle();
      bev.write('into nothing');
      await world.until(() => world.log.includes('bev error EPIPE write'), 'the failure');
      const [next, other] = await world.socketPair();
      await bev.replaceDescriptor(next);
      expect(bev.readEnded).toBe(false);
      bev.enable('read', 'write');
      const newPeer = world.keep(new SocketBufferevent(world.base, { descriptor: other }));
      newPeer.write('and back');
      expect(text(await newPeer.read(12))).toBe('into nothing');
      await world.until(() => bev.input.length === 8, 'bytes');
      newPeer.free();
      await world.until(() => count(world.log, 'bev eof') === 2, 'the second end');
      bev.free();
    });
  });

  whereDescriptors((world) => {
    it('B123: our own end is told to the new peer, too', async () => {
      const { bev, mine, peer } = await onDescriptor(world);
      bev.write('last words');
      bev.halfClose();
      expect(text(await peer.read(10))).toBe('last words');
      expect(await peer.read()).toBeNull();
      const [next, other] = await world.socketPair();
      await bev.setDescriptor(next);
      const newPeer = world.keep(new SocketBufferevent(world.base, { descriptor: other }));
      expect(await newPeer.read()).toBeNull();
      newPeer.write('answer');
      expect(text(await bev.read(6))).toBe('answer');
      world.closeDescriptor(mine);
      for (const one of [bev, peer, newPeer]) one.free();
    });
  });

  inMemory((world) => {
    it('B120: a pull that waits gets its bytes from the new peer, and output in memory survives', async () => {
      const { bev, mine, peer } = await onDescriptor(world);
      const line = bev.readLine();
      const closed = bev.closed;
      peer.write('half a ');
      await world.until(() => bev.input.length === 7, 'the first half');
      const [next, other] = world.network.socketPair();
      await bev.setDescriptor(next);
      expect(await isPending(line)).toBe(true);
      const newPeer = world.keep(new SocketBufferevent(world.base, { descriptor: other }));
      newPeer.write('line\r\n');
      expect(await line).toBe('half a line');
      bev.free();
      expect(await closed).toEqual({ kind: 'freed' });
      world.network.closeDescriptor(mine);
      newPeer.free();
      peer.free();
    });

    it('B121: a lookup and attempts that are under way are given up without an event', async () => {
      world.network.blackhole({ ip: '127.0.0.9', port: 0 });
      let answer: (addresses: LookupAddress[]) => void = () => {};
      const base = world.newBase({
        lookup: () =>
          new Promise((resolve) => {
            answer = resolve;
          }),
      });
      const targets = [
        { host: 'example.test', port: 80 },
        { ip: '127.0.0.9', port: 80 },
      ];
      for (const target of targets) {
        for (const to of ['none', 'another'] as const) {
          const bev = world.keep(new SocketBufferevent(base, { handlers: world.record('bev') }));
          bev.enable('read');
          bev.connect(target);
          await world.settle();
          const [next, other] = world.network.socketPair();
          await bev.setDescriptor(to === 'none' ? -1 : next);
          answer([{ address: '127.0.0.1', family: 4 }]);
          await world.advance(100_000);
          expect(world.log).toEqual([]);
          const peer = world.keep(new SocketBufferevent(base, { descriptor: other }));
          if (to === 'another') {
            peer.write('through');
            await world.until(() => bev.input.length === 7, 'bytes');
          } else world.network.closeDescriptor(next);
          bev.free();
          peer.free();
          await world.until(() => base.stats().port.streams === 0, 'everything to be closed');
          world.log.length = 0;
        }
      }
    });

    it('B120: what is no connected stream is refused by the system, and nothing changes', async () => {
      const { bev, mine, peer } = await onDescriptor(world);
      expect(() => bev.setDescriptor(5)).toThrow(expect.objectContaining({ code: 'EBADF' }));
      const file = world.network.openFile(new Uint8Array(1));
      expect(() => bev.setDescriptor(file)).toThrow(expect.objectContaining({ code: 'ENOTSOCK' }));
      expect(() => bev.setDescriptor(-2)).toThrow(RangeError);
      expect(() => bev.setDescriptor('3' as unknown as number)).toThrow(TypeError);
      expect(bev.descriptor).toBe(mine);
      await bev.setDescriptor(mine);
      bev.write('same');
      expect(text(await peer.read(4))).toBe('same');
      world.network.closeDescriptor(file);
      bev.free();
      const freed = expect.objectContaining({ code: 'ERR_BUFFEREVENT_FREED' });
      expect(() => bev.setDescriptor(-1)).toThrow(freed);
      peer.free();
    });

    it('B121: a connection that is over takes no descriptor', async () => {
      const { bev, peer } = await onDescriptor(world);
      const ended = Promise.all([bev.end(), peer.end()]);
      await ended;
      const [next, other] = world.network.socketPair();
      expect(() => peer.setDescriptor(next)).toThrow(
        expect.objectContaining({ code: expect.stringMatching(/^ERR_BUFFEREVENT_(CLOSED|FREED)$/) }),
      );
      for (const descriptor of [next, other]) world.network.closeDescriptor(descriptor);
    });

    it('B86: an accepted connection that gives its descriptor away leaves its place to the next', async () => {
      const accepted: SocketBufferevent[] = [];
      const listener = await world.listen(
        { onConnection: (bev) => void accepted.push(world.keep(bev)) },
        { maxConnections: 1 },
      );
      world.dial(listener);
      world.dial(listener);
      await world.settle();
      expect(accepted).toHaveLength(1);
      const descriptor = accepted[0]?.descriptor as number;
      await accepted[0]?.setDescriptor(-1);
      await world.settle();
      expect(accepted).toHaveLength(2);
      world.network.closeDescriptor(descriptor);
    });

    it('B121, C4: freed while the old descriptor is slower to go than the new one, everything is given back', async () => {
      for (let seed = 1; seed <= 40; seed++) {
        const base = world.newBase({ backend: withFaults(world.plain, { random: { seed } }) });
        const [mine, other] = world.network.socketPair();
        const bev = world.keep(new SocketBufferevent(base, { descriptor: mine }));
        bev.enable('read');
        bev.write('x'.repeat(20_000));
        await turns(seed % 5);
        const [next, nextOther] = world.network.socketPair();
        let given = false;
        const released = bev.setDescriptor(seed % 2 === 0 ? next : -1).then(() => {
          given = true;
        });
        bev.free();
        // Not over before the system has let go of what it may be sending from the output.
        await bev.end();
        expect(given, `seed ${seed}`).toBe(true);
        await released;
        expect(bev.output.length).toBe(0);
        if (seed % 2 === 1) world.network.closeDescriptor(next);
        for (const descriptor of [mine, other, nextOther]) world.network.closeDescriptor(descriptor);
        expect(base.stats().port).toMatchObject({ streams: 0, pending: 0, leases: 0 });
      }
      expect(world.network.openDescriptors).toBe(0);
    });

    it('B121, C4: freed while the system is slow to give the old descriptor back, it is over after that', async () => {
      class SlowPort extends PortDecorator {
        override detach(stream: Handle): void {
          void turns(20).then(() => super.detach(stream));
        }
      }
      const backend: Backend = {
        ...world.plain,
        createPort: (sink, options) => new SlowPort(backend, world.plain.createPort(sink, options)),
      };
      const base = world.newBase({ backend });
      const [mine, other] = world.network.socketPair();
      const [next, nextOther] = world.network.socketPair();
      const bev = world.keep(new SocketBufferevent(base, { descriptor: mine }));
      bev.write('x'.repeat(20_000));
      await world.settle();
      let given = false;
      const released = bev.setDescriptor(next).then(() => {
        given = true;
      });
      bev.free();
      await bev.end();
      expect(given).toBe(true);
      await released;
      for (const descriptor of [mine, other, nextOther]) world.network.closeDescriptor(descriptor);
      expect(base.stats().port).toMatchObject({ streams: 0, pending: 0 });
    });

    it('B121, TO-1: no time-out runs without a descriptor, and with the next one they start anew', async () => {
      const { bev, mine, peer } = await onDescriptor(world, { handlers: world.record('bev') });
      bev.enable('read');
      bev.setTimeouts({ readMs: 100, idleMs: 1000 });
      await world.advance(90);
      await bev.setDescriptor(-1);
      await world.advance(10_000);
      expect(world.log).toEqual([]);
      expect(world.clock.pendingTimers).toBe(0);
      await bev.setDescriptor(mine);
      await world.settle();
      await world.advance(99);
      expect(world.log).toEqual([]);
      await world.advance(1);
      expect(world.log).toEqual(['bev timeout read']);
      await world.advance(900);
      expect(world.log).toEqual(['bev timeout read', 'bev timeout idle']);
      bev.free();
      peer.free();
    });

    it('B120, B45: failures name the peer of the descriptor that they happen on', async () => {
      const { bev: first, peer } = await world.accepted({});
      const { descriptor } = first;
      const { ip, port } = first.address.peer as { ip: string; port: number };
      await first.setDescriptor(-1);
      const bev = world.keep(new SocketBufferevent(world.base));
      await bev.setDescriptor(descriptor);
      const reading = rejection(bev.read());
      await world.settle();
      peer.reset();
      expect(await reading).toMatchObject({ code: 'ECONNRESET', address: ip, port });
      bev.free();
    });

    it('B121, B67: without a connection an object outlives its base, and takes no descriptor after it', async () => {
      const base = world.newBase();
      const [mine, other] = world.network.socketPair();
      const bev = world.keep(new SocketBufferevent(base, { descriptor: mine }));
      await bev.setDescriptor(-1);
      await base[Symbol.asyncDispose]();
      expect(bev.freed).toBe(false);
      expect(() => bev.setDescriptor(mine)).toThrow(expect.objectContaining({ code: 'ERR_BUFFEREVENT_CLOSED' }));
      bev.free();
      for (const descriptor of [mine, other]) world.network.closeDescriptor(descriptor);
    });

    it('C16: ref() and unref() before a change hold for the new descriptor', async () => {
      const { bev, mine, peer } = await onDescriptor(world);
      bev.unref();
      const [next, other] = world.network.socketPair();
      await bev.setDescriptor(next);
      bev.ref();
      bev.unref();
      const newPeer = world.keep(new SocketBufferevent(world.base, { descriptor: other }));
      bev.write('works');
      expect(text(await newPeer.read(5))).toBe('works');
      world.network.closeDescriptor(mine);
      for (const one of [bev, peer, newPeer]) one.free();
    });

    it('B67: disposing of the base in the middle of a change surfaces nothing', async () => {
      const base = world.newBase();
      const [mine, other] = world.network.socketPair();
      const [next, nextOther] = world.network.socketPair();
      const bev = world.keep(new SocketBufferevent(base, { descriptor: mine }));
      bev.enable('read');
      bev.write('x'.repeat(30_000));
      await world.settle();
      const released = bev.setDescriptor(next);
      await base[Symbol.asyncDispose]();
      await released;
      await bev.end();
      for (const descriptor of [mine, other, nextOther]) world.network.closeDescriptor(descriptor);
      expect(world.network.openDescriptors).toBe(0);
    });
  });

  inWorlds(['net'], (world) => {
    it('B120: a backend without descriptors refuses', async () => {
      const bev = world.keep(new SocketBufferevent(world.base));
      const unsupported = expect.objectContaining({ code: 'ERR_BUFFEREVENT_UNSUPPORTED' });
      expect(() => bev.setDescriptor(3)).toThrow(unsupported);
      expect(() => bev.replaceDescriptor(-1)).toThrow(unsupported);
    });
  });
});

describe('setDescriptor under layers', () => {
  /** Greets, and passes bytes on; can do so again. */
  function greeting(): Layer {
    let host: LayerHost;
    let greeted = false;
    const pass = (source: Evbuffer, target: Evbuffer, limit: number): 'ok' | 'need-more' =>
      source.moveTo(target, limit) > 0 ? 'ok' : 'need-more';
    return {
      name: 'greeting',
      attach(given) {
        host = given;
      },
      handshake(source) {
        if (!greeted) host.toPeer.add('hi!');
        greeted = true;
        if (source.length < 3) return 'need-more';
        expect(text(source.remove(3))).toBe('hi!');
        return 'done';
      },
      decode: pass,
      encode: pass,
      renew() {
        greeted = false;
      },
    };
  }

  whereDescriptors((world) => {
    it('layers that can begin anew do so; what is queued goes to the new peer', async () => {
      const { bev, peer } = await onDescriptor(world, { handlers: world.record('bev') });
      void bev.insertLayer(greeting());
      expect(text(await peer.read(3))).toBe('hi!');
      peer.write('hi!old');
      expect(text(await bev.read(3))).toBe('old');
      await bev.setDescriptor(-1);
      expect(bev.descriptor).toBe(-1);
      bev.write('queued');
      const [next, other] = await world.socketPair();
      await bev.setDescriptor(next);
      const newPeer = world.keep(new SocketBufferevent(world.base, { descriptor: other }));
      expect(text(await newPeer.read(3))).toBe('hi!');
      newPeer.write('hi!new');
      expect(text(await bev.read(3))).toBe('new');
      expect(text(await newPeer.read(6))).toBe('queued');
      await world.until(() => count(world.log, 'bev connected') === 2, 'both events');
      for (const one of [bev, peer, newPeer]) one.free();
    });

    it('also inside the handshake, and with a send and a receive under way', async () => {
      const { bev } = await onDescriptor(world);
      void bev.insertLayer(greeting());
      bev.enable('read');
      for (let round = 0; round < 5; round++) {
        const [next, other] = await world.socketPair();
        const released = bev.setDescriptor(next);
        const peer = world.keep(new SocketBufferevent(world.base, { descriptor: other }));
        expect(text(await peer.read(3))).toBe('hi!');
        if (round < 2) continue;
        peer.write('hi!through');
        expect(text(await bev.read(7))).toBe('through');
        bev.write('x'.repeat(world.bytes(100_000)));
        if (round === 3) await peer.read(1);
        await released;
      }
      bev.free();
    });

    it('what one throws that should begin anew is thrown, and an error of the connection; the descriptor is not taken', async () => {
      const { bev, mine, peer } = await onDescriptor(world, { handlers: world.record('bev') });
      let fails = true;
      const made = greeting();
      void bev.insertLayer({
        ...made,
        renew() {
          if (fails) throw new Error('not again');
          made.renew?.();
        },
      });
      peer.write('hi!');
      expect(text(await peer.read(3))).toBe('hi!');
      await world.until(() => count(world.log, 'bev connected') === 1, 'the handshake');
      const [next, other] = await world.socketPair();
      expect(() => bev.setDescriptor(next)).toThrow('not again');
      expect(bev.descriptor).toBe(mine);
      await world.until(() => world.log.length === 2, 'the error');
      expect(world.log[1]).toContain('bev error');
      await turns(5);
      expect(bev.freed).toBe(false);
      // Neither descriptor was closed, and the layer can try again.
      fails = false;
      await bev.setDescriptor(next);
      const newPeer = world.keep(new SocketBufferevent(world.base, { descriptor: other }));
      newPeer.write('hi!new');
      expect(text(await bev.read(3))).toBe('new');
      const again = world.keep(new SocketBufferevent(world.base, { descriptor: mine }));
      for (const one of [bev, peer, newPeer, again]) one.free();
      await world.until(() => world.openDescriptors === 0, 'every descriptor to be closed');
    });

    it('with one that can’t, a connection that is open keeps what it has', async () => {
      const { bev, mine, peer } = await onDescriptor(world);
      const { renew: _, ...stubborn } = greeting();
      void bev.insertLayer(greeting());
      void bev.insertLayer(stubborn);
      const [next, other] = await world.socketPair();
      for (const descriptor of [-1, next]) {
        expect(() => bev.setDescriptor(descriptor)).toThrow(
          expect.objectContaining({ code: 'ERR_BUFFEREVENT_ALREADY_CONNECTED' }),
        );
      }
      expect(bev.descriptor).toBe(mine);
      peer.write('hi!hi!still');
      expect(text(await bev.read(5))).toBe('still');
      world.closeDescriptor(next);
      world.closeDescriptor(other);
      bev.free();
      peer.free();
    });
  });
});
