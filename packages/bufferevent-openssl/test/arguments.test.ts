// What is malformed is refused where it is given, not later, by what is made of it.
import { createPair } from 'bufferevent';
import { createTestBase, type TestBase } from 'bufferevent/testing';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import {
  type ConnectTlsOptions,
  connectTls,
  createSelfSignedCertificate,
  listenTls,
  OpensslBufferevent,
  Ssl,
  SslBioPair,
  SslContext,
  setHandshakeStepsPerTurn,
  TlsLayer,
  upgradeToTls,
} from '../src/index.js';
import { describeWithOpenssl, pki, thrownBy } from './in-memory.js';
import { newSsl } from './support/versions.js';

const identity = { cert: pki.server.chainPem, key: pki.server.keyPem };
const loopback = { ip: '127.0.0.1', port: 0 };

let test: TestBase;
beforeEach(() => {
  test = createTestBase();
});
afterEach(() => test[Symbol.asyncDispose]());

describeWithOpenssl('options of layers', () => {
  describe.each<[unknown, string]>([
    [-5, 'ERR_OUT_OF_RANGE'],
    [Number.NaN, 'ERR_OUT_OF_RANGE'],
    ['x', 'ERR_INVALID_ARG_TYPE'],
  ])('handshakeMs: %j', (handshakeMs, code) => {
    const options = { handshakeMs } as { handshakeMs: number };

    it('is refused by whatever makes a layer, and the Ssl can still be used', () => {
      const ssl = newSsl('TLSv1.3', 'connecting');
      const [near] = createPair(test.base);
      expect(thrownBy(() => new TlsLayer(ssl, 'connecting', options))).toMatchObject({ code });
      expect(thrownBy(() => OpensslBufferevent.socket(test.base, -1, ssl, 'connecting', options))['code']).toBe(code);
      expect(thrownBy(() => OpensslBufferevent.filter(near, ssl, 'connecting', options))['code']).toBe(code);
      expect(() => OpensslBufferevent.filter(near, ssl, 'connecting')).not.toThrow();
    });

    it('is refused by listenTls() at once', () => {
      expect(thrownBy(() => listenTls(loopback, {}, { base: test.base, ...identity, ...options }))['code']).toBe(code);
    });
  });
});

describeWithOpenssl('hosts', () => {
  it.each<[string, object, string]>([
    ['options.host', { host: '' }, 'ERR_OUT_OF_RANGE'],
    ['options.host', { host: 5 }, 'ERR_INVALID_ARG_TYPE'],
    ['options.host', { host: 'bücher.example' }, 'ERR_OUT_OF_RANGE'],
    ['options.host', { host: 'bücher.example', verifyName: 'localhost' }, 'ERR_OUT_OF_RANGE'],
    ['options.servername', { host: 'localhost', servername: '' }, 'ERR_OUT_OF_RANGE'],
    ['target.ip', { ip: 5 }, 'ERR_INVALID_ARG_TYPE'],
    ['target.ip', { ip: 'localhost' }, 'ERR_INVALID_ARG_TYPE'],
  ])('that are none are refused by their own name: %s, %j', (name, options, code) => {
    const error = thrownBy(() => connectTls({ port: 1, base: test.base, ...options } as ConnectTlsOptions));
    expect(error['code']).toBe(code);
    expect(error.message).toContain(`"${name}"`);
  });

  it('with a zone are looked for in certificates without it', async () => {
    const { key, cert } = createSelfSignedCertificate({ names: ['fe80::1'] });
    for (const names of [{ servername: 'fe80::1%eth0' }, { verifyName: 'fe80::1%2' }]) {
      const [near, far] = createPair(test.base);
      const opened = upgradeToTls(near, { ca: cert, ...names });
      void upgradeToTls(far, { isServer: true, key, cert });
      await test.settle();
      expect((await opened).verifyName).toBe('fe80::1');
    }
  });
});

