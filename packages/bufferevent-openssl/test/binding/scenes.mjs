// @ts-check
// What the addon has to do, scene by scene. Each makes what it needs, and is run in vitest, under other versions of Node,
// in workers, and under sanitizers.
import assert from 'node:assert/strict';
import { createPrivateKey, randomBytes, X509Certificate } from 'node:crypto';
import { bytes, End, Event, none, Pair, protocolList, Status, text, tls12, tls13, Verify } from './peer.mjs';

/** @typedef {import('./peer.mjs').World} World */

/** @type {Map<string, (world: World) => void>} */
export const scenes = new Map();

/**
 * @param {string} name
 * @param {(world: World) => void} run
 */
const scene = (name, run) => scenes.set(name, run);

/**
 * A scene for each version.
 * @param {string} name
 * @param {(world: World, version: number) => void} run
 */
const sceneOfEach = (name, run) => {
  scene(`TLS 1.2: ${name}`, (world) => run(world, tls12));
  scene(`TLS 1.3: ${name}`, (world) => run(world, tls13));
};

/** @param {string} pem */
const toDer = (pem) => Uint8Array.from(Buffer.from(pem.replace(/-----[^-]+-----|\s/g, ''), 'base64'));
/** @param {string} pem */
const firstOf = (pem) => /** @type {string} */ (/-----BEGIN[^-]+-----[^-]+-----END[^-]+-----\n?/.exec(pem)?.[0]);

sceneOfEach('both ends do the handshake and name the same things', (world, version) => {
  const { server, client } = world.simplePair(version).established();
  const { binding } = world;
  for (const { id } of [server, client]) {
    assert.equal(binding.sslVersion(id), version === tls13 ? 'TLSv1.3' : 'TLSv1.2');
    // Since OpenSSL 3.5 together with ML-KEM, in TLS 1.3.
    assert.match(binding.sslGroup(id), /^X25519(MLKEM768)?$/);
    assert.match(binding.sslState(id), /SSL negotiation finished successfully/);
    assert.equal(binding.sslServername(id), 'localhost');
    assert.equal(binding.sslIsSessionReused(id), false);
    assert.equal(binding.sslAlpn(id), '');
  }
  const cipher = binding.sslCipher(client.id);
  assert.deepEqual(cipher, binding.sslCipher(server.id));
  assert.equal(cipher?.length, 4);
  assert.match(/** @type {string} */ (cipher?.[1]), /^TLS_/);
  assert.equal(cipher?.[2], version === tls13 ? 'TLSv1.3' : 'TLSv1.2');
  assert.ok((server.seen & Event.handshakeDone) !== 0 && (client.seen & Event.handshakeDone) !== 0);
  assert.equal((server.seen | client.seen) & Event.handshakeStarted, 0);
});

sceneOfEach('nothing is known before the handshake', (world, version) => {
  const { client, server } = world.simplePair(version);
  const { binding } = world;
  assert.equal(binding.sslVersion(client.id), '');
  assert.equal(binding.sslCipher(client.id), null);
  assert.equal(binding.sslGroup(client.id), '');
  assert.equal(binding.sslSession(client.id), null);
  assert.equal(binding.sslFinished(client.id, false), null);
  assert.deepEqual(binding.sslPeerCertificates(client.id), []);
  assert.deepEqual(binding.sslVerifiedChain(client.id), []);
  assert.equal(binding.sslClientHello(server.id), null);
  assert.equal(binding.sslExportKeyingMaterial(client.id, 16, 'label', null), null);
  assert.equal(binding.sslFlags(client.id), 0);
});

sceneOfEach('the handshake goes on byte by byte', (world, version) => {
  world.simplePair(version).established(1).echo();
});

sceneOfEach('a mebibyte comes through, in records of 16 KiB', (world, version) => {
  const { server, client } = world.simplePair(version).established();
  const sent = randomBytes(1 << 20);
  const out = new Uint8Array(sent.length + 64 * 64);
  assert.equal(client.note(world.binding.sslWrite(client.id, sent, 0, sent.length, out, 0, out.length)), Status.ok);
  assert.equal(client.consumed, sent.length);
  assert.equal(client.waiting, 0);
  let records = 0;
  for (let at = 0; at < client.produced; at += 5 + ((out[at + 3] ?? 0) << 8) + (out[at + 4] ?? 0)) records++;
  assert.equal(records, 64);
  assert.deepEqual(Buffer.from(server.read(out.subarray(0, client.produced), sent.length + 1)), sent);
  assert.equal(server.status, Status.wantInput);
  assert.equal(server.consumed, client.produced);
});

sceneOfEach('what finds no room in the output waits behind it, and the next output behind that', (world, version) => {
  const { server, client } = world.simplePair(version).established();
  const { binding } = world;
  const out = new Uint8Array(50);
  const first = bytes('a'.repeat(100));
  assert.equal(client.note(binding.sslWrite(client.id, first, 0, 100, out, 10, 40)), Status.ok);
  assert.equal(client.produced, 30);
  assert.ok(client.waiting > 70);
  assert.ok(out.subarray(0, 10).every((byte) => byte === 0) && out.subarray(40).every((byte) => byte === 0));
  const before = client.waiting;
  const untouched = new Uint8Array(1000);
  assert.equal(client.note(binding.sslWrite(client.id, bytes('b'), 0, 1, untouched, 0, 1000)), Status.ok);
  assert.equal(client.produced, 0);
  assert.ok(client.waiting > before);
  assert.ok(untouched.every((byte) => byte === 0));
  // Taken in two parts.
  const part = new Uint8Array(7);
  assert.equal(binding.sslTakeOutput(client.id, part, 0, 7), 7);
  const wire = Uint8Array.from([...out.subarray(10, 40), ...part, ...client.output()]);
  assert.equal(text(server.read(wire)), `${'a'.repeat(100)}b`);
  assert.equal(binding.sslTakeOutput(client.id, part, 0, 7), 0);
});

sceneOfEach('decrypted bytes without room are held, and read without input', (world, version) => {
  const { server, client } = world.simplePair(version).established();
  const wire = client.write(bytes('0123456789'));
  assert.equal(text(server.read(wire, 4)), '0123');
  assert.equal(server.status, Status.ok);
  assert.equal(server.buffered, 6);
  assert.equal(server.consumed, wire.length);
  assert.equal(text(server.read(none, 100)), '456789');
  assert.equal(server.status, Status.wantInput);
  assert.equal(server.buffered, 0);
});

sceneOfEach('input behind what has room is not used', (world, version) => {
  const { server, client } = world.simplePair(version).established();
  const first = client.write(bytes('first'));
  const wire = Uint8Array.from([...first, ...client.write(bytes('second'))]);
  assert.equal(text(server.read(wire, 5)), 'first');
  assert.equal(server.consumed, first.length);
  assert.equal(text(server.read(wire.subarray(first.length))), 'second');
});

sceneOfEach('a record that comes in pieces is held until it is whole', (world, version) => {
  const { server, client } = world.simplePair(version).established();
  const wire = client.write(bytes('in pieces'));
  for (let at = 0; at < wire.length - 1; at++) {
    assert.equal(server.read(wire.subarray(at, at + 1)).length, 0);
    assert.equal(server.status, Status.wantInput);
    assert.equal(server.consumed, 1);
  }
  assert.equal(text(server.read(wire.subarray(-1))), 'in pieces');
});

sceneOfEach('TL-8: close_notify ends reading after the data, and the other direction goes on', (world, version) => {
  const { server, client } = world.simplePair(version).established();
  const { binding } = world;
  const data = client.write(bytes('last words'));
  assert.equal(client.shutdown(), Status.wantInput);
  assert.equal(binding.sslFlags(client.id), 3);
  assert.equal(client.shutdown(), Status.wantInput);
  const wire = Uint8Array.from([...data, ...client.output(), 1, 2, 3]);
  assert.equal(text(server.read(wire)), 'last words');
  assert.equal(server.status, Status.closed);
  assert.equal(server.consumed, wire.length - 3);
  assert.equal(binding.sslFlags(server.id), 5);
  server.read(none);
  assert.equal(server.status, Status.closed);
  // TL-13
  assert.equal(text(client.read(server.write(bytes('answer')))), 'answer');
  assert.equal(server.shutdown(), Status.ok);
  client.read(server.output());
  assert.equal(client.status, Status.closed);
  assert.equal(client.shutdown(), Status.ok);
  assert.equal(binding.sslFlags(client.id), 7);
  // Nothing more is written, and that is no failure of the connection.
  assert.equal(client.note(binding.sslWrite(client.id, bytes('x'), 0, 1, none, 0, 0)), Status.failed);
  assert.deepEqual(client.reasons(), ['protocol is shutdown']);
  assert.equal(client.shutdown(), Status.ok);
});

