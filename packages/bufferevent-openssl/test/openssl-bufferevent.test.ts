// The two kinds of bufferevents with TLS: how they are made, what they own, and what can be asked of them.
import { type Bufferevent, connect, createPair, FilterBufferevent, type SocketBufferevent } from 'bufferevent';
import { createTestBase, type TestBase } from 'bufferevent/testing';
import { Evbuffer } from 'evbuffer';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import {
  getOpensslError,
  getOpensslErrors,
  getSsl,
  OpensslBufferevent,
  renegotiate,
  Ssl,
  SslBioPair,
  type SslContextOptions,
  TlsLayer,
  tlsOutcome,
} from '../src/index.js';
import { describeWithOpenssl } from './in-memory.js';
import { HandPeer, withHandPeer } from './support/hand-peer.js';
import { events, pattern, recordsIn, text } from './support/secure-pair.js';
import { contexts, contextsOf, newSsl, versions } from './support/versions.js';

const KiB = 1024;
let test: TestBase;
let log: string[];

beforeEach(() => {
  test = createTestBase();
  log = [];
});
afterEach(() => test[Symbol.asyncDispose]());

/** Two connected sockets in memory. */
async function sockets(on = test): Promise<{ dialled: SocketBufferevent; accepted: SocketBufferevent }> {
  let arrived: (bev: SocketBufferevent) => void;
  const accepted = new Promise<SocketBufferevent>((resolve) => {
    arrived = resolve;
  });
  const listener = await on.listen({ onConnection: (bev) => arrived(bev) });
  const dialled = await connect(listener.address, {}, { base: on.base });
  const ends = { dialled, accepted: await accepted };
  await listener.close();
  return ends;
}

/** TLS on a pair of descriptors. */
function onDescriptors(version: (typeof versions)[number], client: Ssl, server: Ssl) {
  const [near, far] = test.network.socketPair();
  return {
    client: OpensslBufferevent.socket(test.base, near, client, 'connecting', { handlers: events(log, 'client') }),
    server: OpensslBufferevent.socket(test.base, far, server, 'accepting', { handlers: events(log, 'server') }),
    version,
  };
}

async function opened(...ends: Bufferevent[]): Promise<void> {
  await test.settle();
  for (const end of ends) expect(getSsl(end)?.state).toBe('open');
}

