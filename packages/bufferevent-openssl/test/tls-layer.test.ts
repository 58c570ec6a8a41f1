// What the layer makes of its calls: ends, marks, records, answers, and what goes wrong.
import type { EventBase, EventBaseOptions } from 'bufferevent';
import { createTestBase, type TestBase } from 'bufferevent/testing';
import { Evbuffer } from 'evbuffer';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import {
  getOpensslError,
  getOpensslErrors,
  OpensslBufferevent,
  OpensslError,
  Ssl,
  SslContext,
  setHandshakeStepsPerTurn,
  TlsLayer,
  tlsOutcome,
} from '../src/index.js';
import { describeWithOpenssl, pki } from './in-memory.js';
import { withHandPeer } from './support/hand-peer.js';
import { events, pattern, recordsIn, rejection, securePair, text } from './support/secure-pair.js';
import { contexts, contextsOf, newSsl, versions } from './support/versions.js';

const KiB = 1024;
let test: TestBase;
let base: EventBase;
let log: string[];

function open(options: EventBaseOptions = {}): void {
  test = createTestBase(options);
  base = test.base;
  log = [];
}
beforeEach(() => open());
afterEach(() => test[Symbol.asyncDispose]());

describeWithOpenssl('the end', () => {
  for (const version of versions) {
    describe(version, () => {
      it('TL-10: end() sends what is queued, says close_notify, and is clean when the peer does the same', async () => {
        const { client, server, opened } = securePair(base, version, { log });
        client.write(pattern(100 * KiB));
        const ended = client.end();
        await opened;
        expect((await server.read(100 * KiB))?.length).toBe(100 * KiB);
        expect(await server.read()).toBeNull();
        const serverEnded = server.end();
        expect(await ended).toEqual({ kind: 'clean' });
        expect(await serverEnded).toEqual({ kind: 'clean' });
        expect(await tlsOutcome(client)).toEqual({ kind: 'clean' });
        expect(await tlsOutcome(server)).toEqual({ kind: 'clean' });
        await test.settle();
        // TL-11: the end of the transport behind it is not told again.
        expect(log.filter((line) => line === 'server eof')).toHaveLength(1);
        expect(log.filter((line) => line.includes('error'))).toEqual([]);
      });

      it('TL-8: a transport that ends without close_notify is a truncation: an error, after the data', async () => {
        const { bev, peer } = withHandPeer(base, version);
        bev.setHandlers(events(log, 'server'));
        await peer.shake();
        peer.write('all that comes');
        peer.bev.halfClose();
        expect(text(await bev.read(14))).toBe('all that comes');
        expect(await rejection(bev.read())).toMatchObject({ code: 'ERR_OPENSSL_TRUNCATED' });
        expect(await tlsOutcome(bev)).toMatchObject({ kind: 'truncated' });
        await test.settle();
        expect(log).toEqual(['server connected', 'server error ERR_OPENSSL_TRUNCATED read']);
      });

      it('TL-8: also inside a record', async () => {
        const { bev, peer } = withHandPeer(base, version);
        await peer.shake();
        peer.tls.write('cut');
        peer.bev.write(peer.tls.output.remove(10));
        peer.bev.halfClose();
        expect(await rejection(bev.read())).toMatchObject({ code: 'ERR_OPENSSL_TRUNCATED' });
      });

      it('TL-8: allowDirtyShutdown makes it an end; the outcome still says truncated', async () => {
        const { bev, peer } = withHandPeer(base, version, { layer: { allowDirtyShutdown: true } });
        bev.setHandlers(events(log, 'server'));
        await peer.shake();
        peer.write('all');
        peer.bev.halfClose();
        expect(text(await bev.read(3))).toBe('all');
        expect(await bev.read()).toBeNull();
        peer.bev.enable('read');
        expect(await bev.end()).toEqual({ kind: 'clean' });
        expect(await tlsOutcome(bev)).toMatchObject({ kind: 'truncated', error: { code: 'ERR_OPENSSL_TRUNCATED' } });
        expect(log).toEqual(['server connected', 'server eof']);
      });

      it('the outcome is what ended the connection later: a time-out, or free(), is not hidden by the truncation', async () => {
        for (const outcome of ['timeout', 'freed'] as const) {
          const { bev, peer } = withHandPeer(base, version, { layer: { allowDirtyShutdown: true } });
          await peer.shake();
          peer.bev.halfClose();
          expect(await bev.read()).toBeNull();
          if (outcome === 'freed') bev.free();
          else {
            // Nobody takes what is left.
            bev.write(pattern(1024 * KiB));
            bev.setTimeouts({ closeMs: 10 });
            void bev.end();
            await test.advance(20);
          }
          expect(await tlsOutcome(bev)).toMatchObject({ kind: outcome });
        }
      });

      it('TL-9: a reset is a reset, not an end, also with allowDirtyShutdown', async () => {
        const { bev, peer } = withHandPeer(base, version, { layer: { allowDirtyShutdown: true } });
        bev.setHandlers(events(log, 'server'));
        bev.enable('read');
        await peer.shake();
        await test.settle();
        peer.bev.setTimeouts({ closeMs: 10 });
        void peer.bev.end();
        bev.disable('read');
        await test.advance(20);
        bev.enable('read');
        await test.settle();
        expect(await tlsOutcome(bev)).toMatchObject({ kind: 'reset' });
        expect(log).toEqual(['server connected', 'server error ECONNRESET read']);
      });

      it('TL-13: after the peer’s close_notify one can still write', async () => {
        const { client, server, opened } = securePair(base, version);
        await opened;
        client.halfClose();
        expect(await server.read()).toBeNull();
        server.write(pattern(50 * KiB));
        expect(Buffer.from((await client.read(50 * KiB)) as Uint8Array).equals(pattern(50 * KiB))).toBe(true);
        const ended = server.end();
        expect(await client.read()).toBeNull();
        expect(await ended).toEqual({ kind: 'clean' });
      });

      it('TL-22: with reading disabled the end is held until it is enabled', async () => {
        const { client, server, opened } = securePair(base, version, { log });
        await opened;
        client.halfClose();
        await test.settle();
        expect(log.toSorted()).toEqual(['client connected', 'server connected']);
        server.enable('read');
        await test.settle();
        expect(log.at(-1)).toBe('server eof');
        expect(log).toHaveLength(3);
      });

      it('a transport that ends inside the handshake is one error without a direction', async () => {
        const { bev, peer, opened } = withHandPeer(base, version);
        bev.setHandlers(events(log, 'server'));
        peer.tls.handshake();
        peer.send();
        peer.bev.halfClose();
        expect(await rejection(opened)).toMatchObject({ code: 'ERR_BUFFEREVENT_UNEXPECTED_END' });
        await test.settle();
        expect(log).toEqual(['server error ERR_BUFFEREVENT_UNEXPECTED_END']);
      });
    });
  }
});