scene('a shutdown in the middle of the handshake fails, and the handshake goes on', (world) => {
  const pair = world.simplePair();
  pair.client.handshake(none);
  assert.equal(pair.client.shutdown(), Status.failed);
  assert.deepEqual(pair.client.reasons(), ['shutdown while in init']);
  pair.client.status = Status.wantInput;
  pair.established().echo();
});

sceneOfEach('TL-7: data in front of a broken record is produced, then it fails once and for all', (world, version) => {
  const { server, client } = world.simplePair(version).established();
  const good = client.write(bytes('good'));
  const bad = client.write(bytes('bad'));
  bad[bad.length - 1] = ~(/** @type {number} */ (bad[bad.length - 1]));
  assert.equal(text(server.read(Uint8Array.from([...good, ...bad]))), 'good');
  assert.equal(server.status, Status.failed);
  assert.match(server.reasons().join(), /decryption failed or bad record mac/);
  assert.ok(server.waiting > 0);
  server.read(none);
  assert.equal(server.status, Status.failed);
  assert.equal(server.note(world.binding.sslWrite(server.id, good, 0, 1, none, 0, 0)), Status.failed);
  assert.equal(server.shutdown(), Status.failed);
  // The alert reaches the peer.
  client.read(server.output());
  assert.equal(client.status, Status.failed);
  assert.match(client.reasons().join(), /alert bad record mac/);
});

scene('an unencrypted request on the port fails with its reason', (world) => {
  const { server } = world.simplePair();
  assert.equal(server.handshake(bytes('GET / HTTP/1.1\r\nHost: localhost\r\n\r\n')), Status.failed);
  const [error] = server.errors();
  assert.equal(error?.reason, 'http request');
  assert.equal(error?.library, 'SSL routines');
  assert.equal(error?.code, 0x0a00009c);
});

sceneOfEach('a certificate that nobody trusts ends the handshake on both sides', (world, version) => {
  const pair = world.pair(world.serverContext(version, world.pki.untrusted), world.clientContext(version)).handshake();
  assert.match(pair.client.reasons().join(), /certificate verify failed/);
  assert.deepEqual(world.binding.sslVerifyErrors(pair.client.id), [[20, 'unable to get local issuer certificate', 0]]);
  if (version === tls12) assert.match(pair.server.reasons().join(), /alert unknown ca/);
  assert.deepEqual(world.binding.sslVerifiedChain(pair.client.id), []);
  // To be looked at nevertheless.
  const names = world.binding.sslPeerCertificates(pair.client.id).map((der) => new X509Certificate(der).issuer);
  assert.deepEqual(names, ['CN=Other CA']);
});

sceneOfEach('names are verified: hosts, numeric addresses of both families, and nothing else', (world, version) => {
  const server = world.serverContext(version);
  const client = world.clientContext(version);
  for (const name of ['localhost', '127.0.0.1', '::1']) world.pair(server, client, name).established().free();
  for (const [name, code] of /** @type {const} */ ([
    ['example.com', 62],
    ['127.0.0.2', 64],
    ['::2', 64],
  ])) {
    const pair = world.pair(server, client, name).handshake();
    assert.equal(pair.client.status, Status.failed);
    assert.equal(world.binding.sslVerifyErrors(pair.client.id)[0]?.[0], code);
  }
});

sceneOfEach('an expired certificate is refused', (world, version) => {
  const pair = world.pair(world.serverContext(version, world.pki.expired), world.clientContext(version)).handshake();
  assert.equal(pair.client.status, Status.failed);
  assert.deepEqual(world.binding.sslVerifyErrors(pair.client.id), [[10, 'certificate has expired', 0]]);
});

sceneOfEach('a report says what is wrong, and the handshake goes on', (world, version) => {
  const client = world.clientContext(version);
  const pair = world.pair(world.serverContext(version, world.pki.wrongHost), client);
  world.binding.sslSetVerify(pair.client.id, Verify.peer | Verify.reportOnly);
  pair.established().echo();
  assert.equal(world.binding.sslVerifyErrors(pair.client.id)[0]?.[0], 62);
  assert.deepEqual(world.binding.sslVerifiedChain(pair.client.id), []);
  assert.equal(world.binding.sslPeerCertificates(pair.client.id).length, 2);
  // All of it, names last.
  const both = world.pair(world.serverContext(version, world.pki.untrusted), client, 'example.com');
  world.binding.sslSetVerify(both.client.id, Verify.peer | Verify.reportOnly);
  both.established();
  const codes = world.binding.sslVerifyErrors(both.client.id).map(([code]) => code);
  assert.deepEqual(codes, [20, 21, 62]);
});

sceneOfEach('the chains are as sent and as verified', (world, version) => {
  const { client } = world.simplePair(version).established();
  const sent = world.binding.sslPeerCertificates(client.id).map((der) => new X509Certificate(der).subject);
  assert.deepEqual(sent, ['CN=localhost', 'CN=Test Intermediate']);
  const verified = world.binding.sslVerifiedChain(client.id).map((der) => new X509Certificate(der).subject);
  assert.deepEqual(verified, ['CN=localhost', 'CN=Test Intermediate', 'CN=Test CA']);
  assert.deepEqual(world.binding.sslVerifyErrors(client.id), []);
});

sceneOfEach('a server asks for certificates, and can insist', (world, version) => {
  const { binding, pki } = world;
  const server = world.serverContext(version);
  world.check(binding.contextAddCa(server, bytes(pki.ca), true));
  binding.contextSetVerify(server, Verify.peer, -1);
  const without = world.pair(server, world.clientContext(version)).established();
  assert.deepEqual(binding.sslPeerCertificates(without.server.id), []);
  assert.deepEqual(binding.sslVerifyErrors(without.server.id), []);

  binding.contextSetVerify(server, Verify.peer | Verify.failIfNoPeerCertificate, -1);
  const refused = world.pair(server, world.clientContext(version)).handshake();
  assert.match(refused.server.reasons().join(), /peer did not return a certificate/);

  const client = world.clientContext(version);
  world.check(binding.contextUseCertificate(client, bytes(pki.client.chain)));
  world.check(binding.contextUseKey(client, bytes(pki.client.key), null));
  const accepted = world.pair(server, client).established();
  const names = binding.sslPeerCertificates(accepted.server.id).map((der) => new X509Certificate(der).subject);
  assert.deepEqual(names, ['CN=Test Client', 'CN=Test Intermediate']);
  assert.equal(binding.sslVerifiedChain(accepted.server.id).length, 3);
});

sceneOfEach('a revoked certificate is refused', (world, version) => {
  const { binding, pki } = world;
  const client = world.clientContext(version);
  world.check(binding.contextAddCrl(client, bytes(pki.crl), false));
  world.pair(world.serverContext(version), client).established();
  const pair = world.pair(world.serverContext(version, pki.revoked), client).handshake();
  assert.deepEqual(binding.sslVerifyErrors(pair.client.id), [[23, 'certificate revoked', 0]]);
  // The whole chain wants the list of each issuer.
  world.check(binding.contextAddCrl(client, toDer(pki.crl), true));
  const lacking = world.pair(world.serverContext(version), client).handshake();
  assert.deepEqual(binding.sslVerifyErrors(lacking.client.id), [[3, 'unable to get certificate CRL', 1]]);
  world.check(binding.contextAddCrl(client, bytes(pki.caCrl), true));
  world.pair(world.serverContext(version), client).established();
});