describeWithOpenssl('options that there are not', () => {
  const connecting = () => newSsl('TLSv1.3', 'connecting');
  const unknown = { allowDirtyShutdwn: true } as object;

  it.each<[string, () => unknown]>([
    ['createSelfSignedCertificate()', () => createSelfSignedCertificate(unknown)],
    ['an Ssl', () => new Ssl(new SslContext(), unknown)],
    ['a TlsLayer', () => new TlsLayer(connecting(), 'connecting', unknown)],
    ['a filter', () => OpensslBufferevent.filter(createPair(test.base)[0], connecting(), 'connecting', unknown)],
    ['a socket', () => OpensslBufferevent.socket(test.base, -1, connecting(), 'connecting', unknown)],
    ['an SslContext', () => new SslContext(unknown)],
    ['a connect', () => connectTls({ ip: '::1', port: 1, base: test.base, ...unknown })],
    ['a listener', () => listenTls(loopback, {}, { base: test.base, ...identity, ...unknown })],
    ['an upgrade', () => upgradeToTls(createPair(test.base)[0], unknown)],
    ['an upgrade of a server', () => upgradeToTls(createPair(test.base)[0], { isServer: true, ...unknown })],
    ['an SslBioPair', () => new SslBioPair(connecting(), 'connecting', unknown)],
  ])('are refused: %s', (_, call) => {
    const error = thrownBy(call);
    expect(error['code']).toBe('ERR_OUT_OF_RANGE');
    expect(error.message).toMatch(/"options" must be made of .*, got "allowDirtyShutdwn"$/);
  });
});

describeWithOpenssl('options that are inherited', () => {
  class Settings {
    readonly cert = identity.cert;
    readonly key = identity.key;
    get requestCert(): boolean {
      return true;
    }
  }

  it.each<[string, (options: object) => unknown]>([
    ['an SslContext', (options) => new SslContext(options)],
    ['fromNodeOptions()', (options) => SslContext.fromNodeOptions(options)],
    ['a listener', (options) => listenTls(loopback, {}, Object.setPrototypeOf({ base: test.base }, options))],
    [
      'an upgrade',
      (options) => upgradeToTls(createPair(test.base)[0], Object.setPrototypeOf({ isServer: true }, options)),
    ],
  ])('are refused and not lost: %s', (_, call) => {
    const inherited = new Settings();
    for (const options of [inherited, Object.create({ ...identity, requestCert: true })]) {
      const error = thrownBy(() => call(options));
      expect(error['code']).toBe('ERR_OUT_OF_RANGE');
      expect(error.message).toContain('properties of its own');
    }
    expect(() => new SslContext(Object.assign(Object.create(null), identity))).not.toThrow();
  });
});

describeWithOpenssl('arguments of the wrong type', () => {
  it.each<[string, () => unknown]>([
    ['createSelfSignedCertificate(null)', () => createSelfSignedCertificate(null as never)],
    ['setHandshakeStepsPerTurn(null, 5)', () => setHandshakeStepsPerTurn(null as never, 5)],
    ['setHandshakeStepsPerTurn({}, 5)', () => setHandshakeStepsPerTurn({} as never, 5)],
    ['setHandshakeStepsPerTurn(base, "5")', () => setHandshakeStepsPerTurn(test.base, '5' as never)],
    ['ssl.updateKeys(null)', () => newSsl('TLSv1.3', 'connecting').updateKeys(null as never)],
    [
      'ssl.onSession = 5',
      () => {
        newSsl('TLSv1.3', 'connecting').onSession = 5 as never;
      },
    ],
  ])('are refused: %s', (_, call) => {
    const error = thrownBy(call);
    expect(error).toBeInstanceOf(TypeError);
    expect(error['code']).toBe('ERR_INVALID_ARG_TYPE');
  });

  it('onSession can be set to a function, and to null', () => {
    const ssl = newSsl('TLSv1.3', 'connecting');
    const onSession = (): void => {};
    ssl.onSession = onSession;
    expect(ssl.onSession).toBe(onSession);
    ssl.onSession = null;
    expect(ssl.onSession).toBeNull();
  });
});