describeWithOpenssl('bytes', () => {
  for (const version of versions) {
    describe(version, () => {
      it('TL-3: what was written before and during the handshake is sent afterwards, in order', async () => {
        const { client, server, opened } = securePair(base, version);
        client.write('before ');
        server.write('too');
        await opened;
        client.write('after');
        expect(text(await server.read(12))).toBe('before after');
        expect(text(await client.read(3))).toBe('too');
      });

      it('arrive whole, both ways at once, through little room', async () => {
        const { client, server } = securePair(base, version);
        for (const end of [client, server]) {
          end.setWatermarks('read', { high: 5_000 });
          end.setWatermarks('write', { high: 3_000 });
        }
        const size = 700_001;
        client.write(pattern(size, 1));
        server.write(pattern(size, 2));
        const gather = async (end: typeof client): Promise<Buffer> => {
          const chunks: Uint8Array[] = [];
          for (let left = size; left > 0; ) {
            const chunk = (await end.read()) as Uint8Array;
            chunks.push(chunk);
            left -= chunk.length;
          }
          return Buffer.concat(chunks);
        };
        const [atServer, atClient] = await Promise.all([gather(server), gather(client)]);
        expect(atServer.equals(pattern(size, 1))).toBe(true);
        expect(atClient.equals(pattern(size, 2))).toBe(true);
      });

      it('TL-6: the high mark holds within one record, and nothing is stuck behind it', async () => {
        const { bev, peer } = withHandPeer(base, version);
        bev.setWatermarks('read', { high: 100 });
        const content = pattern(40_000);
        let most = 0;
        const taken: Uint8Array[] = [];
        bev.setHandlers({
          onRead() {
            most = Math.max(most, bev.input.length);
            taken.push(bev.input.remove(37));
          },
        });
        bev.enable('read');
        await peer.shake();
        peer.write(content);
        for (let left = content.length; left > 0; left = content.length - Buffer.concat(taken).length) {
          const before = taken.length;
          await test.settle();
          if (taken.length === before) taken.push(bev.input.remove(37));
        }
        expect(most).toBe(100);
        expect(Buffer.concat(taken).equals(content)).toBe(true);
      });

      it('TL-7: data in front of what is broken comes first, then the error', async () => {
        const { bev, peer } = withHandPeer(base, version);
        bev.setHandlers(events(log, 'server', { onRead: () => void log.push(`read ${text(bev.input.remove())}`) }));
        bev.enable('read');
        await peer.shake();
        peer.tls.write('good');
        peer.tls.write('bad!');
        const wire = Buffer.from(peer.tls.output.remove());
        wire[wire.length - 1] = (wire[wire.length - 1] as number) ^ 1;
        peer.bev.write(wire);
        await test.settle();
        expect(log).toEqual(['server connected', 'read good', 'server error ERR_OPENSSL_PROTOCOL read']);
        // And the peer is told why.
        const error = await rejection(peer.receive(1));
        expect(error).toMatchObject({ code: 'ERR_OPENSSL_PROTOCOL', alert: 20 });
      });

      it('TL-17: small writes leave in records of 16 KiB: at most 1.05 for each 16 KiB', async () => {
        const { bev, peer, opened } = withHandPeer(base, version);
        await peer.shake();
        await opened;
        const total = 1024 * KiB;
        for (let sent = 0; sent < total; sent += 100) bev.write(pattern(Math.min(100, total - sent), sent));
        let records = 0;
        let wire = Buffer.alloc(0);
        void bev.end();
        for await (const chunk of peer.bev) wire = Buffer.concat([wire, chunk]);
        for (const { type, length } of recordsIn(wire)) if (type === 23 && length > 100) records++;
        expect(records / (total / (16 * KiB))).toBeLessThanOrEqual(1.05);
        expect(records).toBeGreaterThanOrEqual(64);
      });

      it('TL-17: without batchWrites each piece of the output is a record of its own', async () => {
        const { bev, peer, opened } = withHandPeer(base, version, { layer: { batchWrites: false } });
        await peer.shake();
        await opened;
        await test.settle();
        // Tickets, if any.
        if (version === 'TLSv1.3') peer.tls.feed((await peer.bev.read()) as Uint8Array);
        bev.output.addReference(Buffer.from('one'));
        // Side by side in one memory.
        const memory = Buffer.from('twothree');
        bev.output.addLeased(memory, 0, 3, { release() {} }, 0);
        bev.output.addLeased(memory, 3, 8, { release() {} }, 0);
        const wire = (await peer.bev.read()) as Uint8Array;
        expect(recordsIn(wire)).toHaveLength(3);
        peer.tls.feed(wire);
        peer.tls.read(peer.received);
        expect(peer.text).toBe('onetwothree');
        const { bev: batched, peer: other, opened: otherOpened } = withHandPeer(base, version);
        await other.shake();
        await otherOpened;
        await test.settle();
        if (version === 'TLSv1.3') await other.bev.read();
        for (const piece of ['one', 'two', 'three']) batched.output.addReference(Buffer.from(piece));
        expect(recordsIn((await other.bev.read()) as Uint8Array)).toHaveLength(1);
      });
    });
  }
});