sceneOfEach('a context trusts those of another as a client only', (world, version) => {
  const { binding, pki } = world;
  const other = world.clientContext(version);
  const [key, chain] = /** @type {[string, string]} */ (binding.selfSignedCertificate(['localhost'], 1));
  /** @param {{key: string, chain: string}} certificate @param {number} context */
  const trusts = (certificate, context) => {
    const pair = world.pair(world.serverContext(version, certificate), context).handshake();
    const isTrusted = pair.client.status !== Status.failed;
    pair.free();
    return isTrusted;
  };
  for (const own of ['nothing', 'an anchor', 'a list']) {
    const context = world.serverContext(version);
    binding.contextSetVerify(context, Verify.peer | Verify.failIfNoPeerCertificate, -1);
    if (own === 'an anchor') world.check(binding.contextAddCa(context, bytes(chain), false));
    if (own === 'a list') world.check(binding.contextAddCrl(context, bytes(pki.crl), false));
    assert.equal(trusts(pki.server, context), false);
    world.check(binding.contextTrustAsClient(context, other));
    assert.equal(trusts(pki.server, context), true);
    assert.equal(trusts({ key, chain }, context), own === 'an anchor');
    assert.equal(trusts(pki.revoked, context), own !== 'a list');

    const client = world.clientContext(version);
    world.check(binding.contextUseCertificate(client, bytes(pki.client.chain)));
    world.check(binding.contextUseKey(client, bytes(pki.client.key), null));
    const asServer = world.pair(context, client).handshake();
    assert.equal(asServer.server.status, Status.failed);
    assert.equal(binding.sslVerifyErrors(asServer.server.id)[0]?.[0], 20);
  }
  // What was taken over outlives whom it was taken from.
  const last = binding.contextNew(version, version);
  binding.contextSetVerify(last, Verify.peer, -1);
  world.check(binding.contextTrustAsClient(last, other));
  binding.contextFree(other);
  assert.equal(trusts(pki.server, last), true);
});

scene('an intermediate certificate can be trusted by itself when that is allowed', (world) => {
  const { binding, pki } = world;
  const intermediate = pki.server.chain.slice(firstOf(pki.server.chain).length);
  const context = binding.contextNew(tls13, tls13);
  world.check(binding.contextAddCa(context, bytes(intermediate), false));
  binding.contextSetVerify(context, Verify.peer, -1);
  assert.equal(world.pair(world.serverContext(), context).handshake().client.status, Status.failed);
  binding.contextAllowPartialChain(context, true);
  world.pair(world.serverContext(), context).established();
});

sceneOfEach('the server chooses a protocol by its own order', (world, version) => {
  const { binding } = world;
  const server = world.serverContext(version);
  const client = world.clientContext(version);
  world.check(binding.contextSetAlpn(server, protocolList('h2', 'http/1.1')));
  world.check(binding.contextSetAlpn(client, protocolList('spdy', 'http/1.1', 'h2')));
  const pair = world.pair(server, client).established();
  assert.equal(binding.sslAlpn(pair.client.id), 'h2');
  assert.equal(binding.sslAlpn(pair.server.id), 'h2');
  // A connection's own list counts more.
  const own = world.pair(server, client);
  world.check(binding.sslSetAlpn(own.server.id, protocolList('spdy')));
  own.established();
  assert.equal(binding.sslAlpn(own.client.id), 'spdy');
  // Who offers nothing gets nothing.
  const silent = world.pair(server, world.clientContext(version)).established();
  assert.equal(binding.sslAlpn(silent.server.id), '');
  // Nothing in common is refused.
  const other = world.pair(server, client);
  world.check(binding.sslSetAlpn(other.client.id, protocolList('gopher')));
  other.handshake();
  assert.match(other.server.reasons().join(), /no application protocol/);
  assert.match(other.client.reasons().join(), /alert no application protocol/);
});

scene('what is no list of protocols is refused', (world) => {
  const context = world.serverContext();
  for (const wrong of [[0], [3, 1], [1, 65, 0]]) {
    world.reasons(world.binding.contextSetAlpn(context, Uint8Array.from(wrong)));
    world.reasons(world.binding.sslSetAlpn(world.binding.sslNew(context, true), Uint8Array.from(wrong)));
  }
});

for (const step of [Number.POSITIVE_INFINITY, 1]) {
  const how = step === 1 ? ', byte by byte' : '';
  sceneOfEach(
    `the handshake is suspended once at the ClientHello, and goes on with the same context${how}`,
    (world, version) => {
      const { binding } = world;
      const pair = world.simplePair(version);
      world.check(binding.sslSetAlpn(pair.client.id, protocolList('a', 'bc')));
      binding.sslSuspendAtHello(pair.server.id);
      pair.handshake(step);
      assert.equal(pair.server.status, Status.clientHello);
      const hello = binding.sslClientHello(pair.server.id);
      assert.equal(hello?.servername, 'localhost');
      assert.deepEqual(hello?.alpn, protocolList('a', 'bc'));
      assert.equal(pair.server.handshake(none), Status.wantInput);
      pair.established(step).echo();
      assert.equal(binding.sslServername(pair.server.id), 'localhost');
    },
  );

  sceneOfEach(`a suspended handshake goes on with all of another context${how}`, (world, version) => {
    const { binding, pki } = world;
    const chosen = world.serverContext(version, pki.otherHost);
    world.check(binding.contextSetAlpn(chosen, protocolList('chosen')));
    world.check(binding.contextAddCa(chosen, bytes(pki.ca), true));
    binding.contextSetVerify(chosen, Verify.peer | Verify.failIfNoPeerCertificate, -1);
    const suite = version === tls13 ? 'TLS_CHACHA20_POLY1305_SHA256' : 'ECDHE-ECDSA-CHACHA20-POLY1305';
    world.check(version === tls13 ? binding.contextSetSuites(chosen, suite) : binding.contextSetCiphers(chosen, suite));
    // A first context that could not do anything itself.
    const first = binding.contextNew(version, version);
    const client = world.clientContext(version);
    world.check(binding.contextUseCertificate(client, bytes(pki.client.chain)));
    world.check(binding.contextUseKey(client, bytes(pki.client.key), null));
    const pair = world.pair(first, client, 'other.example');
    world.check(binding.sslSetAlpn(pair.client.id, protocolList('other', 'chosen')));
    binding.sslSuspendAtHello(pair.server.id);
    pair.handshake(step);
    assert.equal(pair.server.status, Status.clientHello);
    world.check(binding.sslSetContext(pair.server.id, chosen));
    binding.contextFree(first);
    binding.contextFree(chosen);
    assert.notEqual(pair.server.handshake(none), Status.clientHello);
    pair.established(step).echo();
    assert.equal(binding.sslAlpn(pair.client.id), 'chosen');
    assert.equal(binding.sslCipher(pair.client.id)?.[0], suite);
    assert.equal(binding.sslPeerCertificates(pair.server.id).length, 2);
    assert.equal(binding.sslServername(pair.server.id), 'other.example');
  });
}

scene('a context can only be chosen at the ClientHello', (world) => {
  const { binding } = world;
  const pair = world.simplePair();
  const other = world.serverContext();
  world.reasons(binding.sslSetContext(pair.server.id, other));
  pair.established();
  world.reasons(binding.sslSetContext(pair.server.id, other));
});

scene('a chosen context that demands more than the client can refuses it by an alert', (world) => {
  const { binding } = world;
  const pair = world.pair(world.serverContext(tls12), world.clientContext(tls12));
  binding.sslSuspendAtHello(pair.server.id);
  pair.handshake();
  world.check(binding.sslSetContext(pair.server.id, world.serverContext(tls13)));
  assert.equal(pair.server.handshake(none), Status.failed);
  assert.deepEqual(pair.server.reasons(), ['unsupported protocol']);
  pair.client.handshake(pair.server.output());
  assert.match(pair.client.reasons().join(), /alert protocol version/);
});

scene('a client that is asked for another group says hello twice, and is suspended once', (world) => {
  const { binding } = world;
  const server = world.serverContext();
  const client = world.clientContext();
  world.check(binding.contextSetGroups(server, 'P-384'));
  world.check(binding.contextSetGroups(client, 'X25519:P-384'));
  const pair = world.pair(binding.contextNew(tls13, tls13), client);
  binding.sslSuspendAtHello(pair.server.id);
  pair.handshake();
  world.check(binding.sslSetContext(pair.server.id, server));
  pair.server.handshake(none);
  pair.established().echo();
  assert.equal(binding.sslGroup(pair.client.id), 'P-384');
});

/**
 * A session of a connection that was used.
 * @param {World} world
 * @param {number} server
 * @param {number} client
 * @param {string} name
 */
function sessionOf(world, server, client, name = 'localhost') {
  const pair = world.pair(server, client, name).established();
  pair.echo();
  const sessions = world.binding.sslTakeSessions(pair.client.id);
  assert.notEqual(sessions.length, 0);
  assert.ok((pair.client.seen & Event.session) !== 0);
  assert.deepEqual(world.binding.sslTakeSessions(pair.client.id), []);
  assert.deepEqual(world.binding.sslTakeSessions(pair.server.id), []);
  pair.free();
  return /** @type {Uint8Array} */ (sessions.at(-1));
}

/**
 * Whether a session is taken up again.
 * @param {World} world
 * @param {number} server
 * @param {number} client
 * @param {Uint8Array} session
 */
