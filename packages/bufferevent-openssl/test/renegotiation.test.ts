// Renegotiations (TLS 1.2) that meet an end, or a user who wants no payload.
import { type Bufferevent, createPair, FilterBufferevent } from 'bufferevent';
import { createTestBase, type TestBase } from 'bufferevent/testing';
import { Evbuffer } from 'evbuffer';
import { afterEach, beforeEach, expect, it } from 'vitest';
import { getSsl, OpensslBufferevent, renegotiate, type Ssl, type TlsState, tlsOutcome } from '../src/index.js';
import { describeWithOpenssl } from './in-memory.js';
import { type HandPeer, withHandPeer } from './support/hand-peer.js';
import { events, pattern, securePair } from './support/secure-pair.js';
import { type Contexts, contextsOf, newSsl } from './support/versions.js';

const KiB = 1024;
const allowed = { renegotiation: { perMinute: 10 } };
let test: TestBase;
let log: string[];
let contexts: Contexts;

beforeEach(() => {
  test = createTestBase();
  log = [];
  contexts = contextsOf('TLSv1.2', allowed, allowed);
});
afterEach(() => test[Symbol.asyncDispose]());

async function open() {
  const pair = securePair(test.base, 'TLSv1.2', { contexts, log });
  await pair.opened;
  await test.settle();
  log.length = 0;
  return pair;
}

/** Lets the peer answer as often as a handshake may want. */
async function finishHandshake(peer: HandPeer): Promise<void> {
  peer.bev.enable('read');
  for (let flights = 0; flights < 4; flights++) {
    await test.settle();
    peer.tls.feed(peer.bev.input.remove());
    peer.tls.read(peer.received);
    peer.send();
  }
}

describeWithOpenssl('the end in a renegotiation', () => {
  it('TL-10: of our own: end() says close_notify behind it, and both ends are clean', async () => {
    const { client, server } = await open();
    // The server answers nothing yet.
    server.disable('read');
    renegotiate(client);
    const first = client.end();
    await test.settle();
    expect(log).toEqual([]);
    expect(await server.read()).toBeNull();
    const second = server.end();
    expect(await first).toEqual({ kind: 'clean' });
    expect(await second).toEqual({ kind: 'clean' });
    expect(await tlsOutcome(server)).toEqual({ kind: 'clean' });
    expect(log.filter((line) => line.includes('error'))).toEqual([]);
  });

  it('of the peer, or of our own, is not followed by one, and what is written then still arrives', async () => {
    const { client, server } = await open();
    void server.halfClose();
    expect(await client.read()).toBeNull();
    for (const end of [client, server]) {
      expect(() => renegotiate(end)).toThrow(expect.objectContaining({ code: 'ERR_OPENSSL_STATE' }));
    }
    client.write('goodbye');
    expect(Buffer.from((await server.read(7)) as Uint8Array).toString()).toBe('goodbye');
  });

  it('TL-10: of the peer: end() says close_notify behind it; before a request is answered, at once', async () => {
    for (const inside of [true, false]) {
      const { bev, peer } = withHandPeer(test.base, 'TLSv1.2', { contexts, isServer: true });
      bev.enable('read');
      await peer.shake();
      await test.settle();
      peer.tls.renegotiate();
      if (inside) peer.send();
      peer.bev.enable('read');
      await test.settle();
      const ended = bev.end();
      let closed = false;
      for (let flights = 0; flights < 4 && !closed; flights++) {
        await test.settle();
        peer.tls.feed(peer.bev.input.remove());
        closed = peer.tls.read(peer.received) === 'closed';
        peer.send();
      }
      expect(closed).toBe(true);
      peer.tls.shutdown();
      peer.send();
      void peer.bev.end();
      expect(await ended).toEqual({ kind: 'clean' });
    }
  });

  it('TL-10: a request for a renegotiation that the client does not answer keeps no end waiting', async () => {
    const { bev, peer } = withHandPeer(test.base, 'TLSv1.2', { contexts });
    bev.enable('read');
    await peer.shake();
    await test.settle();
    renegotiate(bev);
    void bev.end();
    await test.settle();
    const bytes = peer.bev.input.length;
    peer.bev.enable('read');
    await test.settle();
    expect(peer.bev.input.length).toBeGreaterThan(bytes);
    expect(peer.bev.readEnded).toBe(true);
    bev.free();
  });

  it('TL-10: a pair says it behind what waited', async () => {
    const { bev, peer } = withHandPeer(test.base, 'TLSv1.2', { contexts });
    bev.enable('read');
    await peer.shake();
    await test.settle();
    peer.tls.renegotiate();
    peer.tls.write('later');
    peer.tls.shutdown();
    peer.tls.shutdown();
    expect(peer.tls.ssl.hasSentClose).toBe(false);
    peer.send();
    const received = bev.read(5);
    await test.settle();
    await finishHandshake(peer);
    expect(`${await received}`).toBe('later');
    expect(await bev.read()).toBeNull();
    expect(() => peer.tls.write('more')).toThrow(expect.objectContaining({ code: 'ERR_OPENSSL_STATE' }));
  });
});

