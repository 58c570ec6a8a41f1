// STARTTLS: a connection that is in use goes on under TLS.
import { type Bufferevent, connect, createPair, EventBase, listen, type SocketBufferevent } from 'bufferevent';
import { createTestBase } from 'bufferevent/testing';
import type { Backend } from 'bufferevent-backend';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { getSsl, type OpensslError, SslContext, type UpgradeTlsOptions, upgradeToTls } from '../src/index.js';
import { describeWithOpenssl, pki } from './in-memory.js';
import { events, pattern, rejection, text } from './support/secure-pair.js';
import { systemBackends } from './support/system-backends.js';
import { until } from './support/wait.js';

const KiB = 1024;
const asServer = { isServer: true, cert: pki.server.chainPem, key: pki.server.keyPem } as const;
const asClient = { servername: 'localhost', ca: pki.ca.certPem } as const;

interface Ends {
  readonly client: Bufferevent;
  readonly server: Bufferevent;
}

function bodies(connected: () => Promise<Ends>): void {
  it('both sides agree, then speak TLS on the same objects; handlers, marks and context stay', async () => {
    const { client, server } = await connected();
    const log: string[] = [];
    const own = events(log, 'server');
    server.setHandlers(own);
    server.context = { state: 'kept' };
    server.setWatermarks('read', { high: 12_345 });
    client.write('STARTTLS\r\n');
    expect(await server.readLine()).toBe('STARTTLS');
    server.write('220 go ahead\r\n');
    const serverSecure = upgradeToTls(server, asServer);
    expect(await client.readLine()).toBe('220 go ahead');
    const clientSecure = upgradeToTls(client, asClient);
    client.write('EHLO over TLS\r\n');
    const [serverSsl, clientSsl] = await Promise.all([serverSecure, clientSecure]);
    expect(getSsl(server)).toBe(serverSsl);
    expect(clientSsl.verifiedChain).toHaveLength(3);
    expect(await server.readLine()).toBe('EHLO over TLS');
    expect(server.handlers).toBe(own);
    expect(server.context).toEqual({ state: 'kept' });
    expect(server.getWatermarks('read').high).toBe(12_345);
    const content = pattern(300 * KiB);
    server.write(content);
    expect(Buffer.from((await client.read(content.length)) as Uint8Array).equals(content)).toBe(true);
    const ended = server.end();
    expect(await client.read()).toBeNull();
    expect(await client.end()).toEqual({ kind: 'clean' });
    expect(await ended).toEqual({ kind: 'clean' });
    expect(log.filter((line) => line.endsWith('connected'))).toEqual(['server connected']);
  });

  it('plaintext behind the command is refused, and nothing has changed: it may be injected (CVE-2011-0411)', async () => {
    const { client, server } = await connected();
    client.write('STARTTLS\r\nRCPT TO:<attacker>\r\n');
    expect(await server.readLine()).toBe('STARTTLS');
    await until(() => server.input.length > 0, 'the rest');
    expect(() => upgradeToTls(server, asServer)).toThrow(
      expect.objectContaining({ code: 'ERR_BUFFEREVENT_SURPLUS_INPUT' }),
    );
    expect(server.layers).toEqual([]);
    expect(await server.readLine()).toBe('RCPT TO:<attacker>');
  });

  it('surplus decode: a client that does not wait for the consent', async () => {
    const { client, server } = await connected();
    client.write('STARTTLS\r\n');
    const secure = upgradeToTls(client, asClient);
    expect(await server.readLine()).toBe('STARTTLS');
    server.enable('read');
    await until(() => server.input.length > 0, 'the hello');
    await upgradeToTls(server, { ...asServer, surplus: 'decode' });
    await secure;
    client.write('through');
    expect(text(await server.read(7))).toBe('through');
  });

  it('a failure is one error event without a direction, and a rejection', async () => {
    const { client, server } = await connected();
    const log: string[] = [];
    client.setHandlers(events(log, 'client'));
    const refused = rejection(upgradeToTls(client, { ...asClient, ca: pki.otherCa.certPem }));
    const told = rejection(upgradeToTls(server, asServer));
    expect(await refused).toMatchObject({ code: 'ERR_OPENSSL_VERIFY' });
    expect((await told) as OpensslError).toMatchObject({ code: 'ERR_OPENSSL_HANDSHAKE', alert: 48 });
    await until(() => log.length > 0, 'the event');
    expect(log).toEqual(['client error ERR_OPENSSL_VERIFY']);
  });
}

describeWithOpenssl('upgradeToTls()', () => {
  describe('on pairs', () => {
    const test = createTestBase();
    bodies(async () => {
      const [client, server] = createPair(test.base);
      return { client, server };
    });
  });

  for (const backend of systemBackends) {
    describe(`on sockets over ${backend.name}`, () => {
      let base: EventBase;
      beforeEach(() => {
        base = new EventBase({ backend });
      });
      afterEach(() => base[Symbol.asyncDispose]());
      bodies(() => sockets(base, backend));
    });
  }

  it('refuses what it can’t work with; nothing has changed then', () => {
    const [bev] = createPair(createTestBase().base);
    const call = (options: unknown) => () => void upgradeToTls(bev, options as UpgradeTlsOptions);
    expect(() => upgradeToTls({} as Bufferevent, asServer)).toThrow(TypeError);
    expect(call(undefined)).toThrow(TypeError);
    expect(call({ isServer: 'yes' })).toThrow(TypeError);
    expect(call({ isServer: true })).toThrow(expect.objectContaining({ code: 'ERR_OPENSSL_CERTIFICATE' }));
    // Whom the certificate has to name was not said.
    expect(call({ ca: pki.ca.certPem })).toThrow(TypeError);
    expect(call({ ...asClient, surplus: 'eat' })).toThrow(TypeError);
    expect(call({ ...asClient, closeOnFree: false })).toThrow(RangeError);
    expect(call({ ...asServer, servername: 'x' })).toThrow(RangeError);
    expect(call({ ...asClient, context: new SslContext() })).toThrow(TypeError);
    expect(bev.layers).toEqual([]);
    bev.halfClose();
    expect(call(asClient)).toThrow(expect.objectContaining({ code: 'ERR_BUFFEREVENT_CLOSED' }));
  });
});

async function sockets(base: EventBase, backend: Backend): Promise<Ends> {
  const arrived: SocketBufferevent[] = [];
  const listener = await listen(
    { ip: '127.0.0.1', port: 0 },
    { onConnection: (bev) => void arrived.push(bev) },
    { base },
  );
  const client = await connect(listener.address, {}, { base });
  await until(() => arrived.length === 1, `the connection over ${backend.name}`);
  await listener.close();
  return { client, server: arrived[0] as SocketBufferevent };
}