function isResumed(world, server, client, session) {
  const pair = world.pair(server, client);
  world.check(world.binding.sslSetSession(pair.client.id, session));
  pair.established().echo();
  const reused = world.binding.sslIsSessionReused(pair.client.id);
  assert.equal(world.binding.sslIsSessionReused(pair.server.id), reused);
  assert.equal(world.binding.sslServername(pair.server.id), 'localhost');
  if (reused) assert.deepEqual(world.binding.sslVerifyErrors(pair.client.id), []);
  pair.free();
  return reused;
}

sceneOfEach('a session is resumed', (world, version) => {
  const server = world.serverContext(version);
  const client = world.clientContext(version);
  const session = sessionOf(world, server, client);
  assert.equal(isResumed(world, server, client, session), true);
  const [connects, accepts, hits] = world.binding.contextSessionStats(server);
  assert.deepEqual([connects, accepts, hits], [0, 2, 1]);
  // Clients keep what they were told of themselves.
  assert.equal(world.binding.contextSessionStats(client)[6], 0);
  // Another server has other keys of its own.
  assert.equal(isResumed(world, world.serverContext(version), client, session), false);
});

sceneOfEach('a session is resumed from the cache of a server without tickets', (world, version) => {
  const { binding } = world;
  const server = world.serverContext(version);
  world.check(binding.contextSetSessions(server, 10, 300, false, 2));
  const client = world.clientContext(version);
  const session = sessionOf(world, server, client);
  assert.ok(/** @type {number} */ (binding.contextSessionStats(server)[6]) > 0);
  assert.equal(isResumed(world, server, client, session), true);
  const other = sessionOf(world, server, client);
  binding.contextFlushSessions(server);
  assert.equal(binding.contextSessionStats(server)[6], 0);
  assert.equal(isResumed(world, server, client, other), false);
});

sceneOfEach('without tickets and cache nothing is resumed', (world, version) => {
  const server = world.serverContext(version);
  world.check(world.binding.contextSetSessions(server, 0, 300, false, 2));
  const pair = world.pair(server, world.clientContext(version)).established();
  pair.echo();
  assert.deepEqual(world.binding.sslTakeSessions(pair.client.id), []);
  assert.equal(world.binding.sslSession(pair.client.id), null);
});

scene('TLS 1.3: as many tickets come as were asked for', (world) => {
  const server = world.serverContext();
  world.check(world.binding.contextSetSessions(server, 0, 300, true, 5));
  const pair = world.pair(server, world.clientContext()).established();
  assert.equal(world.binding.sslTakeSessions(pair.client.id).length, 5);
});

sceneOfEach('keys of tickets are shared by servers, and rotated', (world, version) => {
  const { binding } = world;
  const [first, second, third] = /** @type {[Buffer, Buffer, Buffer]} */ ([1, 2, 3].map(() => randomBytes(80)));
  const client = world.clientContext(version);
  /** @param {...Buffer} keys */
  const serverWith = (...keys) => {
    const server = world.serverContext(version);
    world.check(binding.contextSetTicketKeys(server, Buffer.concat(keys)));
    return server;
  };
  const session = sessionOf(world, serverWith(first), client);
  assert.equal(isResumed(world, serverWith(first), client, session), true);
  assert.equal(isResumed(world, serverWith(second), client, session), false);
  const rotating = serverWith(second, first);
  assert.equal(isResumed(world, rotating, client, session), true);
  // What an old key has opened is renewed with the first.
  const pair = world.pair(rotating, client);
  world.check(binding.sslSetSession(pair.client.id, session));
  pair.established();
  const renewed = /** @type {Uint8Array} */ (binding.sslTakeSessions(pair.client.id).at(-1));
  assert.equal(isResumed(world, serverWith(second), client, renewed), true);
  // While connections are open.
  world.check(binding.contextSetTicketKeys(rotating, third));
  assert.equal(isResumed(world, rotating, client, renewed), false);
  world.check(binding.contextSetTicketKeys(rotating, none));
  assert.equal(isResumed(world, rotating, client, sessionOf(world, rotating, client)), true);
  assert.match(world.reasons(binding.contextSetTicketKeys(rotating, randomBytes(81))).join(), /ticket keys length/);
});

sceneOfEach('a session without verification is not taken up where one is wanted', (world, version) => {
  const { binding, pki } = world;
  const careless = binding.contextNew(version, version);
  const server = world.serverContext(version, pki.untrusted);
  const session = sessionOf(world, server, careless);
  const pair = world.pair(server, world.clientContext(version));
  world.check(binding.sslSetSession(pair.client.id, session));
  pair.handshake();
  assert.equal(pair.client.status, Status.failed);
  assert.match(pair.client.reasons().join(), /certificate verify failed/);
});

sceneOfEach('a session of one name is not taken up for another', (world, version) => {
  const { binding, pki } = world;
  const server = world.serverContext(version, pki.otherHost);
  const client = world.clientContext(version);
  const session = sessionOf(world, server, client, 'other.example');
  const pair = world.pair(server, client, 'localhost');
  world.check(binding.sslSetSession(pair.client.id, session));
  pair.handshake();
  assert.equal(pair.client.status, Status.failed);
  assert.match(
    pair.client
      .errors()
      .map(({ data }) => data)
      .join(),
    /session that was resumed/,
  );
});

scene('bytes that are no session are refused', (world) => {
  world.reasons(world.binding.sslSetSession(world.simplePair().client.id, bytes('no session')));
});

sceneOfEach('a pre-shared key stands for certificates', (world, version) => {
  const { binding } = world;
  const key = randomBytes(32);
  const make = () => {
    const context = binding.contextNew(version, version);
    if (version === tls12) world.check(binding.contextSetCiphers(context, 'ECDHE-PSK-AES128-CBC-SHA256'));
    return context;
  };
  const server = make();
  const names = ['zoe', 'adam', 'mia'];
  world.check(binding.contextSetPskIdentities(server, names, [randomBytes(32), randomBytes(32), key], 'a hint'));
  const client = make();
  world.check(binding.contextSetPsk(client, 'mia', key));
  binding.contextSetVerify(client, Verify.peer, -1);
  const pair = world.pair(server, client).established();
  pair.echo();
  assert.deepEqual(binding.sslVerifyErrors(pair.client.id), []);
  assert.deepEqual(binding.sslPeerCertificates(pair.client.id), []);
  for (const identity of ['nobody', 'adam']) {
    world.check(binding.contextSetPsk(client, identity, key));
    const refused = world.pair(server, client).handshake();
    assert.equal(refused.server.status, Status.failed, identity);
  }
  // Taken away while the context is in use.
  world.check(binding.contextSetPskIdentities(server, [], [], ''));
  world.check(binding.contextSetPsk(client, 'mia', key));
  assert.equal(world.pair(server, client).handshake().server.status, Status.failed);
});

scene('pre-shared keys and identities have their bounds', (world) => {
  const { binding } = world;
  const context = binding.contextNew(tls12, tls13);
  world.reasons(binding.contextSetPsk(context, 'i'.repeat(256), new Uint8Array(1)));
  world.reasons(binding.contextSetPsk(context, 'i', none));
  world.reasons(binding.contextSetPsk(context, 'i', new Uint8Array(257)));
  world.reasons(binding.contextSetPskIdentities(context, ['', 'a'], [bytes('k'), bytes('k')], ''));
  world.reasons(binding.contextSetPskIdentities(context, ['a\0b'], [bytes('k')], ''));
  world.check(binding.contextSetPsk(context, '', none));
});

scene('the longest pre-shared key under the longest identity serves', (world) => {
  const { binding } = world;
  const [identity, key] = ['i'.repeat(255), randomBytes(256)];
  const server = binding.contextNew(tls13, tls13);
  world.check(binding.contextSetPskIdentities(server, [identity], [key], ''));
  const client = binding.contextNew(tls13, tls13);
  world.check(binding.contextSetPsk(client, identity, key));
  world.pair(server, client).established().echo();
});

scene('a context that the arguments of a call free themselves is refused', (world) => {
  const { binding } = world;
  const context = binding.contextNew(tls12, tls13);
  /** @type {string[]} */
  const identities = [];
  Object.defineProperty(identities, 0, {
    get() {
      binding.contextFree(context);
      return 'mia';
    },
  });
  const call = () => binding.contextSetPskIdentities(context, identities, [randomBytes(16)], 'hint');
  assert.throws(call, { code: 'ERR_OPENSSL_FREED' });
});

