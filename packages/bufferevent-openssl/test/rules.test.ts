// Rules of TLS that no other file here cites, and those that hold for each kind of connection, on each of them.
import { type Bufferevent, connect, EventBase, listen, SocketBufferevent } from 'bufferevent';
import { createTestBase, ManualClock } from 'bufferevent/testing';
import { createMemoryBackend, MemoryNetwork, withTrace } from 'bufferevent-backend/memory';
import { describe, expect, it } from 'vitest';
import {
  getSsl,
  type OpensslBufferevent,
  OpensslBufferevent as OpensslBuffereventKinds,
  renegotiate,
  type Ssl,
  TlsLayer,
} from '../src/index.js';
import { describeWithOpenssl } from './in-memory.js';
import { beds, inBeds, kindsOf, loopback } from './support/beds.js';
import { withHandPeer } from './support/hand-peer.js';
import { ScriptedTls } from './support/scripted-tls.js';
import { events, pattern, securePair } from './support/secure-pair.js';
import { contextsOf, newSsl, versions } from './support/versions.js';
import { turn, until } from './support/wait.js';

const allowing = contextsOfRenegotiation();

/** TLS 1.2, where the client may renegotiate. */
function contextsOfRenegotiation() {
  return { contexts: contextsOf('TLSv1.2', { renegotiation: { perMinute: 10 } }) };
}

