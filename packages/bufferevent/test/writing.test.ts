// Writing, its marks and pressure: B30–B38.
import { Evbuffer, SocketBufferevent } from 'bufferevent';
import { describe, expect, it } from 'vitest';
import { contents, KiB, MiB, pattern, same, text } from './support/bytes.js';
import { Collector, count } from './support/recorder.js';
import { socketsWith } from './support/system-backends.js';
import { rejection } from './support/wait.js';
import { inBothMemories, inMemory, inWorlds, ipOf, onEveryBackend } from './support/world.js';

describe('what is written arrives', () => {
  onEveryBackend((world) => {
    it('WR-1: nothing is sent inside write; the bytes leave output later', async () => {
      const collector = new Collector();
      const { client } = await world.pair({}, { onRead: collector.take });
      expect(client.write('hello ')).toBe(true);
      client.output.add('world');
      expect(client.output.length).toBe(11);
      await world.until(() => collector.bytes === 11, 'the text');
      expect(collector.data.toString()).toBe('hello world');
      expect(client.output.length).toBe(0);
    });

    it('WR-1: write copies bytes, so that their owner may reuse them at once', async () => {
      const collector = new Collector();
      const { client } = await world.pair({}, { onRead: collector.take });
      const bytes = pattern(200);
      client.write(bytes);
      bytes.fill(0);
      await world.until(() => collector.bytes === 200, 'bytes');
      expect(same(collector.data, pattern(200))).toBe(true);
    });

    it('WR-1: write moves the content of an Evbuffer, which is empty afterwards', async () => {
      const collector = new Collector();
      const { client } = await world.pair({}, { onRead: collector.take });
      const size = world.bytes(3000);
      const source = new Evbuffer();
      source.add(pattern(size));
      client.write('<');
      client.write(source);
      client.write('>');
      expect(source.length).toBe(0);
      await world.until(() => collector.bytes === size + 2, 'bytes');
      expect(same(collector.data.subarray(1, size + 1), pattern(size))).toBe(true);
      expect(`${collector.data.subarray(0, 1)}${collector.data.subarray(size + 1)}`).toBe('<>');
    });

    it('WR-1: strings are written in the encoding asked for', async () => {
      const collector = new Collector();
      const { client } = await world.pair({}, { onRead: collector.take });
      client.write('é');
      client.write('é', 'latin1');
      await world.until(() => collector.bytes === 3, 'bytes');
      expect([...collector.data]).toEqual([0xc3, 0xa9, 0xe9]);
    });

    it('WR-2: 8,333 patterned bytes each way are one empty output and one whole input on each side', async () => {
      const size = world.bytes(8333);
      const sides = { client: new Collector(), server: new Collector() };
      const { client, server } = await world.pair(
        world.record('client', { onRead: sides.client.take }),
        world.record('server', { onRead: sides.server.take }),
      );
      client.write(pattern(size, 2));
      server.write(pattern(size, 3));
      await world.until(() => sides.client.bytes === size && sides.server.bytes === size, 'both patterns');
      expect(same(sides.server.data, pattern(size, 2))).toBe(true);
      expect(same(sides.client.data, pattern(size, 3))).toBe(true);
      await world.until(() => client.output.length + server.output.length === 0, 'empty outputs');
      await world.until(() => count(world.log, 'client write') + count(world.log, 'server write') >= 2, 'onWrite');
      expect(world.log.filter((line) => /error|eof|timeout/.test(line))).toEqual([]);
    });

    it('WR-2: with low 100 and high 2000 onWrite sees at most 100 bytes left', async () => {
      const left: number[] = [];
      const collector = new Collector();
      const { client } = await world.pair(
        { onWrite: (bev) => void left.push(bev.output.length) },
        { onRead: collector.take },
      );
      client.setWatermarks('write', { low: 100, high: 2000 });
      expect(client.getWatermarks('write')).toEqual({ low: 100, high: 2000 });
      const size = world.bytes(65_000);
      expect(client.write(pattern(size))).toBe(size <= 2000);
      await world.until(() => collector.bytes === size && client.output.length === 0, 'all bytes');
      await world.until(() => left.length > 0, 'onWrite');
      expect(Math.max(...left)).toBeLessThanOrEqual(100);
      expect(left.at(-1)).toBe(0);
    });

    it('WR-5: what is queued before connecting with writing disabled is sent once writing is enabled', async () => {
      const collector = new Collector();
      const listener = await world.listen({ onRead: collector.take });
      const bev = world.keep(new SocketBufferevent(world.base, { handlers: world.record('client') }));
      bev.disable('write');
      bev.write('early');
      bev.connect(ipOf(listener));
      await world.until(() => world.log.includes('client connected'), 'the connection');
      expect(bev.output.length).toBe(5);
      bev.enable('write');
      await world.until(() => collector.bytes === 5, 'the early text');
      expect(collector.data.toString()).toBe('early');
    });

    it('WR-5: data queued before connecting leaves first, in order', async () => {
      const collector = new Collector();
      const listener = await world.listen({ onRead: collector.take });
      const bev = world.keep(new SocketBufferevent(world.base));
      bev.write('one ');
      bev.connect(ipOf(listener));
      bev.write('two ');
      bev.setHandlers({ onEvent: (at) => at.write('three') });
      await world.until(() => collector.bytes === 13, 'all three');
      expect(collector.data.toString()).toBe('one two three');
    });

    it('WR-5: writing goes on after the end of the peer', async () => {
      const { bev, peer } = await world.accepted(world.record('server'));
      peer.send('request');
      peer.end();
      await world.until(() => bev.readEnded, 'the end');
      const size = world.bytes(10_000);
      bev.write(pattern(size));
      await world.until(() => peer.receivedBytes === size, 'the answer');
      expect(same(peer.received, pattern(size))).toBe(true);
    });

    it('WR-4: write answers false above the high mark, and queues all the same', async () => {
      const { bev, peer } = await world.accepted({});
      bev.disable('write');
      bev.setWatermarks('write', { high: 100 });
      expect(bev.write(pattern(100))).toBe(true);
      expect(bev.write('!')).toBe(false);
      expect(bev.output.length).toBe(101);
      bev.enable('write');
      await world.until(() => peer.receivedBytes === 101 && bev.output.length === 0, 'bytes');
      expect(bev.write('x')).toBe(true);
    });

    it.each([1, 3])(
      'B35: memory that its user has detached is one error of writing; what lies in front of it leaves (in %i pieces)',
      async (pieces) => {
        const { bev, peer } = await world.accepted(world.record('server'), { enable: ['write'] });
        for (let piece = 0; piece < pieces; piece++) bev.output.addReference(pattern(100, piece));
        const memory = new Uint8Array(5_000);
        bev.output.addReference(memory);
        structuredClone(memory.buffer, { transfer: [memory.buffer] });
        bev.write('behind');
        expect(await rejection(bev.drained())).toMatchObject({ code: 'ERR_EVBUFFER_DETACHED' });
        expect(bev.write('dropped')).toBe(false);
        await world.until(() => peer.receivedBytes === pieces * 100, 'what lies in front');
        await world.until(() => world.log.some((line) => line.includes('error')), 'the failure');
        for (let piece = 0; piece < pieces; piece++) {
          expect(same(peer.received.subarray(piece * 100, piece * 100 + 100), pattern(100, piece))).toBe(true);
        }
        expect(world.log.filter((line) => !line.endsWith('write') || line.includes('error'))).toEqual([
          'server error ERR_EVBUFFER_DETACHED write',
        ]);
        expect(bev.output.length).toBe(5_006);
        peer.send('still read');
        expect(text(await bev.read(10))).toBe('still read');
        expect(await bev.end()).toMatchObject({ kind: 'error', error: { code: 'ERR_EVBUFFER_DETACHED' } });
      },
    );

    it('B38: drained() resolves when the system has taken everything', async () => {
      const { bev, peer } = await world.accepted({});
      await bev.drained();
      const size = world.bytes(2 * MiB);
      bev.write(pattern(size));
      await bev.drained();
      expect(bev.output.length).toBe(0);
      await world.until(() => peer.receivedBytes === size, 'bytes');
    });

    it('B38: drained() waits while writing is disabled, and rejects when the connection is freed', async () => {
      const { bev } = await world.accepted({});
      bev.disable('write');
      bev.write('stuck');
      const waiting = rejection(bev.drained());
      const reason = new Error('enough');
      const controller = new AbortController();
      const aborted = rejection(bev.drained({ signal: controller.signal }));
      controller.abort(reason);
      expect(await aborted).toBe(reason);
      bev.free();
      expect((await waiting).code).toBe('ERR_BUFFEREVENT_FREED');
    });
  });
});