scene('TLS 1.3: a session of a pre-shared key stands for no certificate', (world) => {
  const { binding } = world;
  const key = randomBytes(32);
  const server = binding.contextNew(tls13, tls13);
  world.check(binding.contextSetPskIdentities(server, ['mia'], [key], ''));
  const known = binding.contextNew(tls13, tls13);
  world.check(binding.contextSetPsk(known, 'mia', key));
  binding.contextSetVerify(known, Verify.peer, -1);
  const first = world.pair(server, known).established();
  const session = binding.sslTakeSessions(first.client.id).at(-1) ?? none;
  const again = world.pair(server, known);
  world.check(binding.sslSetSession(again.client.id, session));
  again.established().echo();
  const strict = world.pair(server, world.clientContext());
  world.check(binding.sslSetSession(strict.client.id, session));
  strict.handshake();
  assert.equal(strict.client.status, Status.failed);
  assert.deepEqual(strict.client.reasons(), ['certificate verify failed']);
  assert.equal(binding.sslVerifyErrors(strict.client.id).length, 1);
});

sceneOfEach('an address to be verified is not found in the subject of a resumed session', (world, version) => {
  const { binding, pki } = world;
  const server = world.serverContext(version, pki.addressInSubject);
  const client = world.clientContext(version);
  const first = new Pair(world, world.end(server, true), world.end(client, false)).established();
  const session = binding.sslTakeSessions(first.client.id).at(-1) ?? none;
  const resumed = new Pair(world, world.end(server, true), world.end(client, false));
  world.check(binding.sslSetVerifyName(resumed.client.id, '127.0.0.1'));
  world.check(binding.sslSetSession(resumed.client.id, session));
  assert.equal(resumed.handshake().client.status, Status.failed);
  assert.deepEqual(resumed.client.reasons(), ['certificate verify failed']);
});

sceneOfEach('a server that insists on certificates resumes no session without one', (world, version) => {
  const { binding, pki } = world;
  const keys = randomBytes(80);
  const lax = world.serverContext(version);
  const strict = world.serverContext(version);
  world.check(binding.contextAddCa(strict, bytes(pki.ca), true));
  binding.contextSetVerify(strict, Verify.peer | Verify.failIfNoPeerCertificate, -1);
  for (const context of [lax, strict]) world.check(binding.contextSetTicketKeys(context, keys));
  const client = world.clientContext(version);
  const first = world.pair(lax, client).established();
  const session = binding.sslTakeSessions(first.client.id).at(-1) ?? none;
  const resumed = world.pair(lax, client);
  world.check(binding.sslSetSession(resumed.client.id, session));
  assert.equal(binding.sslIsSessionReused(resumed.established().server.id), true);
  const refused = world.pair(strict, client);
  world.check(binding.sslSetSession(refused.client.id, session));
  assert.equal(refused.handshake().server.status, Status.failed);
  assert.deepEqual(refused.server.reasons(), ['peer did not return a certificate']);
});

scene('what a client says in front of its ClientHello is not kept without end', (world) => {
  const { binding } = world;
  const server = world.serverContext();
  /** @param {Uint8Array} body */
  const record = (body) => Uint8Array.from([22, 3, 1, body.length >> 8, body.length & 255, ...body]);
  const empty = record(none);
  // A piece of a long ClientHello, and as many empty records as OpenSSL lets pass.
  const hello = new Uint8Array(4 + 131_000);
  hello.set([1, 131_000 >> 16, (131_000 >> 8) & 255, 131_000 & 255, 3, 3]);
  const { id } = world.end(server, true);
  const end = new End(world, id);
  binding.sslSuspendAtHello(id);
  let sent = 0;
  for (let at = 0; end.status === Status.wantInput && at < hello.length - 1; at++) {
    const piece = [...record(hello.subarray(at, at + 1)), ...Array.from({ length: 32 }, () => [...empty]).flat()];
    end.handshake(Uint8Array.from(piece));
    sent += end.consumed;
  }
  assert.equal(end.status, Status.failed);
  assert.deepEqual(end.reasons(), ['excessive message size']);
  assert.ok(sent <= 256 * 1024 && sent > 200 * 1024, String(sent));
});

scene('protocols of a ClientHello are kept for those who are suspended at it', (world) => {
  const { binding } = world;
  const pair = world.simplePair();
  world.check(binding.sslSetAlpn(pair.client.id, protocolList('a', 'bc')));
  pair.established();
  assert.deepEqual(binding.sslClientHello(pair.server.id)?.alpn, none);
});

sceneOfEach('an OCSP answer is stapled for those who ask, and can be replaced', (world, version) => {
  const { binding } = world;
  const server = world.serverContext(version);
  const client = world.clientContext(version);
  const ask = () => {
    const pair = world.pair(server, client);
    world.check(binding.sslRequestOcsp(pair.client.id));
    pair.established();
    return binding.sslOcspResponse(pair.client.id);
  };
  assert.equal(ask(), null);
  world.check(binding.contextSetOcspResponse(server, bytes('first answer')));
  assert.equal(text(/** @type {Uint8Array} */ (ask())), 'first answer');
  world.check(binding.contextSetOcspResponse(server, bytes('second')));
  assert.equal(text(/** @type {Uint8Array} */ (ask())), 'second');
  const { client: silent } = world.pair(server, client).established();
  assert.equal(binding.sslOcspResponse(silent.id), null);
});

sceneOfEach('secrets are logged where that is wanted', (world, version) => {
  const { binding } = world;
  const client = world.clientContext(version);
  binding.contextSetKeyLog(client, true);
  const pair = world.pair(world.serverContext(version), client).established();
  assert.ok((pair.client.seen & Event.keyLog) !== 0);
  const lines = binding.sslTakeKeyLog(pair.client.id);
  assert.match(lines.join('\n'), version === tls12 ? /^CLIENT_RANDOM [0-9a-f]{64} / : /^CLIENT_TRAFFIC_SECRET_0 /m);
  assert.deepEqual(binding.sslTakeKeyLog(pair.client.id), []);
  assert.deepEqual(binding.sslTakeKeyLog(pair.server.id), []);
});

sceneOfEach('keying material and Finished messages are the same at both ends', (world, version) => {
  const { server, client } = world.simplePair(version).established();
  const { binding } = world;
  /** @param {import('./peer.mjs').End} end @param {Uint8Array | null} context */
  const material = ({ id }, context) => binding.sslExportKeyingMaterial(id, 40, 'EXPORTER-test', context);
  assert.equal(material(client, null)?.length, 40);
  assert.deepEqual(material(client, null), material(server, null));
  assert.deepEqual(material(client, bytes('c')), material(server, bytes('c')));
  assert.notDeepEqual(material(client, bytes('c')), material(server, null));
  for (const ofPeer of [true, false]) {
    const finished = binding.sslFinished(client.id, ofPeer);
    assert.ok(finished !== null && finished.length >= 12);
    assert.deepEqual(finished, binding.sslFinished(server.id, !ofPeer));
  }
});

/**
 * Carries output back and forth until nothing is left.
 * @param {import('./peer.mjs').Pair} pair
 */
function carry({ server, client }) {
  for (let round = 0; round < 10; round++) {
    const forServer = client.output();
    if (forServer.length > 0) server.read(forServer);
    const forClient = server.output();
    if (forClient.length > 0) client.read(forClient);
    if (forServer.length + forClient.length === 0) return;
  }
  assert.fail('no end of it');
}

scene('TL-14: TLS 1.2: a renegotiation by the client is refused by default, and the connection goes on', (world) => {
  const pair = world.simplePair(tls12).established();
  assert.equal(world.binding.sslRenegotiate(pair.client.id), true);
  pair.client.handshake(none);
  pair.server.seen = 0;
  pair.server.read(pair.client.output());
  assert.equal(pair.server.status, Status.wantInput);
  assert.equal(pair.server.seen & Event.handshakeDone, 0);
  // Whoever counts them can count this one.
  assert.ok((pair.server.seen & Event.handshakeStarted) !== 0);
  pair.client.read(pair.server.output());
  assert.equal(pair.client.status, Status.failed);
  assert.match(pair.client.reasons().join(), /no renegotiation/);
});