describeWithOpenssl('making them', () => {
  for (const version of versions) {
    describe(version, () => {
      it('TL-1: on descriptors the handshake starts at once, whatever is enabled, and its end is an event', async () => {
        const { client, server } = onDescriptors(version, newSsl(version, 'connecting'), newSsl(version, 'accepting'));
        await opened(client, server);
        expect(log.toSorted()).toEqual(['client connected', 'server connected']);
        expect(client.ssl.protocol).toBe(version);
        expect(client.enabled).toEqual(['write']);
        client.write('game');
        expect(text(await server.read(4))).toBe('game');
      });

      it('M6: −1, and a connection later; connected comes once, after the handshake', async () => {
        const listener = await test.listen({
          onConnection(bev) {
            bev.setHandlers(events(log, 'server'));
            void bev.insertLayer(new TlsLayer(newSsl(version, 'accepting'), 'accepting'));
          },
        });
        const client = OpensslBufferevent.socket(test.base, -1, newSsl(version, 'connecting'), 'connecting', {
          handlers: events(log, 'client'),
        });
        expect(client.descriptor).toBe(-1);
        client.connect(listener.address);
        await opened(client);
        expect(log.filter((line) => line.startsWith('client'))).toEqual(['client connected']);
        await listener.close();
      });

      it('M6: −1 takes the descriptor of the Ssl', async () => {
        const [near, far] = test.network.socketPair();
        const { client: context } = contexts(version);
        const ssl = new Ssl(context, { servername: 'localhost', descriptor: near });
        const client = OpensslBufferevent.socket(test.base, -1, ssl, 'connecting');
        const server = OpensslBufferevent.socket(test.base, far, newSsl(version, 'accepting'), 'accepting');
        expect(client.descriptor).toBe(near);
        await opened(client, server);
      });

      it('over a filter over a pair (M3); the connected event of the one below is not told again (TL-21)', async () => {
        const [a, b] = createPair(test.base);
        const client = OpensslBufferevent.filter(
          new FilterBufferevent(a),
          newSsl(version, 'connecting'),
          'connecting',
          {
            handlers: events(log, 'client'),
          },
        );
        const server = OpensslBufferevent.filter(b, newSsl(version, 'accepting'), 'accepting');
        await opened(client, server);
        expect(log).toEqual(['client connected']);
        expect(server.underlying).toBe(b);
        const content = pattern(200 * KiB);
        client.write(content);
        expect(Buffer.from((await server.read(content.length)) as Uint8Array).equals(content)).toBe(true);
      });

      it('M4: an Ssl whose handshake is done goes on with the state open, and nothing that was decrypted is lost', async () => {
        const [a, b] = createPair(test.base);
        const ssls = { client: newSsl(version, 'connecting'), server: newSsl(version, 'accepting') };
        const kept = { closeOnFree: false };
        const first = {
          client: OpensslBufferevent.filter(a, ssls.client, 'connecting', kept),
          server: OpensslBufferevent.filter(b, ssls.server, 'accepting', kept),
        };
        await opened(first.client, first.server);
        // The server takes a part of a record; the rest stays decrypted in its Ssl.
        first.server.setWatermarks('read', { high: 100 });
        first.server.enable('read');
        first.client.write(pattern(1000));
        await test.settle();
        expect(first.server.input.length).toBe(100);
        expect(ssls.server.pending).toBe(900);
        first.client.free();
        first.server.free();
        await test.settle();
        const client = OpensslBufferevent.filter(a, ssls.client, 'open');
        const server = OpensslBufferevent.filter(b, ssls.server, 'open');
        expect(Buffer.from((await server.read(900)) as Uint8Array).equals(pattern(1000).subarray(100))).toBe(true);
        server.write('back');
        expect(text(await client.read(4))).toBe('back');
        client.free();
        await test.settle();
        expect(ssls.client.state).toBe('freed');
        expect(a.freed).toBe(true);
      });
    });
  }

  it('two different descriptors, or an Ssl that does not suit, are refused and nothing is taken over', async () => {
    const [near, far] = test.network.socketPair();
    const { client } = contexts('TLSv1.3');
    const make = (ssl: Ssl, state: 'open' | 'connecting', descriptor: number) => () =>
      OpensslBufferevent.socket(test.base, descriptor, ssl, state);
    const ssl = new Ssl(client, { servername: 'localhost', descriptor: near });
    expect(make(ssl, 'connecting', far)).toThrow(TypeError);
    expect(make(ssl, 'open', near)).toThrow(expect.objectContaining({ code: 'ERR_OPENSSL_STATE' }));
    expect(make({} as Ssl, 'connecting', near)).toThrow(TypeError);
    expect(make(ssl, 'connecting', -2)).toThrow(TypeError);
    expect(make(ssl, 'connecting', 12_345)).toThrow(TypeError);
    ssl.free();
    expect(make(ssl, 'connecting', near)).toThrow(expect.objectContaining({ code: 'ERR_OPENSSL_FREED' }));
    const other = new Ssl(client, { servername: 'localhost' });
    expect(make(other, 'connecting', 12_345)).toThrow(expect.objectContaining({ code: 'EBADF' }));
    // It was not used up by that.
    const again = OpensslBufferevent.socket(test.base, near, other, 'connecting');
    again.free();
    test.network.closeDescriptor(far);
    await test.settle();
    expect(test.network.openDescriptors).toBe(0);
  });

  it('a filter with an Ssl in use is refused, and the one below stays its user’s', async () => {
    const [a, b] = createPair(test.base);
    const ssl = newSsl('TLSv1.3', 'connecting');
    OpensslBufferevent.filter(a, ssl, 'connecting');
    expect(() => OpensslBufferevent.filter(b, ssl, 'connecting')).toThrow(
      expect.objectContaining({ code: 'ERR_OPENSSL_STATE' }),
    );
    OpensslBufferevent.filter(b, newSsl('TLSv1.3', 'accepting'), 'accepting');
    await test.settle();
    expect(ssl.state).toBe('open');
  });

  it('an Ssl that is left to its user can be used again once the first bufferevent is closed, not before', async () => {
    const ssl = newSsl('TLSv1.3', 'connecting');
    const [a, b] = createPair(test.base);
    const first = OpensslBufferevent.filter(a, ssl, 'connecting', { closeOnFree: false });
    OpensslBufferevent.filter(b, newSsl('TLSv1.3', 'accepting'), 'accepting');
    await opened(first);
    first.free();
    expect(() => OpensslBufferevent.filter(a, ssl, 'open')).toThrow(/not let go of it yet: await its `closed`/);
    await first.closed;
    expect(() => OpensslBufferevent.filter(a, ssl, 'open')).not.toThrow();
  });
});