describeWithOpenssl('what is refused', () => {
  for (const version of versions) {
    describe(version, () => {
      it('plain HTTP on the port is one error that says so', async () => {
        const { bev, peer, opened } = withHandPeer(base, version);
        bev.setHandlers(events(log, 'server'));
        peer.bev.write('GET / HTTP/1.1\r\nHost: localhost\r\n\r\n');
        const error = (await rejection(opened)) as OpensslError;
        expect(error).toMatchObject({ code: 'ERR_OPENSSL_HANDSHAKE' });
        expect(error.message).toMatch(/http request/);
        await test.settle();
        expect(log).toEqual(['server error ERR_OPENSSL_HANDSHAKE']);
        // M8, TL-15
        expect(getOpensslErrors(bev)).toEqual(error.opensslErrors);
        expect(getOpensslError(bev)).toBe(error.opensslCode);
        expect(error.opensslCode).not.toBe(0);
      });

      it('an untrusted server: the client says which alert, and so hears the server', async () => {
        const both = contextsOf(version, {}, { ca: pki.otherCa.certPem });
        const { client, server, opened } = securePair(base, version, { contexts: both, log });
        server.enable('read');
        expect(await rejection(opened)).toMatchObject({ code: 'ERR_OPENSSL_VERIFY' });
        await test.settle();
        expect(log.toSorted()).toEqual(['client error ERR_OPENSSL_VERIFY', 'server error ERR_OPENSSL_HANDSHAKE']);
        expect(await server.closed).toMatchObject({ kind: 'error', error: { alert: 48 } });
        client.free();
      });

      it('an untrusted server hears why, although the client frees the connection at once', async () => {
        const both = contextsOf(version, {}, { ca: pki.otherCa.certPem });
        const [near, far] = test.network.socketPair();
        const client = OpensslBufferevent.socket(base, near, newSsl(version, 'connecting', both), 'connecting');
        const server = OpensslBufferevent.socket(base, far, newSsl(version, 'accepting', both), 'accepting');
        client.setHandlers({ onEvent: (bev) => bev.free() });
        server.enable('read');
        expect(await server.closed).toMatchObject({ kind: 'error', error: { alert: 48 } });
      });

      it('a client without the certificate that is demanded hears why', async () => {
        const server = { requestCert: true, ca: pki.ca.certPem };
        const { client, opened } = securePair(base, version, { server, log });
        opened.catch(() => {});
        client.enable('read');
        await test.settle();
        expect(await client.closed).toMatchObject({
          kind: 'error',
          error: { alert: version === 'TLSv1.3' ? 116 : 40 },
        });
      });

      it('an Ssl that is in use, or does not suit the state', async () => {
        const { server, clientLayer, opened } = securePair(base, version);
        await opened;
        const { client: other } = securePair(base, version);
        const insert = (layer: TlsLayer) => () => void other.insertLayer(layer);
        expect(insert(new TlsLayer(clientLayer.ssl, 'open'))).toThrow(
          expect.objectContaining({ code: 'ERR_OPENSSL_STATE' }),
        );
        expect(insert(clientLayer)).toThrow(TypeError);
        const fresh = new Ssl(contexts(version).client, { servername: 'localhost' });
        expect(insert(new TlsLayer(fresh, 'open'))).toThrow(expect.objectContaining({ code: 'ERR_OPENSSL_STATE' }));
        expect(() => new TlsLayer({} as Ssl, 'open')).toThrow(TypeError);
        expect(() => new TlsLayer(fresh, 'waiting' as 'open')).toThrow(TypeError);
        server.free();
        other.free();
      });
    });
  }
});

