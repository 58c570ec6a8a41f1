// @ts-check
// Both ends of a TLS connection in memory, over nothing but the addon: plain JavaScript, because processes of other
// runtimes and workers run it too.
import assert from 'node:assert/strict';

/** @typedef {import('../../src/binding-contract.js').Binding} Binding */
/** @typedef {import('../../src/binding-contract.js').RawError} RawError */
/**
 * What the scenes need of a public key infrastructure, in a form that can be sent to another process.
 * @typedef {Record<'server' | 'serverRsa' | 'expired' | 'wrongHost' | 'otherHost' | 'revoked' | 'client' | 'untrusted' | 'addressInSubject',
 *   { key: string, chain: string }> & { ca: string, crl: string, caCrl: string, pfx: string | null }} Pki
 */

export const Status = { ok: 0, wantInput: 1, closed: 2, failed: 3, clientHello: 4 };
export const Event = { handshakeDone: 1, handshakeStarted: 2, session: 4, keyLog: 8, keyUpdate: 16 };
export const Verify = { peer: 1, failIfNoPeerCertificate: 2, reportOnly: 4 };
export const tls12 = 0x0303;
export const tls13 = 0x0304;

export const none = new Uint8Array(0);
const scratch = new Uint8Array(1 << 17);
const encoder = new TextEncoder();
const decoder = new TextDecoder();

/** @param {string} text */
export const bytes = (text) => encoder.encode(text);
/** @param {Uint8Array} data */
export const text = (data) => decoder.decode(data);

/** @param {...string} names */
export const protocolList = (...names) => Uint8Array.from(names.flatMap((name) => [name.length, ...bytes(name)]));

/** The addon with the certificates of a run, and the words that the engine writes. */
export class World {
  /**
   * @param {Binding} binding
   * @param {Pki} pki
   */
  constructor(binding, pki) {
    this.binding = binding;
    this.pki = pki;
    this.results = new Int32Array(8);
    binding.start(this.results);
  }

  /** @param {boolean} succeeded */
  check(succeeded) {
    if (!succeeded) assert.fail(JSON.stringify(this.binding.takeErrors()));
  }

  /** The reasons of a call that has to fail. @param {boolean} succeeded */
  reasons(succeeded) {
    assert.equal(succeeded, false);
    const errors = this.binding.takeErrors();
    assert.notEqual(errors.length, 0);
    return errors.map(({ reason }) => reason);
  }

  /**
   * @param {number} version both least and most
   * @param {{ key: string, chain: string } | null} certificate
   */
  serverContext(version = tls13, certificate = this.pki.server) {
    const context = this.binding.contextNew(version, version);
    if (certificate !== null) {
      this.check(this.binding.contextUseCertificate(context, bytes(certificate.chain)));
      this.check(this.binding.contextUseKey(context, bytes(certificate.key), null));
    }
    return context;
  }

  /** Trusts the authority, and verifies. */
  clientContext(version = tls13) {
    const context = this.binding.contextNew(version, version);
    this.check(this.binding.contextAddCa(context, bytes(this.pki.ca), false));
    this.binding.contextSetVerify(context, Verify.peer, -1);
    return context;
  }

  /**
   * @param {number} server a context
   * @param {number} client a context
   * @param {string} name of the server
   */
  pair(server, client, name = 'localhost') {
    return new Pair(this, this.end(server, true), this.end(client, false, name));
  }

  /** With contexts of its own. */
  simplePair(version = tls13) {
    return this.pair(this.serverContext(version), this.clientContext(version));
  }

  /**
   * @param {number} context
   * @param {boolean} isServer
   * @param {string} name
   */
  end(context, isServer, name = '') {
    const id = this.binding.sslNew(context, isServer);
    this.check(id !== 0);
    if (name !== '') {
      this.check(this.binding.sslSetServername(id, name));
      this.check(this.binding.sslSetVerifyName(id, name));
    }
    return new End(this, id);
  }
}

/** One end. */
export class End {
  /** @type {number[]} */
  events = [];
  /** Of all calls. */
  seen = 0;
  status = Status.wantInput;
  consumed = 0;
  produced = 0;
  waiting = 0;
  buffered = 0;

  /**
   * @param {World} world
   * @param {number} id
   */
  constructor(world, id) {
    this.world = world;
    this.binding = world.binding;
    this.id = id;
  }