describe('when onWrite runs', () => {
  inBothMemories((world) => {
    it('WR-2: with low 0 it runs once, when output is empty', async () => {
      const { bev, peer } = await world.accepted(world.record('server'));
      bev.write(pattern(120));
      await world.until(() => peer.receivedBytes === 120, 'bytes');
      await world.settle();
      expect(world.log).toEqual(['server write']);
    });

    it('WR-2: with a low mark it runs for every completion at or below it', async () => {
      const left: number[] = [];
      const { bev, peer } = await world.accepted({ onWrite: (at) => void left.push(at.output.length) });
      bev.setWatermarks('write', { low: 10 });
      bev.write(pattern(40));
      await world.until(() => peer.receivedBytes === 40, 'bytes');
      await world.settle();
      expect(left.length).toBeGreaterThan(0);
      expect(Math.max(...left)).toBeLessThanOrEqual(10);
      expect(left.at(-1)).toBe(0);
    });

    it('WR-3: enabling writing with an empty output calls once', async () => {
      const { bev } = await world.accepted(world.record('server'));
      bev.disable('write');
      await world.settle();
      expect(world.log).toEqual([]);
      bev.enable('write');
      await world.settle();
      expect(world.log).toEqual(['server write']);
    });

    it('WR-3: before the connection stands enabling calls nothing', async () => {
      const bev = world.keep(new SocketBufferevent(world.base, { handlers: world.record('client') }));
      bev.disable('write');
      bev.enable('write');
      await world.settle();
      expect(world.log).toEqual([]);
      bev.free();
    });

    it('WR-8: being connected alone is no reason for onWrite', async () => {
      const { client } = await world.pair(world.record('client'), world.record('server'));
      await world.settle();
      expect(client.enabled).toContain('write');
      expect(world.log.filter((line) => line.endsWith('write'))).toEqual([]);
    });

    it('WR-8: bytes that leave with the connection call it once', async () => {
      const listener = await world.listen({ onRead: new Collector().take });
      const bev = world.keep(new SocketBufferevent(world.base, { handlers: world.record('client') }));
      bev.write('with it');
      bev.connect(ipOf(listener));
      await world.until(() => world.log.includes('client write'), 'onWrite');
      await world.settle();
      expect(world.log).toEqual(['client connected', 'client write']);
    });

    it('WR-6: a short send resumes where it stopped, a peer that reads again is served', async () => {
      const { bev, peer } = await world.accepted(world.record('server'));
      peer.stopReading();
      const size = world.kind === 'memory' ? 20_000 : 2_600;
      bev.write(pattern(size));
      await world.settle();
      await world.settle();
      expect(bev.output.length).toBeGreaterThan(0);
      const held = world.log.length;
      peer.readOn();
      await world.until(() => peer.receivedBytes === size, 'all bytes');
      await world.settle();
      expect(same(peer.received, pattern(size))).toBe(true);
      expect(world.log.slice(held)).toEqual(['server write']);
    });
  });

  inMemory((world) => {
    it('B37: disabling writing stops submitting; enabling goes on behind what was sent', async () => {
      const { bev, peer } = await world.accepted(world.record('server'));
      bev.write('first');
      await world.settle();
      bev.disable('write');
      bev.write(' second');
      await world.settle();
      expect(peer.received.toString()).toBe('first');
      expect(bev.output.length).toBe(7);
      bev.enable('write');
      await world.settle();
      expect(peer.received.toString()).toBe('first second');
    });

    it('WR-6: a failed send is one error of the writing direction, and unsent output stays', async () => {
      const { bev, peer } = await world.accepted(world.record('server'), { enable: ['write'] });
      peer.stopReading();
      bev.write(pattern(100 * KiB));
      await world.settle();
      const left = bev.output.length;
      expect(left).toBeGreaterThan(0);
      peer.reset();
      await world.settle();
      expect(world.log).toHaveLength(1);
      expect(world.log[0]).toMatch(/^server error (ECONNRESET|EPIPE) write$/);
      expect(bev.enabled).not.toContain('write');
      expect(bev.output.length).toBe(left);
      expect(same(contents(bev.output), pattern(100 * KiB).subarray(-left))).toBe(true);
    });

    it('B36: after a failure writing drops its data and answers false', async () => {
      const { bev, peer } = await world.accepted(world.record('server'));
      peer.reset();
      await world.settle();
      expect(world.log).toEqual(['server error ECONNRESET read']);
      const before = bev.output.length;
      expect(bev.write('lost')).toBe(false);
      expect(bev.output.length).toBe(before);
      await world.settle();
      expect(world.log).toHaveLength(1);
    });

    it('B38: drained() rejects after a failure, also with an empty output: waiting for it is no loop without end', async () => {
      const { bev, peer } = await world.accepted(world.record('server'));
      peer.reset();
      await world.settle();
      expect(bev.write('lost')).toBe(false);
      expect(bev.output.length).toBe(0);
      expect(await rejection(bev.drained())).toMatchObject({ code: 'ECONNRESET' });
    });

    it.each(['', 'queued before '])(
      'B13: an Evbuffer that is frozen in front is refused and stays, after %j',
      async (before) => {
        const { bev, peer } = await world.accepted({}, { enable: [] });
        bev.disable('write');
        bev.write(before);
        const data = new Evbuffer();
        data.add('message');
        data.freeze('front');
        expect(() => bev.write(data)).toThrow(expect.objectContaining({ code: 'ERR_EVBUFFER_FROZEN_FRONT' }));
        expect(data.toString()).toBe('message');
        data.unfreeze('front');
        bev.write(data);
        bev.enable('write');
        await world.settle();
        expect(peer.received.toString()).toBe(`${before}message`);
      },
    );

    it('WR-1: writing nothing is welcome and causes nothing (regress I: write of empty)', async () => {
      const { bev } = await world.accepted(world.record('server'));
      expect(bev.write('')).toBe(true);
      expect(bev.write(new Uint8Array(0))).toBe(true);
      expect(bev.write(new Evbuffer())).toBe(true);
      await world.settle();
      expect(world.log).toEqual([]);
    });

    it('B60: nothing can be added behind halfClose, not even to output itself', async () => {
      const { bev, peer } = await world.accepted({});
      bev.write('all');
      bev.halfClose();
      expect(() => bev.output.add('late')).toThrow(expect.objectContaining({ code: 'ERR_EVBUFFER_FROZEN_BACK' }));
      await world.settle();
      expect(peer.received.toString()).toBe('all');
      expect(peer.ended).toBe(true);
    });

    it('B36: after halfClose and end writing is a mistake', async () => {
      const { bev } = await world.accepted({});
      bev.halfClose();
      expect(() => bev.write('x')).toThrow(expect.objectContaining({ code: 'ERR_BUFFEREVENT_WRITE_AFTER_END' }));
      const { bev: other, peer } = await world.accepted({});
      const ended = other.end();
      expect(() => other.write('x')).toThrow(expect.objectContaining({ code: 'ERR_BUFFEREVENT_WRITE_AFTER_END' }));
      peer.end();
      expect(await ended).toEqual({ kind: 'clean' });
    });
  });

  inWorlds(['memory', ...socketsWith('readAfterWriteError')], (world) => {
    it('WR-6, B35: what came before a failed send can still be read', async () => {
      const { bev, peer } = await world.accepted(world.record('server'), { enable: ['write'] });
      peer.send('last words');
      await world.until(() => peer.unsentBytes === 0, 'the bytes to leave');
      peer.reset();
      await world.until(() => {
        if (world.log.every((line) => line === 'server write')) bev.write('x');
        return world.log.some((line) => /^server error (ECONNRESET|EPIPE) write$/.test(line));
      }, 'the failure');
      expect(text(await bev.read(10))).toBe('last words');
    });
  });
});