describeWithOpenssl('what users have to say', () => {
  for (const version of versions) {
    describe(version, () => {
      const chosen = () =>
        new SslContext({
          cert: pki.otherHost.chainPem,
          key: pki.otherHost.keyPem,
          minVersion: version,
          maxVersion: version,
        });

      it('onClientHello chooses a context, at once or after a while', async () => {
        for (const wait of [false, true]) {
          const other = chosen();
          let release: () => void = () => {};
          const asked: unknown[] = [];
          const { client, server, opened } = securePair(base, version, {
            server: {
              onClientHello(hello) {
                asked.push(hello);
                if (!wait) return other;
                return new Promise((resolve) => {
                  release = () => resolve(other);
                });
              },
            },
            client: { ALPNProtocols: ['a', 'b'] },
            ssl: { servername: 'other.example' },
          });
          await test.settle();
          expect(asked).toEqual([{ servername: 'other.example', alpnProtocols: ['a', 'b'] }]);
          release();
          await opened;
          client.write('through');
          expect(text(await server.read(7))).toBe('through');
          expect(asked).toHaveLength(1);
        }
      });

      it('what onClientHello throws or rejects with refuses the client, who gets an alert', async () => {
        for (const onClientHello of [
          () => {
            throw new Error('unknown');
          },
          async () => Promise.reject(new Error('unknown')),
        ]) {
          log = [];
          const { opened, client, server } = securePair(base, version, { server: { onClientHello }, log });
          const error = await rejection(opened);
          await test.settle();
          expect(error).toBeInstanceOf(OpensslError);
          expect(log.toSorted()).toEqual(['client error ERR_OPENSSL_HANDSHAKE', 'server error ERR_OPENSSL_HANDSHAKE']);
          expect(await client.closed).toMatchObject({ error: { alert: 80 } });
          expect(await server.closed).toMatchObject({ error: { cause: { message: 'unknown' } } });
        }
      });

      it('what onClientHello must not answer with refuses the client, who gets an alert', async () => {
        for (const answer of [5, 'context', true, {}]) {
          const { opened, client, server } = securePair(base, version, {
            server: { onClientHello: () => answer as never },
          });
          expect(await rejection(opened)).toBeInstanceOf(OpensslError);
          await test.settle();
          expect(await client.closed).toMatchObject({ error: { alert: 80 } });
          expect(await server.closed).toMatchObject({
            error: { code: 'ERR_OPENSSL_HANDSHAKE', cause: expect.any(TypeError) },
          });
        }
      });

      it('whoever is still asked hears by the signal that the connection is gone', async () => {
        let given: AbortSignal | null = null;
        const { server } = securePair(base, version, {
          server: {
            onClientHello(_, signal) {
              given = signal;
              return new Promise(() => {});
            },
          },
        });
        await test.settle();
        expect((given as unknown as AbortSignal).aborted).toBe(false);
        server.free();
        await test.settle();
        expect((given as unknown as AbortSignal).aborted).toBe(true);
      });

      it('verify is asked before the connection is announced, and may take its time', async () => {
        let release: (value: boolean) => void = () => {};
        const { client, server } = securePair(base, version, {
          log,
          client: { verify: () => new Promise<boolean>((resolve) => (release = resolve)) },
        });
        client.enable('read');
        server.write('early');
        await test.settle();
        expect(log.filter((line) => line.startsWith('client'))).toEqual([]);
        expect(client.input.length).toBe(0);
        release(true);
        await test.settle();
        expect(log).toContain('client connected');
        expect(text(await client.read(5))).toBe('early');
      });

      it('TL-8: verify that refuses is a failure of the handshake, and a truncation for a peer that is done with it', async () => {
        const { client, server, opened } = securePair(base, version, { log, client: { verify: async () => false } });
        server.enable('read');
        expect(await rejection(opened)).toMatchObject({ code: 'ERR_OPENSSL_VERIFY' });
        await test.settle();
        expect(log).toContain('client error ERR_OPENSSL_VERIFY');
        expect(client.enabled).toEqual(['write']);
        client.free();
        await test.settle();
        expect(log).toContain('server error ERR_OPENSSL_TRUNCATED read');
      });

      it('TL-8: a server that refuses by verify has not answered nothing: its client meets a truncation', async () => {
        const { client, server, opened } = securePair(base, version, {
          log,
          contexts: contextsOf(
            version,
            { requestCert: true, ca: pki.ca.certPem, verify: () => false },
            {
              cert: pki.client.certPem,
              key: pki.client.keyPem,
            },
          ),
        });
        client.enable('read');
        expect(await rejection(opened)).toMatchObject({ code: 'ERR_OPENSSL_VERIFY' });
        await test.settle();
        expect(log).toContain('server error ERR_OPENSSL_VERIFY');
        server.free();
        expect(await tlsOutcome(client)).toMatchObject({ kind: 'truncated' });
      });
    });
  }
});