for (const initiator of /** @type {const} */ (['client', 'server'])) {
  scene(`TL-14: TLS 1.2: a renegotiation by the ${initiator} is done where both allow it`, (world) => {
    const { binding } = world;
    const server = world.serverContext(tls12);
    const client = world.clientContext(tls12);
    binding.contextAllowRenegotiation(server, true);
    binding.contextAllowRenegotiation(client, true);
    const pair = world.pair(server, client).established();
    const before = binding.sslFinished(pair.client.id, false);
    pair.client.seen = pair.server.seen = 0;
    const first = pair[initiator];
    assert.equal(binding.sslRenegotiate(first.id), true);
    first.handshake(none);
    carry(pair);
    for (const end of [pair.server, pair.client]) {
      assert.ok((end.seen & Event.handshakeStarted) !== 0);
      assert.ok((end.seen & Event.handshakeDone) !== 0);
    }
    assert.notDeepEqual(binding.sslFinished(pair.client.id, false), before);
    pair.echo();
  });
}

scene('TLS 1.2: nothing is written in the middle of a renegotiation, and then all of it', (world) => {
  const { binding } = world;
  const server = world.serverContext(tls12);
  const client = world.clientContext(tls12);
  binding.contextAllowRenegotiation(server, true);
  const pair = world.pair(server, client).established();
  assert.equal(binding.sslRenegotiate(pair.client.id), true);
  assert.equal(pair.client.handshake(none), Status.wantInput);
  assert.equal(pair.client.note(binding.sslWrite(pair.client.id, bytes('late'), 0, 4, none, 0, 0)), Status.wantInput);
  assert.equal(pair.client.consumed, 0);
  assert.equal(pair.client.shutdown(), Status.failed);
  pair.client.errors();
  carry(pair);
  pair.echo('late');
});

scene('TL-14: TLS 1.3: a renegotiation is refused, and keys are updated instead', (world) => {
  const { binding } = world;
  const pair = world.simplePair().established();
  assert.deepEqual(world.reasons(binding.sslRenegotiate(pair.client.id)), ['wrong ssl version']);
  assert.equal(binding.sslUpdateKeys(pair.client.id, true), true);
  const wire = pair.client.write(bytes('with new keys'));
  assert.equal(text(pair.server.read(wire)), 'with new keys');
  assert.ok((pair.server.seen & Event.keyUpdate) !== 0);
  // The server answers with keys of its own.
  assert.equal(
    text(pair.client.read(Uint8Array.from([...pair.server.output(), ...pair.server.write(bytes('too'))]))),
    'too',
  );
  assert.ok((pair.client.seen & Event.keyUpdate) !== 0);
  assert.equal(pair.client.seen & Event.handshakeStarted, 0);
  pair.echo();
  // Also when close_notify is the next record.
  assert.equal(binding.sslUpdateKeys(pair.client.id, false), true);
  assert.equal(pair.client.shutdown(), Status.wantInput);
  pair.server.read(pair.client.output());
  assert.equal(pair.server.status, Status.closed);
});

scene('TLS 1.2: keys are not updated', (world) => {
  const pair = world.simplePair(tls12).established();
  assert.deepEqual(world.reasons(world.binding.sslUpdateKeys(pair.client.id, true)), ['wrong ssl version']);
  pair.echo();
});

sceneOfEach('TL-18: a connection that is reset does another handshake with the same settings', (world, version) => {
  const { binding } = world;
  const pair = world.simplePair(version);
  binding.sslSuspendAtHello(pair.server.id);
  for (let round = 0; round < 2; round++) {
    pair.handshake();
    assert.equal(pair.server.status, Status.clientHello);
    pair.server.handshake(none);
    pair.established().echo();
    pair.client.write(bytes('lost'));
    for (const end of [pair.client, pair.server]) {
      world.check(binding.sslReset(end.id));
      end.status = Status.wantInput;
      assert.equal(binding.sslFlags(end.id), 0);
      assert.equal(end.output().length, 0);
      assert.deepEqual(binding.sslTakeSessions(end.id), []);
    }
    assert.equal(binding.sslServername(pair.server.id), '');
  }
  // One that has failed as well.
  assert.equal(pair.server.handshake(bytes('garbage, and enough of it')), Status.failed);
  world.check(binding.sslReset(pair.server.id));
  assert.deepEqual(pair.server.errors(), []);
});

sceneOfEach('both kinds of key are there for clients that can do only one', (world, version) => {
  const { binding, pki } = world;
  const server = world.serverContext(version);
  world.check(binding.contextUseCertificate(server, bytes(pki.serverRsa.chain)));
  assert.match(world.reasons(binding.contextCheckKey(server)).join(), /no private key assigned/);
  world.check(binding.contextUseKey(server, bytes(pki.serverRsa.key), null));
  world.check(binding.contextCheckKey(server));
  assert.equal(binding.contextCertificates(server).length, 4);
  for (const [algorithm, kind] of /** @type {const} */ ([
    ['ECDSA+SHA256', 'ec'],
    ['RSA-PSS+SHA256:RSA+SHA256', 'rsa'],
  ])) {
    const client = world.clientContext(version);
    // The chain is signed by the authority in its own way, which TLS 1.3 lets pass.
    world.check(
      binding.contextSetSignatureAlgorithms(client, version === tls13 ? algorithm : `${algorithm}:ECDSA+SHA384`),
    );
    if (version === tls12 && kind === 'rsa')
      world.check(binding.contextSetCiphers(client, 'ECDHE-RSA-AES128-GCM-SHA256'));
    const pair = world.pair(server, client).established();
    const [leaf] = binding.sslPeerCertificates(pair.client.id);
    assert.equal(new X509Certificate(/** @type {Uint8Array} */ (leaf)).publicKey.asymmetricKeyType, kind);
  }
});

scene('keys come in every form', (world) => {
  const { binding, pki } = world;
  const ecKey = createPrivateKey(pki.server.key);
  const rsaKey = createPrivateKey(pki.serverRsa.key);
  const protection = { cipher: 'aes-256-cbc', passphrase: 'geheim' };
  /** @type {[import('node:crypto').KeyObject, object, string | null][]} */
  const forms = [
    [ecKey, { type: 'pkcs8' }, null],
    [ecKey, { type: 'sec1' }, null],
    [rsaKey, { type: 'pkcs8' }, null],
    [rsaKey, { type: 'pkcs1' }, null],
    [ecKey, { type: 'pkcs8', ...protection }, 'geheim'],
    [rsaKey, { type: 'pkcs8', ...protection }, 'geheim'],
  ];
  for (const [key, options, passphrase] of forms) {
    const { chain } = key === ecKey ? pki.server : pki.serverRsa;
    for (const format of ['pem', 'der']) {
      const context = binding.contextNew(tls12, tls13);
      world.check(binding.contextUseCertificate(context, format === 'pem' ? bytes(chain) : toDer(firstOf(chain))));
      const exported = key.export(/** @type {any} */ ({ ...options, format }));
      const encoded = typeof exported === 'string' ? bytes(exported) : exported;
      world.check(binding.contextUseKey(context, encoded, passphrase === null ? null : bytes(passphrase)));
      world.check(binding.contextCheckKey(context));
      if (passphrase !== null) {
        const other = binding.contextNew(tls12, tls13);
        world.reasons(binding.contextUseKey(other, encoded, bytes('falsch')));
        world.reasons(binding.contextUseKey(other, encoded, new Uint8Array(5000)));
        const missing = world.reasons(binding.contextUseKey(other, encoded, null)).join();
        assert.match(missing, /bad password read|interrupted or cancelled|problems getting password/);
      }
    }
  }
});

scene('what is no key and no certificate gets a clear reason', (world) => {
  const { binding, pki } = world;
  const context = binding.contextNew(tls12, tls13);
  for (const wrong of [none, bytes('my key'), bytes('-----BEGIN NOTHING-----\nAAAA\n-----END NOTHING-----\n')]) {
    assert.match(world.reasons(binding.contextUseKey(context, wrong, null)).join(), /no start line|unsupported/);
    assert.match(world.reasons(binding.contextUseCertificate(context, wrong)).join(), /no start line/);
    assert.match(world.reasons(binding.contextAddCa(context, wrong, false)).join(), /no start line/);
    assert.match(world.reasons(binding.contextAddCrl(context, wrong, false)).join(), /no start line/);
  }
  for (const wrong of [
    Uint8Array.of(0x30),
    Uint8Array.of(0x30, 3, 1, 1, 1),
    Uint8Array.of(0x30, 0x84, 255, 255, 255, 255),
  ]) {
    world.reasons(binding.contextUseKey(context, wrong, null));
    world.reasons(binding.contextUseKey(context, wrong, bytes('x')));
    world.reasons(binding.contextUseCertificate(context, wrong));
    world.reasons(binding.contextUsePfx(context, wrong, null, false));
    world.reasons(binding.contextAddCa(context, wrong, false));
    world.reasons(binding.contextAddCrl(context, wrong, false));
    world.reasons(binding.contextSetDhParameters(context, wrong));
    world.reasons(binding.contextSetDhParameters(context, bytes('text')));
  }
  // More behind the end.
  const der = toDer(firstOf(pki.server.chain));
  world.reasons(binding.contextUseCertificate(context, Uint8Array.from([...der, 0])));
  // A broken certificate behind a good one is not passed over.
  const half = pki.server.chain.replace(/(-----END CERTIFICATE-----\s+-----BEGIN CERTIFICATE-----\n)./, '$1*');
  world.reasons(binding.contextUseCertificate(context, bytes(half)));
  world.check(binding.contextUseCertificate(context, bytes(pki.server.chain)));
  assert.match(
    world.reasons(binding.contextUseKey(context, bytes(pki.client.key), null)).join(),
    /key values mismatch/,
  );
  const keyOnly = binding.contextNew(tls12, tls13);
  world.check(binding.contextUseKey(keyOnly, bytes(pki.server.key), null));
  assert.match(world.reasons(binding.contextCheckKey(keyOnly)).join(), /no certificate assigned/);
});