describeWithOpenssl('another descriptor', () => {
  for (const version of versions) {
    it(`TL-18: a TLS socket begins a new handshake, ${version}: after none, in the middle, and when it was open`, async () => {
      const ssl = newSsl(version, 'connecting');
      const [near, far] = test.network.socketPair();
      const client = OpensslBufferevent.socket(test.base, near, ssl, 'connecting', { handlers: events(log, 'client') });
      // In the middle of the handshake.
      await test.settle();
      await client.setDescriptor(-1);
      expect(client.descriptor).toBe(-1);
      expect(ssl.state).toBe('handshaking');
      for (let round = 0; round < 3; round++) {
        const [next, other] = test.network.socketPair();
        await client.setDescriptor(next);
        expect(client.descriptor).toBe(next);
        const server = OpensslBufferevent.socket(test.base, other, newSsl(version, 'accepting'), 'accepting');
        await opened(client, server);
        client.write(`round ${round}`);
        expect(text(await server.read(7))).toBe(`round ${round}`);
        server.write('answer');
        expect(text(await client.read(6))).toBe('answer');
        if (round > 0) continue;
        await client.setDescriptor(-1);
      }
      expect(log).toEqual(['client connected', 'client connected', 'client connected']);
      for (const descriptor of [near, far]) test.network.closeDescriptor(descriptor);
    });
  }

  it('TL-18: a TLS filter has the descriptor of the one below; a layer in the state open can’t begin anew', async () => {
    const { client, server } = onDescriptors(
      'TLSv1.3',
      newSsl('TLSv1.3', 'connecting'),
      newSsl('TLSv1.3', 'accepting'),
    );
    await opened(client, server);
    const { dialled } = await sockets();
    const filter = OpensslBufferevent.filter(dialled, newSsl('TLSv1.3', 'connecting'), 'connecting');
    expect(filter.descriptor).toBe(dialled.descriptor);
    expect(filter.descriptor).toBeGreaterThanOrEqual(0);
    expect(new TlsLayer(client.ssl, 'open').renew).toBeUndefined();
  });
});