describeWithOpenssl('bounds', () => {
  it('handshakes: so many steps a turn, the rest in the next, in the order of coming', async () => {
    setHandshakeStepsPerTurn(base, 1);
    const order: number[] = [];
    const pairs = Array.from({ length: 10 }, (_, index) => {
      const pair = securePair(base, 'TLSv1.3');
      void pair.opened.then(() => order.push(index));
      return pair;
    });
    // Each has a hello, a flight of the server, an answer, and its reading: four turns at the least.
    let turns = 0;
    while (order.length < pairs.length && turns < 100 * pairs.length) {
      await new Promise((resolve) => setImmediate(resolve));
      turns++;
    }
    expect(order).toEqual([...pairs.keys()]);
    expect(turns).toBeGreaterThanOrEqual(4 * pairs.length);
    expect(() => setHandshakeStepsPerTurn(base, 0)).toThrow(RangeError);
  });

  it('a handshake that waits for its turn and is given up leaves nothing behind', async () => {
    setHandshakeStepsPerTurn(base, 1);
    const pairs = Array.from({ length: 5 }, () => securePair(base, 'TLSv1.3'));
    await new Promise((resolve) => setImmediate(resolve));
    for (const { client, server } of pairs) {
      client.free();
      server.free();
    }
    await test.settle();
    const last = securePair(base, 'TLSv1.3');
    await last.opened;
  });

  it('a handshake that takes too long is one timeout event', async () => {
    const { bev, opened } = withHandPeer(base, 'TLSv1.3', { layer: { handshakeMs: 50 } });
    bev.setHandlers(events(log, 'server'));
    await test.advance(49);
    expect(log).toEqual([]);
    await test.advance(1);
    expect(log).toEqual(['server timeout handshake']);
    expect(await rejection(opened)).toMatchObject({ code: 'ERR_BUFFEREVENT_TIMEOUT' });
  });

  it('a peer that floods renegotiations without being allowed to is refused each time', async () => {
    const { bev, peer } = withHandPeer(base, 'TLSv1.2');
    bev.setHandlers(events(log, 'server'));
    bev.enable('read');
    await peer.shake();
    await test.settle();
    peer.bev.enable('read');
    peer.tls.renegotiate();
    peer.send();
    await test.settle();
    expect(bev.output.length).toBe(0);
    expect(log.filter((line) => line.includes('connected'))).toHaveLength(1);
  });

  it('TL-14: renegotiations of the peer above the limit of a minute end the connection', async () => {
    const both = contextsOf('TLSv1.2', { renegotiation: { perMinute: 2 } }, { renegotiation: { perMinute: 1 } });
    const { bev, peer } = withHandPeer(base, 'TLSv1.2', { contexts: both });
    bev.setHandlers(events(log, 'server'));
    bev.enable('read');
    await peer.shake();
    await test.settle();
    const again = async (): Promise<void> => {
      peer.tls.renegotiate();
      peer.send();
      await test.settle();
      for (let rounds = 0; rounds < 5; rounds++) {
        if (peer.bev.input.length > 0) peer.tls.feed(peer.bev.input.remove());
        peer.tls.read(peer.received);
        peer.send();
        peer.bev.enable('read');
        await test.settle();
      }
    };
    await again();
    await again();
    expect(log).toEqual(['server connected']);
    await test.advance(60_000);
    await again();
    await again();
    expect(log).toEqual(['server connected']);
    await again();
    expect(log).toEqual(['server connected', 'server error ERR_OPENSSL_RENEGOTIATION read']);
  });

  it('answers to a peer that asks for new keys without end, and reads nothing, have a bound', async () => {
    const { bev, peer } = withHandPeer(base, 'TLSv1.3');
    bev.enable('read');
    await peer.shake();
    await test.settle();
    // Reads nothing from here on.
    peer.bev.disable('read');
    for (let flood = 0; flood < 100; flood++) {
      for (let count = 0; count < 500; count++) {
        peer.tls.ssl.updateKeys({ requestPeer: true });
        peer.tls.write('x');
      }
      peer.send();
      await test.settle();
      bev.input.drain();
    }
    const waiting = bev.stats().bytesSent;
    expect(waiting).toBeLessThan(400 * KiB);
    // What is held back is not lost.
    bev.write('still there');
    peer.received.drain();
    await peer.receive(11);
    expect(peer.text).toBe('still there');
  }, 60_000);
});