describeWithOpenssl('the handshake', () => {
  inBeds(beds, (bed) => {
    for (const version of versions) {
      for (const kind of kindsOf(bed)) {
        it(`TL-1, TL-2: goes on with everything disabled, and changes nothing of that (${kind}, ${version})`, async () => {
          const log: string[] = [];
          const [near, far] = await bed.transports(kind);
          const client = bed.secure(near, newSsl(version, 'connecting'), 'connecting', {
            handlers: events(log, 'client'),
          });
          const server = bed.secure(far, newSsl(version, 'accepting'), 'accepting', {
            handlers: events(log, 'server'),
          });
          for (const bev of [client, server]) bev.disable('read', 'write');
          server.write('waits');
          await until(() => log.length === 2, 'both handshakes');
          expect([...log].sort()).toEqual(['client connected', 'server connected']);
          expect([client.enabled, server.enabled]).toEqual([[], []]);
          client.enable('read');
          server.enable('write');
          expect(`${await client.read(5)}`).toBe('waits');
        });

        it(`TL-2, TL-3: connected is told before anything is read, and one can write from there (${kind}, ${version})`, async () => {
          const log: string[] = [];
          const [near, far] = await bed.transports(kind);
          const client = bed.secure(near, newSsl(version, 'connecting'), 'connecting');
          const server = bed.secure(far, newSsl(version, 'accepting'), 'accepting');
          client.setHandlers(
            events(log, 'client', {
              onEvent: (bev) => void bev.write('from the event'),
              onRead: (bev) => read(bev, log),
            }),
          );
          server.setHandlers(events(log, 'server', { onRead: (bev) => read(bev, log) }));
          server.write('from before');
          client.enable('read');
          server.enable('read');
          await until(
            () => log.length === 4,
            'both messages',
            () => log.join(),
          );
          expect(log.filter((line) => line.includes('from the event') || line.startsWith('server'))).toEqual([
            'server connected',
            'from the event',
          ]);
          expect(log.filter((line) => line.includes('from before') || line.startsWith('client'))).toEqual([
            'client connected',
            'from before',
          ]);
        });

        it(`TL-11: the end of the transport behind close_notify is not told (${kind}, ${version})`, async () => {
          const log: string[] = [];
          const [near, far] = await bed.transports(kind);
          const client = bed.secure(near, newSsl(version, 'connecting'), 'connecting');
          const server = bed.secure(far, newSsl(version, 'accepting'), 'accepting', {
            handlers: events(log, 'server'),
          });
          server.enable('read');
          let tickets = 0;
          client.ssl.onSession = () => void tickets++;
          client.enable('read');
          client.write('all');
          client.halfClose();
          await until(() => log.includes('server eof'), 'the end');
          // The tickets of TLS 1.3 are still on their way.
          await until(() => version === 'TLSv1.2' || tickets === 2, 'the tickets');
          client.free();
          for (let turns = 0; turns < 20; turns++) await turn();
          expect(log).toEqual(['server connected', 'server eof']);
          expect(server.input.toString()).toBe('all');
          server.free();
        });
      }

      it(`TL-11: a refused connection is one event (${version})`, async () => {
        const listener = await listen(loopback, { onConnection() {} }, { base: bed.base });
        const { address } = listener;
        await listener.close();
        for (const kind of ['socket', 'filter'] as const) {
          const log: string[] = [];
          const handlers = events(log, kind);
          const ssl = newSsl(version, 'connecting');
          let socket: SocketBufferevent;
          let client: OpensslBufferevent;
          if (kind === 'socket') {
            socket = OpensslBuffereventKinds.socket(bed.base, -1, ssl, 'connecting', { handlers });
            client = socket as OpensslBufferevent;
          } else {
            socket = new SocketBufferevent(bed.base);
            client = OpensslBuffereventKinds.filter(socket, ssl, 'connecting', { handlers });
          }
          client.enable('read');
          socket.connect(address as { ip: string; port: number });
          await until(() => log.length > 0, 'the error');
          for (let turns = 0; turns < 20; turns++) await turn();
          expect(log).toEqual([`${kind} error ECONNREFUSED`]);
          client.free();
        }
      });
    }
  });

  for (const version of versions) {
    it(`TL-19: a server that begins a second late costs no busy loop (${version})`, async () => {
      const clock = new ManualClock();
      const network = new MemoryNetwork();
      const traced = withTrace(createMemoryBackend(network), { capacity: 100_000 });
      const bases = [
        new EventBase({ backend: traced, clock }),
        new EventBase({ backend: createMemoryBackend(network), clock }),
      ];
      const [clientBase, serverBase] = bases as [EventBase, EventBase];
      const accepted: SocketBufferevent[] = [];
      const onConnection = (bev: SocketBufferevent): void => void accepted.push(bev);
      const listener = await listen(loopback, { onConnection }, { base: serverBase });
      const client = OpensslBuffereventKinds.socket(clientBase, -1, newSsl(version, 'connecting'), 'connecting');
      client.connect(listener.address as { ip: string; port: number });
      client.write('hello');
      await until(() => accepted.length === 1, 'the connection');
      for (let ms = 0; ms < 1000; ms += 10) {
        clock.advance(10);
        await turn();
      }
      const server = accepted[0] as SocketBufferevent;
      void server.insertLayer(new TlsLayer(newSsl(version, 'accepting'), 'accepting'));
      expect(`${await server.read(5)}`).toBe('hello');
      const lines = traced.lines();
      const submitted = (verb: string): number => lines.filter((line) => line.includes(`: ${verb}(`)).length;
      expect(submitted('recv')).toBeGreaterThan(0);
      expect(submitted('send')).toBeGreaterThan(0);
      expect(submitted('recv')).toBeLessThanOrEqual(10);
      expect(submitted('send')).toBeLessThanOrEqual(10);
      for (const base of bases) await base[Symbol.asyncDispose]();
    });
  }
});

function read(bev: Bufferevent, log: string[]): void {
  log.push(`${bev.input.toString('latin1')}`);
  bev.input.drain(bev.input.length);
}