describeWithOpenssl('what can be asked', () => {
  it('M7: getSsl() of both kinds, of an upgraded connection, and null without TLS', () => {
    const [a, b] = createPair(test.base);
    expect(getSsl(a)).toBeNull();
    expect(getOpensslError(a)).toBe(0);
    expect(getOpensslErrors(a)).toEqual([]);
    const ssl = newSsl('TLSv1.3', 'accepting');
    void a.insertLayer(new TlsLayer(ssl, 'accepting'));
    expect(getSsl(a)).toBe(ssl);
    const filter = OpensslBufferevent.filter(b, newSsl('TLSv1.3', 'connecting'), 'connecting');
    expect(getSsl(filter)).toBe(filter.ssl);
    expect(() => getSsl({} as Bufferevent)).toThrow(TypeError);
  });

  it('allowDirtyShutdown and batchWrites are read and set on both kinds; others are refused', () => {
    const [a] = createPair(test.base);
    const ends = [
      OpensslBufferevent.filter(a, newSsl('TLSv1.3', 'connecting'), 'connecting', { allowDirtyShutdown: true }),
      OpensslBufferevent.socket(test.base, -1, newSsl('TLSv1.3', 'connecting'), 'connecting', { batchWrites: false }),
    ] as const;
    expect(ends.map((end) => [end.allowDirtyShutdown, end.batchWrites])).toEqual([
      [true, true],
      [false, false],
    ]);
    for (const end of ends) {
      end.allowDirtyShutdown = !end.allowDirtyShutdown;
      end.batchWrites = !end.batchWrites;
      expect(() => {
        end.batchWrites = 1 as unknown as boolean;
      }).toThrow(TypeError);
      expect(() => {
        end.allowDirtyShutdown = 'yes' as unknown as boolean;
      }).toThrow(TypeError);
    }
    expect(ends.map((end) => [end.allowDirtyShutdown, end.batchWrites])).toEqual([
      [false, false],
      [true, true],
    ]);
    ends[1].free();
  });

  it('M8: errors are taken oldest first; the list is whole', async () => {
    const { dialled, accepted } = await sockets();
    const server = OpensslBufferevent.filter(accepted, newSsl('TLSv1.3', 'accepting'), 'accepting');
    server.setHandlers(events(log, 'server'));
    dialled.write('this is no TLS at all, by any means\n');
    await test.settle();
    expect(log).toEqual(['server error ERR_OPENSSL_HANDSHAKE']);
    const codes = getOpensslErrors(server).map(({ code }) => code);
    expect(codes.length).toBeGreaterThan(0);
    expect(codes.map(() => getOpensslError(server))).toEqual(codes);
    expect(getOpensslError(server)).toBe(0);
  });
});

describeWithOpenssl('renegotiation', () => {
  const allowed: SslContextOptions = { renegotiation: { perMinute: 10 } };

  for (const initiator of ['client', 'server'] as const) {
    it(`TL-14: of the ${initiator}, TLS 1.2: one more connected event there, and payload passes meanwhile`, async () => {
      const both = contextsOf('TLSv1.2', allowed, allowed);
      const ends = onDescriptors(
        'TLSv1.2',
        newSsl('TLSv1.2', 'connecting', both),
        newSsl('TLSv1.2', 'accepting', both),
      );
      await opened(ends.client, ends.server);
      const before = ends.client.ssl.finished;
      const content = pattern(100 * KiB);
      ends.client.write(content);
      ends.server.write(content);
      renegotiate(ends[initiator]);
      expect(() => renegotiate(ends[initiator])).toThrow(expect.objectContaining({ code: 'ERR_OPENSSL_STATE' }));
      ends.client.write(content);
      ends.server.write(content);
      const [atServer, atClient] = await Promise.all([ends.server.read(200 * KiB), ends.client.read(200 * KiB)]);
      const twice = Buffer.concat([content, content]);
      expect(Buffer.from(atServer as Uint8Array).equals(twice)).toBe(true);
      expect(Buffer.from(atClient as Uint8Array).equals(twice)).toBe(true);
      await test.settle();
      expect(ends.client.ssl.finished).not.toEqual(before);
      expect(log.filter((line) => line === `${initiator} connected`)).toHaveLength(2);
      expect(log).toHaveLength(3);
    });
  }

  for (const [answer, code] of [
    [false, 'ERR_OPENSSL_VERIFY'],
    [Promise.resolve(true), 'ERR_OPENSSL_RENEGOTIATION'],
  ] as const) {
    it(`the peer is judged again; what came with one that is refused is not delivered (${code})`, async () => {
      let judged = 0;
      const verify = () => (judged++ === 0 ? true : answer);
      const both = contextsOf('TLSv1.2', allowed, { ...allowed, verify });
      const { bev, peer } = withHandPeer(test.base, 'TLSv1.2', { contexts: both, isServer: true });
      bev.setHandlers(events(log, 'client'));
      bev.enable('read');
      peer.bev.enable('read');
      await peer.shake();
      await test.settle();
      renegotiate(bev);
      for (let flights = 0; flights < 4; flights++) {
        await test.settle();
        peer.tls.feed(peer.bev.input.remove());
        peer.tls.read(peer.received);
        // Waits for the end of the handshake, and leaves in one piece with it.
        if (flights === 0) peer.tls.write('from somebody else');
        peer.send();
      }
      await test.settle();
      expect(judged).toBe(2);
      expect(log).toEqual(['client connected', `client error ${code} read`]);
      expect(bev.input.length).toBe(0);
    });
  }

  it('TL-14: with TLS 1.3 it is refused, with a word of updateKeys', async () => {
    const { client, server } = onDescriptors(
      'TLSv1.3',
      newSsl('TLSv1.3', 'connecting'),
      newSsl('TLSv1.3', 'accepting'),
    );
    await opened(client, server);
    expect(() => renegotiate(client)).toThrow(
      expect.objectContaining({ code: 'ERR_OPENSSL_UNSUPPORTED', message: expect.stringContaining('updateKeys') }),
    );
    client.ssl.updateKeys({ requestPeer: true });
    client.write('on');
    expect(text(await server.read(2))).toBe('on');
    expect(log).toHaveLength(2);
  });

  it('before the handshake is done, and without TLS, it is refused', () => {
    const [a, b] = createPair(test.base);
    const filter = OpensslBufferevent.filter(a, newSsl('TLSv1.2', 'connecting'), 'connecting');
    expect(() => renegotiate(filter)).toThrow(expect.objectContaining({ code: 'ERR_OPENSSL_STATE' }));
    expect(() => renegotiate(b)).toThrow(TypeError);
    filter.free();
    expect(() => renegotiate(filter)).toThrow(expect.objectContaining({ code: 'ERR_OPENSSL_FREED' }));
  });

  it('a peer that refuses it, as by default, lets the connection go on or ends it, and is never waited for in vain', async () => {
    const both = contextsOf('TLSv1.2', {}, allowed);
    const { client, server } = onDescriptors(
      'TLSv1.2',
      newSsl('TLSv1.2', 'connecting', both),
      newSsl('TLSv1.2', 'accepting', both),
    );
    await opened(client, server);
    client.enable('read');
    server.enable('read');
    renegotiate(client);
    await test.settle();
    expect(log.filter((line) => line.startsWith('client'))).toEqual([
      'client connected',
      'client error ERR_OPENSSL_PROTOCOL read',
    ]);
  });
});