scene('PKCS#12 brings key, chain and trust', (world) => {
  const { binding, pki } = world;
  if (pki.pfx === null) return;
  const pfx = new Uint8Array(Buffer.from(pki.pfx, 'base64'));
  const server = binding.contextNew(tls12, tls13);
  assert.match(world.reasons(binding.contextUsePfx(server, pfx, bytes('falsch'), false)).join(), /mac verify failure/);
  world.reasons(binding.contextUsePfx(server, pfx, null, false));
  world.check(binding.contextUsePfx(server, pfx, bytes('geheim'), false));
  world.check(binding.contextCheckKey(server));
  const names = binding.contextCertificates(server).map((der) => new X509Certificate(der).subject);
  assert.deepEqual(names, ['CN=localhost', 'CN=Test Intermediate']);
  world.pair(server, world.clientContext()).established();
  const client = binding.contextNew(tls12, tls13);
  world.check(binding.contextUsePfx(client, pfx, bytes('geheim'), true));
  binding.contextSetVerify(client, Verify.peer, -1);
  world.pair(server, client).established();
});

scene('TLS 1.2: finite-field Diffie-Hellman takes its parameters from us or finds them', (world) => {
  const { binding, pki } = world;
  // The group of RFC 7919 with 2048 bits, as `openssl dhparam` would print it.
  const ffdhe2048 = `-----BEGIN DH PARAMETERS-----
MIIBDAKCAQEA//////////+t+FRYortKmq/cViAnPTzx2LnFg84tNpWp4TZBFGQz
+8yTnc4kmz75fS/jY2MMddj2gbICrsRhetPfHtXV/WVhJDP1H18GbtCFY2VVPe0a
87VXE15/V8k1mE8McODmi3fipona8+/och3xWKE2rec1MKzKT0g6eXq8CrGCsyT7
YdEIqUuyyOP7uWrat2DX9GgdT0Kj3jlN9K5W7edjcrsZCwenyO4KbXCeAvzhzffi
7MA0BM0oNC9hkXL+nOmFg/+OTxIy7vKBg8P+OxtMb61zO7X8vC7CIAXFjvGDfRaD
ssbzSibBsu/6iGtCOGEoXJf//////////wIBAgICAOE=
-----END DH PARAMETERS-----
`;
  const client = world.clientContext(tls12);
  world.check(binding.contextSetCiphers(client, 'DHE-RSA-AES128-GCM-SHA256'));
  for (const parameters of [none, bytes(ffdhe2048), toDer(ffdhe2048), none]) {
    const server = world.serverContext(tls12, pki.serverRsa);
    world.check(binding.contextSetDhParameters(server, parameters));
    const pair = world.pair(server, client).established();
    assert.match(binding.sslGroup(pair.client.id), /^(ffdhe\d+|)$/);
  }
});

scene('lists that OpenSSL does not understand are refused', (world) => {
  const { binding } = world;
  const context = binding.contextNew(tls12, tls13);
  assert.deepEqual(world.reasons(binding.contextSetCiphers(context, 'NO-SUCH-CIPHER')), ['no cipher match']);
  assert.deepEqual(world.reasons(binding.contextSetSuites(context, 'NO_SUCH_SUITE')), ['no cipher match']);
  world.reasons(binding.contextSetGroups(context, 'NO-SUCH-GROUP'));
  world.reasons(binding.contextSetSignatureAlgorithms(context, 'NO+SUCH'));
  world.check(binding.contextSetCiphers(context, 'HIGH:!aNULL'));
  binding.contextSetSecurityLevel(context, 2);
  binding.contextSetServerPreference(context, false);
});

sceneOfEach('the order of ciphers is the server’s or the client’s', (world, version) => {
  const { binding } = world;
  const lists =
    version === tls13
      ? ['TLS_AES_128_GCM_SHA256', 'TLS_AES_256_GCM_SHA384']
      : ['ECDHE-ECDSA-AES128-GCM-SHA256', 'ECDHE-ECDSA-AES256-GCM-SHA384'];
  /** @param {number} context @param {string[]} list */
  const set = (context, list) =>
    world.check(
      version === tls13
        ? binding.contextSetSuites(context, list.join(':'))
        : binding.contextSetCiphers(context, list.join(':')),
    );
  const server = world.serverContext(version);
  const client = world.clientContext(version);
  set(server, lists);
  set(client, [...lists].reverse());
  assert.equal(binding.sslCipher(world.pair(server, client).established().client.id)?.[0], lists[0]);
  binding.contextSetServerPreference(server, false);
  assert.equal(binding.sslCipher(world.pair(server, client).established().client.id)?.[0], lists[1]);
});

scene('versions that are not common are refused on both sides', (world) => {
  const pair = world.pair(world.serverContext(tls13), world.clientContext(tls12)).handshake();
  assert.deepEqual(pair.server.reasons(), ['unsupported protocol']);
  assert.match(pair.client.reasons().join(), /alert protocol version/);
  world.reasons(world.binding.contextNew(0x9999, 0x9999) !== 0);
});

scene('TL-23: the errors of the thread are empty after calls that fail, and Node’s crypto goes on', (world) => {
  const { binding, pki } = world;
  const context = binding.contextNew(tls12, tls13);
  for (let round = 0; round < 3; round++) {
    binding.contextUseKey(context, bytes('nonsense'), null);
    createPrivateKey(pki.server.key);
    const { server } = world.simplePair();
    server.handshake(bytes('GET / HTTP/1.1\r\n\r\n'));
    new X509Certificate(pki.server.chain);
  }
});

sceneOfEach(
  'a forged signature that is only reported ends no handshake, in whatever pieces it comes',
  (world, version) => {
    const { binding, pki } = world;
    const leaf = toDer(firstOf(pki.client.chain));
    // In the last number of the signature.
    const last = leaf.length - 1;
    leaf[last] = (leaf[last] ?? 0) ^ 1;
    const forged = `-----BEGIN CERTIFICATE-----\n${Buffer.from(leaf).toString('base64')}\n-----END CERTIFICATE-----\n`;
    const chain = pki.client.chain.replace(firstOf(pki.client.chain), forged);
    for (const step of [Number.POSITIVE_INFINITY, 100, 1]) {
      const server = world.serverContext(version);
      world.check(binding.contextAddCa(server, bytes(pki.ca), true));
      binding.contextSetVerify(server, Verify.peer | Verify.reportOnly, -1);
      const client = world.clientContext(version);
      world.check(binding.contextUseCertificate(client, bytes(chain)));
      world.check(binding.contextUseKey(client, bytes(pki.client.key), null));
      const pair = world.pair(server, client).established(step);
      pair.echo();
      assert.deepEqual(
        binding.sslVerifyErrors(pair.server.id).map(([code]) => code),
        [7],
        String(step),
      );
      assert.deepEqual(pair.server.errors(), []);
    }
  },
);

scene('a list of errors is bounded, and keeps the newest', (world) => {
  const pair = world.simplePair().established();
  const { binding } = world;
  pair.client.shutdown();
  for (let round = 0; round < 40; round++) binding.sslWrite(pair.client.id, bytes('x'), 0, 1, none, 0, 0);
  assert.equal(pair.client.errors().length, 32);
  assert.deepEqual(pair.client.errors(), []);
});

