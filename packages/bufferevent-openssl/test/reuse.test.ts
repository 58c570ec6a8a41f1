// An Ssl that goes on with another connection: what is left of the last one, and who may say so.
import { connect, type SocketBufferevent } from 'bufferevent';
import { createTestBase, type TestBase } from 'bufferevent/testing';
import { afterEach, beforeEach, expect, it } from 'vitest';
import { OpensslBufferevent, Ssl, SslContext, TlsLayer } from '../src/index.js';
import { describeWithOpenssl, pki, serverContext } from './in-memory.js';
import { events, text } from './support/secure-pair.js';
import { contexts, newSsl } from './support/versions.js';

let test: TestBase;
let log: string[];

beforeEach(() => {
  test = createTestBase();
  log = [];
});
afterEach(() => test[Symbol.asyncDispose]());

const otherHost = () => new SslContext({ cert: pki.otherHost.chainPem, key: pki.otherHost.keyPem });
const clientOf = (descriptor: number, servername: string) =>
  OpensslBufferevent.socket(test.base, descriptor, new Ssl(contexts('TLSv1.3').client, { servername }), 'connecting', {
    handlers: events(log, servername),
  });

describeWithOpenssl('reset()', () => {
  it('TL-18: goes back to the context it was made with; onClientHello is asked about each peer', async () => {
    const other = otherHost();
    const asked: (string | null)[] = [];
    const own = serverContext({
      onClientHello({ servername }) {
        asked.push(servername);
        return servername === 'other.example' ? other : null;
      },
    });
    const [near, far] = test.network.socketPair();
    const ssl = new Ssl(own);
    const server = OpensslBufferevent.socket(test.base, near, ssl, 'accepting');
    clientOf(far, 'other.example');
    await test.settle();
    expect(ssl.context).toBe(other);
    for (const name of ['localhost', 'other.example', 'localhost']) {
      const [next, dialled] = test.network.socketPair();
      await server.setDescriptor(next);
      expect(ssl.context).toBe(own);
      const client = clientOf(dialled, name);
      client.write(name);
      expect(text(await server.read(name.length))).toBe(name);
    }
    expect(asked).toEqual(['other.example', 'localhost', 'other.example', 'localhost']);
    expect(log.filter((line) => line.includes('error'))).toEqual([]);
    test.network.closeDescriptor(near);
  });

  it('stays a server, and begins anew from the state idle, after another context was chosen', async () => {
    const other = otherHost();
    const ssl = new Ssl(serverContext({ onClientHello: () => other }));
    const [near, far] = test.network.socketPair();
    const server = OpensslBufferevent.socket(test.base, near, ssl, 'accepting', { closeOnFree: false });
    const client = clientOf(far, 'other.example');
    await test.settle();
    server.free();
    client.free();
    await test.settle();
    ssl.reset();
    expect([ssl.state, ssl.isServer]).toEqual(['idle', true]);
    expect(() => ssl.start('connecting')).toThrow(expect.objectContaining({ code: 'ERR_OPENSSL_STATE' }));
    expect(() => ssl.start('accepting')).not.toThrow();
    ssl.free();
    test.network.closeDescriptor(near);
  });

  it('is refused while a connection uses the Ssl, which goes on', async () => {
    const ssl = newSsl('TLSv1.3', 'accepting');
    const [near, far] = test.network.socketPair();
    const server = OpensslBufferevent.socket(test.base, near, ssl, 'accepting');
    const client = clientOf(far, 'localhost');
    await test.settle();
    expect(() => ssl.reset()).toThrow(expect.objectContaining({ code: 'ERR_OPENSSL_STATE' }));
    client.write('on');
    expect(text(await server.read(2))).toBe('on');
  });
});

describeWithOpenssl('another descriptor', () => {
  it('a late answer of onClientHello about the peer before changes nothing of the next', async () => {
    const answers: ((context: SslContext | null) => void)[] = [];
    const own = serverContext({ onClientHello: () => new Promise((resolve) => void answers.push(resolve)) });
    const [near, far] = test.network.socketPair();
    const server = OpensslBufferevent.socket(test.base, near, new Ssl(own), 'accepting');
    clientOf(far, 'other.example');
    await test.settle();
    const [next, dialled] = test.network.socketPair();
    await server.setDescriptor(next);
    const client = clientOf(dialled, 'localhost');
    await test.settle();
    expect(answers).toHaveLength(2);
    answers[0]?.(otherHost());
    await test.settle();
    expect(server.ssl.context).toBe(own);
    answers[1]?.(null);
    client.write('through');
    expect(text(await server.read(7))).toBe('through');
    test.network.closeDescriptor(near);
  });

  it('TL-18: an Ssl that can’t begin anew is an error of the connection, and the descriptor stays the caller’s', async () => {
    const ssl = newSsl('TLSv1.3', 'accepting');
    const [near, far] = test.network.socketPair();
    const server = OpensslBufferevent.socket(test.base, near, ssl, 'accepting', { handlers: events(log, 'server') });
    const client = clientOf(far, 'localhost');
    await test.settle();
    log.length = 0;
    ssl.free();
    const [next, other] = test.network.socketPair();
    expect(() => server.setDescriptor(next)).toThrow(expect.objectContaining({ code: 'ERR_OPENSSL_FREED' }));
    expect(server.descriptor).toBe(near);
    await test.settle();
    expect(log).toEqual(['server error ERR_OPENSSL_FREED']);
    // It is nobody's.
    const again = OpensslBufferevent.socket(test.base, next, newSsl('TLSv1.3', 'accepting'), 'accepting');
    const peer = clientOf(other, 'localhost');
    peer.write('usable');
    expect(text(await again.read(6))).toBe('usable');
    for (const end of [server, client, again, peer]) end.free();
    await test.settle();
    expect(test.network.openDescriptors).toBe(0);
  });

  it('a connection that was accepted counts at its listener until it is gone, also when that fails', async () => {
    const accepted: SocketBufferevent[] = [];
    const listener = await test.listen({ onConnection: (bev) => void accepted.push(bev) });
    const dialled = await connect(listener.address, {}, { base: test.base });
    await test.settle();
    const ssl = newSsl('TLSv1.3', 'accepting');
    const bev = accepted[0] as SocketBufferevent;
    void bev.insertLayer(new TlsLayer(ssl, 'accepting'));
    void dialled.insertLayer(new TlsLayer(newSsl('TLSv1.3', 'connecting'), 'connecting'));
    await test.settle();
    ssl.free();
    const [next, other] = test.network.socketPair();
    expect(() => bev.setDescriptor(next)).toThrow(expect.objectContaining({ code: 'ERR_OPENSSL_FREED' }));
    await test.settle();
    expect(listener.connections).toBe(1);
    bev.free();
    await test.settle();
    expect(listener.connections).toBe(0);
    for (const descriptor of [next, other]) test.network.closeDescriptor(descriptor);
  });
});