describeWithOpenssl('a renegotiation while no payload is wanted', () => {
  for (const initiator of ['client', 'server'] as const) {
    it(`TL-1: of the ${initiator}: goes on with everything disabled, and delivers nothing`, async () => {
      const { client, server } = await open();
      const before = (getSsl(client) as Ssl).finished;
      for (const end of [client, server]) end.disable('read', 'write');
      const [near, far] = initiator === 'client' ? [client, server] : [server, client];
      far.enable('write');
      far.write('from before');
      await test.settle();
      renegotiate(near);
      far.enable('read');
      await test.settle();
      expect(log).toEqual([`${initiator} connected`]);
      expect((getSsl(client) as Ssl).finished).not.toEqual(before);
      expect(near.enabled).toEqual([]);
      expect(near.input.length).toBe(0);
      far.write(', and after');
      expect(`${await near.read(22)}`).toBe('from before, and after');
    });
  }

  for (const kind of ['filter', 'socket', 'layer under a filter'] as const) {
    it(`TL-1: also of a ${kind}`, async () => {
      const ssls = [newSsl('TLSv1.2', 'connecting', contexts), newSsl('TLSv1.2', 'accepting', contexts)] as const;
      const [near, far] = kind === 'socket' ? test.network.socketPair() : createPair(test.base);
      const secure = (below: Bufferevent | number, ssl: Ssl, state: TlsState): Bufferevent =>
        typeof below === 'number'
          ? OpensslBufferevent.socket(test.base, below, ssl, state)
          : OpensslBufferevent.filter(below, ssl, state);
      const client = secure(near, ssls[0], 'connecting');
      const server = secure(far, ssls[1], 'accepting');
      await test.settle();
      const before = ssls[0].finished;
      expect(before).not.toBeNull();
      const top = kind === 'layer under a filter' ? new FilterBufferevent(client, {}) : client;
      top.disable('read', 'write');
      server.enable('read');
      renegotiate(client);
      await test.settle();
      expect(ssls[0].finished).not.toEqual(before);
      for (const end of [top, server]) end.free();
    });
  }

  it('payload before its end waits up to a bound, and arrives whole and in order', async () => {
    const { client, server } = await open();
    const content = pattern(300 * KiB);
    server.write(content);
    await test.settle();
    renegotiate(client);
    server.enable('read');
    await test.settle();
    expect(client.input.length).toBe(0);
    expect(client.stats().bytesReceived).toBeLessThan(250 * KiB);
    const received = new Evbuffer();
    while (received.length < content.length) received.add((await client.read()) as Uint8Array);
    expect(Buffer.from(received.remove()).equals(content)).toBe(true);
    client.enable('read');
    await test.settle();
    expect(log).toEqual(['client connected']);
  });

  for (const initiator of ['client', 'server'] as const) {
    it(`of the ${initiator}, behind payload that was decrypted and has no room, loses none and goes on`, async () => {
      const { client, server } = await open();
      const [near, far] = initiator === 'client' ? [client, server] : [server, client];
      const ssl = getSsl(near) as Ssl;
      const before = ssl.finished;
      const content = pattern(KiB);
      near.setWatermarks('read', { high: 100 });
      near.enable('read');
      far.write(content);
      await test.settle();
      expect([near.input.length, ssl.pending]).toEqual([100, KiB - 100]);
      renegotiate(near);
      far.enable('read');
      near.write('meanwhile');
      await test.settle();
      expect(log).toEqual([`${initiator} connected`]);
      expect(ssl.finished).not.toEqual(before);
      expect(far.input.toString()).toBe('meanwhile');
      near.setWatermarks('read', { high: 0 });
      expect(Buffer.from((await near.read(KiB)) as Uint8Array).equals(content)).toBe(true);
    });

    it(`of the ${initiator}, behind payload for which its peer has no room, waits and breaks nothing`, async () => {
      const { client, server } = await open();
      const [near, far] = initiator === 'client' ? [client, server] : [server, client];
      const content = pattern(KiB);
      far.setWatermarks('read', { high: 100 });
      far.enable('read');
      near.enable('read');
      near.write(content);
      await test.settle();
      renegotiate(near);
      await test.settle();
      far.write('meanwhile');
      await test.settle();
      expect(log).toEqual([]);
      far.setWatermarks('read', { high: 0 });
      await test.settle();
      expect(log).toEqual([`${initiator} connected`]);
      expect(Buffer.from(far.input.remove()).equals(content)).toBe(true);
      expect(near.input.toString()).toBe('meanwhile');
    });
  }

  it('is not met by what is written while payload before its answer waits for the next turn', async () => {
    await test[Symbol.asyncDispose]();
    test = createTestBase({ limits: { bytesPerTurn: KiB } });
    const { bev, peer } = withHandPeer(test.base, 'TLSv1.2', { contexts, isServer: true });
    bev.setHandlers(events(log, 'client'));
    bev.enable('read');
    await peer.shake();
    await test.settle();
    const content = pattern(10 * KiB);
    renegotiate(bev);
    bev.write('meanwhile');
    peer.write(content);
    await finishHandshake(peer);
    await test.settle();
    expect(log).toEqual(['client connected', 'client connected']);
    expect(Buffer.from(bev.input.remove()).equals(content)).toBe(true);
    expect(peer.text).toBe('meanwhile');
  });

  it('TL-7: a failure behind payload that waits comes after it, an end too', async () => {
    for (const fails of [true, false]) {
      log = [];
      const { bev, peer } = withHandPeer(test.base, 'TLSv1.2', { contexts, isServer: true });
      bev.setHandlers(events(log, 'client'));
      await peer.shake();
      await test.settle();
      renegotiate(bev);
      peer.write('before');
      if (fails) peer.bev.write(new Uint8Array(100).fill(0x17));
      else {
        peer.tls.shutdown();
        peer.send();
      }
      await test.settle();
      expect(log).toEqual(['client connected']);
      expect(`${await bev.read(6)}`).toBe('before');
      bev.enable('read');
      await test.settle();
      expect(log.at(-1)).toBe(fails ? 'client error ERR_OPENSSL_PROTOCOL read' : 'client eof');
      bev.free();
    }
  });
});