scene('numbers of what is freed are refused, and freeing again does nothing', (world) => {
  const { binding } = world;
  const before = binding.liveCounts();
  const context = world.serverContext();
  const ssl = binding.sslNew(context, true);
  assert.deepEqual(binding.liveCounts(), [before[0] + 1, before[1] + 1]);
  binding.sslFree(ssl);
  binding.contextFree(context);
  binding.sslFree(ssl);
  binding.contextFree(context);
  assert.deepEqual(binding.liveCounts(), before);
  const freed = { code: 'ERR_OPENSSL_FREED' };
  assert.throws(() => binding.sslHandshake(ssl, none, 0, 0), freed);
  assert.throws(() => binding.sslNew(context, true), freed);
  assert.throws(() => binding.contextCheckKey(context), freed);
  // The slots are used again under other numbers.
  const again = world.serverContext();
  assert.notEqual(again, context);
  assert.throws(() => binding.contextCheckKey(context), freed);
  for (const wrong of [0, -1, 1, 2 ** 53, 2 ** 53 + 2, Number.NaN, Number.POSITIVE_INFINITY, again + 0.5]) {
    assert.throws(() => binding.contextCheckKey(wrong), freed, String(wrong));
  }
});

scene('a context that is freed serves its connections to their end', (world) => {
  const { binding } = world;
  const server = world.serverContext();
  const client = world.clientContext();
  world.check(binding.contextSetTicketKeys(server, randomBytes(80)));
  const pair = world.pair(server, client);
  binding.contextFree(server);
  binding.contextFree(client);
  pair.established().echo();
  pair.free();
});

scene('wrong arguments throw, and nothing else happens', (world) => {
  const { binding } = world;
  const { client } = world.simplePair();
  const memory = new Uint8Array(10);
  /** @type {any} */
  const untyped = binding;
  const type = { name: 'TypeError', code: 'ERR_INVALID_ARG_TYPE' };
  const range = { name: 'RangeError', code: 'ERR_OUT_OF_RANGE' };
  for (const [start, end] of [
    [-1, 5],
    [0, 11],
    [6, 5],
    [Number.NaN, 5],
    [0, Number.NaN],
    [0, Number.POSITIVE_INFINITY],
    [11, 11],
  ]) {
    assert.throws(() => untyped.sslHandshake(client.id, memory, start, end), range, `${start} ${end}`);
    assert.throws(() => untyped.sslRead(client.id, memory, 0, 0, memory, start, end), range);
    assert.throws(() => untyped.sslWrite(client.id, memory, 0, 0, memory, start, end), range);
    assert.throws(() => untyped.sslTakeOutput(client.id, memory, start, end), range);
  }
  for (const wrong of [
    undefined,
    null,
    'text',
    {},
    new Uint16Array(4),
    new DataView(new ArrayBuffer(8)),
    new ArrayBuffer(4),
  ]) {
    assert.throws(() => untyped.sslHandshake(client.id, wrong, 0, 0), type);
    assert.throws(() => untyped.contextAddCa(world.clientContext(), wrong, false), type);
  }
  assert.throws(() => untyped.sslHandshake(client.id, memory, '0', 1), type);
  assert.throws(() => untyped.sslHandshake(), type);
  assert.throws(() => untyped.sslSetServername(client.id, 5), type);
  // Deno turns anything into what is asked for.
  if (!('deno' in process.versions)) {
    assert.throws(() => untyped.sslNew(world.clientContext(), 1), type);
    assert.throws(() => untyped.contextNew('a', 1), type);
  }
  assert.throws(() => untyped.contextSetPskIdentities(world.clientContext(), 'a', [], ''), type);
  assert.throws(() => untyped.contextSetPskIdentities(world.clientContext(), ['a'], [], ''), range);
  assert.throws(() => untyped.contextSetPskIdentities(world.clientContext(), [5], [memory], ''), type);
  assert.throws(() => untyped.sslExportKeyingMaterial(client.id, -1, 'l', null), range);
  assert.throws(() => untyped.sslExportKeyingMaterial(client.id, 1e9, 'l', null), range);
  assert.throws(() => untyped.start(new Int32Array(7)), range);
  assert.throws(() => untyped.start(new Float64Array(8)), type);
});

scene('memory that was taken away is refused and not touched', (world) => {
  const { binding } = world;
  const pair = world.simplePair().established();
  const gone = new Uint8Array(64);
  structuredClone(gone.buffer, { transfer: [gone.buffer] });
  const range = { code: 'ERR_OUT_OF_RANGE' };
  assert.throws(() => binding.sslHandshake(pair.client.id, gone, 0, 64), range);
  assert.throws(() => binding.sslRead(pair.client.id, none, 0, 0, gone, 0, 64), range);
  assert.throws(() => binding.sslWrite(pair.client.id, gone, 0, 64, none, 0, 0), range);
  assert.throws(() => binding.sslTakeOutput(pair.client.id, gone, 0, 64), range);
  world.reasons(binding.contextAddCa(world.clientContext(), gone, false));
  pair.echo();
});

scene('a self-signed certificate serves the names it was made for', (world) => {
  const { binding } = world;
  const made = binding.selfSignedCertificate(['localhost', '127.0.0.1', '::1', 'bücher.example'], 3);
  assert.equal(made, null);
  binding.takeErrors();
  const [key, certificate] = /** @type {[string, string]} */ (
    binding.selfSignedCertificate(['localhost', '127.0.0.1', '::1'], 3)
  );
  const parsed = new X509Certificate(certificate);
  assert.equal(parsed.subject, 'CN=localhost');
  assert.match(parsed.subjectAltName ?? '', /^DNS:localhost, IP Address:127.0.0.1, IP Address:(0:0:0:0:0:0:0|:):1$/);
  assert.equal(parsed.ca, false);
  assert.ok(parsed.checkPrivateKey(createPrivateKey(key)));
  const now = Date.now();
  assert.ok(Math.abs(Date.parse(parsed.validFrom) - (now - 3_600_000)) < 60_000);
  assert.ok(Math.abs(Date.parse(parsed.validTo) - (now + 3 * 86_400_000)) < 60_000);
  const server = world.serverContext(tls13, { key, chain: certificate });
  const client = binding.contextNew(tls12, tls13);
  world.check(binding.contextAddCa(client, bytes(certificate), false));
  binding.contextSetVerify(client, Verify.peer, -1);
  for (const name of ['localhost', '127.0.0.1', '::1']) world.pair(server, client, name).established().echo();
  assert.equal(world.pair(server, client, 'example.com').handshake().client.status, Status.failed);
  assert.equal(binding.selfSignedCertificate([], 3), null);
});

scene('texts explain numbers', (world) => {
  const { binding } = world;
  assert.equal(binding.verifyText(0), 'ok');
  assert.equal(binding.verifyText(10), 'certificate has expired');
  assert.match(binding.verifyText(0x0a00009c), /http request/);
  for (const odd of [-5, Number.NaN, 1e300, 999]) assert.equal(typeof binding.verifyText(odd), 'string');
  assert.match(binding.opensslVersion, /^3\.\d+\.\d+/);
});

scene('bytes that are spoilt anywhere end in a failure or in nothing, never in other bytes', (world) => {
  const server = world.serverContext();
  const client = world.clientContext();
  let state = 12345;
  const random = () => {
    state = (Math.imul(state, 1103515245) + 12345) & 0x7fffffff;
    return state;
  };
  for (let round = 0; round < 200; round++) {
    const pair = world.pair(server, client);
    const spoilt = round % 4;
    for (let flight = 0; flight < 4; flight++) {
      const end = flight % 2 === 0 ? pair.client : pair.server;
      const other = flight % 2 === 0 ? pair.server : pair.client;
      if (end.status === Status.wantInput) end.handshake(none);
      const wire = end.output();
      if (flight === spoilt && wire.length > 0) wire[random() % wire.length] = random() & 255;
      if (other.status === Status.wantInput) other.handshake(wire);
    }
    for (const end of [pair.client, pair.server]) {
      if (end.status === Status.failed) assert.notEqual(end.errors().length, 0);
    }
    pair.free();
  }
});

scene('thousands of connections leave nothing behind', (world) => {
  const { binding } = world;
  const before = binding.liveCounts();
  const server = world.serverContext();
  const client = world.clientContext();
  for (let round = 0; round < 200; round++) {
    const pair = world.pair(server, client).established();
    pair.echo();
    pair.free();
  }
  for (let round = 0; round < 2000; round++) binding.sslFree(binding.sslNew(server, true));
  binding.contextFree(server);
  binding.contextFree(client);
  assert.deepEqual(binding.liveCounts(), before);
});