describeWithOpenssl('directions that wait for each other', () => {
  it('TL-4: a write that waits for the peer (a renegotiation) leaves reading alone, and goes on after it', async () => {
    await using test = createTestBase();
    const log: string[] = [];
    const { client, server, opened } = securePair(test.base, 'TLSv1.2', { ...allowing, log });
    await opened;
    await test.settle();
    log.length = 0;
    // Nobody at the server reads: what the client asks for is not answered.
    server.disable('read');
    renegotiate(client);
    client.write('after it');
    await test.settle();
    server.write('meanwhile');
    expect(`${await client.read(9)}`).toBe('meanwhile');
    expect(log).toEqual([]);
    client.enable('read');
    expect(`${await server.read(8)}`).toBe('after it');
    await test.settle();
    expect(log).toEqual(['client connected']);
  });

  it('TL-4: a read that has to answer the peer (new keys) does so with writing disabled', async () => {
    await using test = createTestBase();
    const { client, server, opened } = securePair(test.base, 'TLSv1.3', {});
    await opened;
    server.disable('write');
    server.enable('read');
    (getSsl(client) as Ssl).updateKeys({ requestPeer: true });
    client.write('with new keys');
    await until(() => server.input.length === 13, 'the bytes');
    const before = client.stats().bytesReceived;
    client.enable('read');
    await test.settle();
    // Its own key update, though nothing of the user's may leave.
    expect(client.stats().bytesReceived).toBeGreaterThan(before);
    server.enable('write');
    server.write('answered');
    expect(`${await client.read(8)}`).toBe('answered');
  });

  it('TL-5: what is written behind a write that waits arrives behind it, whole', async () => {
    await using test = createTestBase();
    const { client, server, opened } = securePair(test.base, 'TLSv1.2', allowing);
    await opened;
    server.disable('read');
    renegotiate(client);
    client.enable('read');
    const parts = [10, 20_000, 1, 40_000].map((size, index) => pattern(size, index + 1));
    for (const part of parts) {
      client.write(part);
      await test.settle();
    }
    const whole = Buffer.concat(parts);
    expect(whole.equals((await server.read(whole.length)) as Uint8Array)).toBe(true);
  });
});

describeWithOpenssl('terminal events', () => {
  for (const version of versions) {
    describe(version, () => {
      it('TL-12: after an error nothing is told any more, also when reading is enabled again', async () => {
        await using test = createTestBase();
        const log: string[] = [];
        const { bev, peer } = withHandPeer(test.base, version);
        bev.setHandlers(events(log, 'server'));
        await peer.shake();
        bev.enable('read');
        await test.settle();
        peer.bev.write(new Uint8Array(100).fill(0x17));
        await test.settle();
        expect(log).toEqual(['server connected', 'server error ERR_OPENSSL_PROTOCOL read']);
        peer.bev.write(new Uint8Array(100).fill(0x17));
        peer.bev.halfClose();
        bev.enable('read', 'write');
        await test.settle();
        expect(log).toHaveLength(2);
        expect(bev.freed).toBe(false);
        expect(bev.input.length).toBe(0);
      });

      it('TL-16: flushing changes nothing of what is on its way, and says no end', async () => {
        await using test = createTestBase();
        const log: string[] = [];
        const arrived: SocketBufferevent[] = [];
        const layerOf = (state: 'connecting' | 'accepting') => new TlsLayer(newSsl(version, state), state);
        const listener = await test.listen({ onConnection: (bev) => void arrived.push(bev) });
        const client = await connect(listener.address as { ip: string; port: number }, undefined, { base: test.base });
        await test.settle();
        const server = arrived[0] as SocketBufferevent;
        server.setHandlers(events(log, 'server'));
        await Promise.all([server.insertLayer(layerOf('accepting')), client.insertLayer(layerOf('connecting'))]);
        for (const mode of ['normal', 'flush', 'finished'] as const) {
          client.write(mode);
          client.flush('write', mode);
          server.flush('read', mode);
          expect(`${await server.read(mode.length)}`).toBe(mode);
        }
        client.write('and goes on');
        expect(`${await server.read(11)}`).toBe('and goes on');
        expect(log).toEqual(['server connected']);
      });

      it('TL-21: a time-out below is told above, and so is an error, once', async () => {
        await using test = createTestBase();
        const log: string[] = [];
        const [below, peer] = await test.connect();
        const client = OpensslBuffereventKinds.filter(below, newSsl(version, 'connecting'), 'connecting', {
          handlers: events(log, 'client'),
        });
        client.enable('read');
        await new ScriptedTls(test, peer, version, 'accepting').shake();
        below.setTimeouts({ readMs: 100 });
        await test.advance(100);
        expect(log).toEqual(['client connected', 'client timeout read']);
        client.enable('read');
        await test.settle();
        peer.reset();
        await test.settle();
        expect(log).toEqual(['client connected', 'client timeout read', 'client error ECONNRESET read']);
      });
    });
  }
});