  /** @param {number} status */
  note(status) {
    const [consumed, produced, waiting, buffered, events] = /** @type {[number, number, number, number, number]} */ ([
      ...this.world.results,
    ]);
    Object.assign(this, { status, consumed, produced, waiting, buffered });
    this.seen |= events;
    return status;
  }

  /** @param {Uint8Array} input */
  handshake(input, start = 0, end = input.length) {
    return this.note(this.binding.sslHandshake(this.id, input, start, end));
  }

  /** What comes out of `input`; `status` says how it ended. @param {Uint8Array} input */
  read(input, room = 1 << 16) {
    const plain = new Uint8Array(room);
    this.note(this.binding.sslRead(this.id, input, 0, input.length, plain, 0, room));
    return plain.slice(0, this.produced);
  }

  /** All of it in records, without waiting output. @param {Uint8Array} plain */
  write(plain) {
    assert.equal(this.note(this.binding.sslWrite(this.id, plain, 0, plain.length, none, 0, 0)), Status.ok);
    assert.equal(this.consumed, plain.length);
    return this.output();
  }

  shutdown() {
    return this.note(this.binding.sslShutdown(this.id));
  }

  /** All that waits. */
  output() {
    const taken = this.binding.sslTakeOutput(this.id, scratch, 0, scratch.length);
    assert.ok(taken < scratch.length);
    return scratch.slice(0, taken);
  }

  errors() {
    return this.binding.sslTakeErrors(this.id);
  }

  reasons() {
    return this.errors().map(({ reason }) => reason);
  }

  get isDone() {
    return (this.binding.sslFlags(this.id) & 1) !== 0;
  }
}

export class Pair {
  /**
   * @param {World} world
   * @param {End} server
   * @param {End} client
   */
  constructor(world, server, client) {
    this.world = world;
    this.server = server;
    this.client = client;
  }

  /** Until both are done, or one has stopped. Bytes go over in pieces of at most `step`. */
  handshake(step = Number.POSITIVE_INFINITY) {
    /** @type {Map<End, Uint8Array>} */
    const inboxes = new Map([
      [this.server, none],
      [this.client, none],
    ]);
    for (let round = 0; round < 100; round++) {
      for (const end of [this.client, this.server]) {
        const other = end === this.client ? this.server : this.client;
        let inbox = /** @type {Uint8Array} */ (inboxes.get(end));
        let offset = 0;
        do {
          if (end.isDone || end.status === Status.failed || end.status === Status.clientHello) break;
          const piece = inbox.subarray(offset, Math.min(inbox.length, offset + step));
          end.handshake(piece);
          offset += end.consumed;
          if (end.status !== Status.wantInput) break;
          assert.equal(end.consumed, piece.length);
        } while (offset < inbox.length);
        inboxes.set(end, inbox.slice(offset));
        inbox = /** @type {Uint8Array} */ (inboxes.get(other));
        const output = end.output();
        inboxes.set(other, Uint8Array.from([...inbox, ...output]));
      }
      if (this.server.isDone && this.client.isDone) break;
      const stops = [this.client, this.server].filter(({ status }) => status >= Status.failed);
      if (stops.length > 0 && (inboxes.get(this.client)?.length ?? 0) + (inboxes.get(this.server)?.length ?? 0) === 0)
        break;
      if (stops.length === 2 || stops.some(({ status }) => status === Status.clientHello)) break;
    }
    this.left = inboxes;
    return this;
  }

  /** Lets both read what was left after the handshake, such as tickets. */
  settle() {
    for (const end of [this.client, this.server]) {
      const other = end === this.client ? this.server : this.client;
      const left = this.left?.get(end) ?? none;
      this.left?.set(end, none);
      assert.equal(end.read(Uint8Array.from([...left, ...other.output()])).length, 0);
      assert.equal(end.status, Status.wantInput);
    }
    return this;
  }

  established(step = Number.POSITIVE_INFINITY) {
    this.handshake(step);
    if (!this.server.isDone || !this.client.isDone) {
      assert.fail(JSON.stringify({ server: this.server.errors(), client: this.client.errors() }));
    }
    return this.settle();
  }

  /** Whether bytes still come through in both directions. */
  echo(message = 'still here') {
    assert.equal(text(this.server.read(this.client.write(bytes(message)))), message);
    assert.equal(text(this.client.read(this.server.write(bytes(message)))), message);
  }

  free() {
    this.world.binding.sslFree(this.server.id);
    this.world.binding.sslFree(this.client.id);
  }
}