describeWithOpenssl('little room below', () => {
  it('that is all there is, since somebody has lowered the marks, is used after a moment', async () => {
    const [a, b] = createPair(test.base);
    const client = OpensslBufferevent.filter(a, newSsl('TLSv1.3', 'connecting'), 'connecting');
    const server = OpensslBufferevent.filter(b, newSsl('TLSv1.3', 'accepting'), 'accepting');
    client.write(pattern(100 * KiB));
    await server.read(100 * KiB);
    a.setWatermarks('write', { high: 1000 });
    client.write(pattern(5000));
    const read = server.read(5000);
    await test.advance(1000);
    expect(Buffer.from((await read) as Uint8Array).equals(pattern(5000))).toBe(true);
    for (const end of [client, server]) end.free();
    await test.settle();
    expect(test.clock.pendingTimers).toBe(0);
  });

  for (const version of versions) {
    it(`as many records as the mark below has room for leave in one step, frames and all, ${version}`, async () => {
      const [a, b] = createPair(test.base);
      const client = OpensslBufferevent.filter(a, newSsl(version, 'connecting'), 'connecting');
      const server = OpensslBufferevent.filter(b, newSsl(version, 'accepting'), 'accepting');
      await opened(client, server);
      server.enable('read');
      await test.settle();
      const before = a.stats().sends;
      for (let at = 0; at < 64 * KiB; at += 16 * KiB) client.write(pattern(16 * KiB, at));
      await test.settle();
      expect(a.stats().sends - before).toBe(1);
      for (let at = 0; at < 64 * KiB; at += 16 * KiB) {
        const piece = await server.read(16 * KiB);
        expect(pattern(16 * KiB, at).equals(piece as Uint8Array)).toBe(true);
      }
      for (const end of [client, server]) end.free();
    });

    it(`what lies in front of memory that its user has detached still leaves, ${version}`, async () => {
      const [a, b] = createPair(test.base);
      const client = OpensslBufferevent.filter(a, newSsl(version, 'connecting'), 'connecting');
      const server = OpensslBufferevent.filter(b, newSsl(version, 'accepting'), 'accepting');
      await opened(client, server);
      client.setHandlers(events(log, 'client'));
      const detached = new Uint8Array(1000);
      for (let piece = 0; piece < 2; piece++) client.output.addReference(pattern(16 * KiB, piece));
      client.output.addReference(detached);
      structuredClone(detached.buffer, { transfer: [detached.buffer] });
      server.enable('read');
      await test.settle();
      expect(log).toEqual(['client error ERR_EVBUFFER_DETACHED write']);
      expect(Buffer.concat([pattern(16 * KiB, 0), pattern(16 * KiB, 1)]).equals(server.input.remove())).toBe(true);
      for (const end of [client, server]) end.free();
    });

    it(`memory of plaintext that its user has transferred away is not used for other connections, ${version}`, async () => {
      const both = ['one', 'other'].map((name) => {
        const [a, b] = createPair(test.base);
        const client = OpensslBufferevent.filter(a, newSsl(version, 'connecting'), 'connecting');
        const server = OpensslBufferevent.filter(b, newSsl(version, 'accepting'), 'accepting');
        return { client, server, name };
      });
      for (const { client, server, name } of both) {
        await opened(client, server);
        client.setHandlers(events(log, `client of ${name}`));
      }
      const [one, other] = both as [(typeof both)[0], (typeof both)[0]];
      one.server.enable('read');
      one.client.write(pattern(200 * KiB));
      await test.settle();
      const memories = new Set(one.server.input.peek().map(({ buffer }) => buffer));
      one.server.input.drain();
      for (const memory of memories) structuredClone(memory, { transfer: [memory as ArrayBuffer] });
      other.server.enable('read');
      other.client.write(pattern(60 * KiB));
      await test.settle();
      expect(log).toEqual([]);
      expect(pattern(60 * KiB).equals(other.server.input.remove())).toBe(true);
      for (const { client, server } of both) for (const end of [client, server]) end.free();
    });

    it.each([
      { how: 'into a narrow network', options: { network: { capacity: 10_000 } }, total: 1024 * KiB },
      { how: 'seven bytes at a time', options: { faults: { maxSend: 7 } }, total: 128 * KiB },
    ])(`TL-17: small writes leave in whole records $how, ${version}`, async ({ options, total }) => {
      const narrow = createTestBase(options);
      try {
        const { dialled, accepted } = await sockets(narrow);
        const { client, server: context } = contexts(version);
        const server = OpensslBufferevent.filter(accepted, new Ssl(context), 'accepting');
        const peer = new HandPeer(dialled, new SslBioPair(new Ssl(client, { servername: 'localhost' }), 'connecting'));
        await peer.shake();
        for (let sent = 0; sent < total; sent += 100) server.write(pattern(Math.min(100, total - sent), sent));
        const ended = server.end();
        const wire = new Evbuffer();
        for await (const chunk of dialled) wire.add(chunk);
        peer.tls.feed(wire.toUint8Array());
        const content = new Evbuffer();
        while (peer.tls.read(content, 64 * KiB) === 'more');
        expect(content.length).toBe(total);
        const records = recordsIn(wire.remove()).filter(({ type }) => type === 23);
        const large = records.filter(({ length }) => length > 300).length;
        expect(large / (total / (16 * KiB))).toBeLessThanOrEqual(1.05);
        // The tickets and the end of TLS 1.3.
        expect(records.length - large).toBeLessThanOrEqual(4);
        peer.tls.shutdown();
        peer.send();
        void dialled.end();
        expect(await ended).toEqual({ kind: 'clean' });
        expect(await tlsOutcome(server)).toEqual({ kind: 'clean' });
      } finally {
        await narrow[Symbol.asyncDispose]();
      }
    });
  }
});