describeWithOpenssl('an Ssl', () => {
  it('closeOnFree: it is freed with the layer, or lives on', async () => {
    const { client, server, clientLayer, serverLayer, opened } = securePair(base, 'TLSv1.3', {
      clientLayer: { closeOnFree: false },
    });
    await opened;
    client.free();
    server.free();
    await test.settle();
    expect(clientLayer.ssl.state).toBe('open');
    expect(serverLayer.ssl.state).toBe('freed');
    clientLayer.ssl.free();
  });

  it('sessions are told, and resume', async () => {
    for (const version of versions) {
      const sessions: Uint8Array[] = [];
      const both = contexts(version);
      const first = securePair(base, version, {
        contexts: both,
        ssl: { onSession: (session) => sessions.push(session) },
      });
      await first.opened;
      first.client.enable('read');
      await test.settle();
      expect(sessions.length).toBeGreaterThan(0);
      const second = securePair(base, version, { contexts: both, ssl: { session: sessions.at(-1) as Uint8Array } });
      await second.opened;
      expect(second.clientLayer.ssl.isSessionReused).toBe(true);
    }
  });

  it('lines for the key log come while the handshake goes on', async () => {
    const lines: string[] = [];
    const { opened } = securePair(base, 'TLSv1.3', { client: { keyLog: (line) => lines.push(line) } });
    await opened;
    expect(lines.some((line) => line.startsWith('CLIENT_TRAFFIC_SECRET_0 '))).toBe(true);
  });
});

describeWithOpenssl('layers over layers', () => {
  it('TLS in TLS: both ends, and ends one after the other', async () => {
    const { client, server, opened } = securePair(base, 'TLSv1.3', { log });
    const { client: cc, server: sc } = contexts('TLSv1.2');
    const inner = Promise.all([
      client.insertLayer(new TlsLayer(new Ssl(cc, { servername: 'localhost' }), 'connecting')),
      server.insertLayer(new TlsLayer(new Ssl(sc), 'accepting')),
    ]);
    await opened;
    await inner;
    const content = pattern(300 * KiB);
    client.write(content);
    const ended = client.end();
    const received = new Evbuffer();
    for await (const chunk of server) received.add(chunk);
    expect(Buffer.from(received.remove()).equals(content)).toBe(true);
    expect(await server.end()).toEqual({ kind: 'clean' });
    expect(await ended).toEqual({ kind: 'clean' });
  });
});
