// M11: TLS for a transport of one's own, by hand.
import { Evbuffer } from 'evbuffer';
import { beforeEach, describe, expect, it } from 'vitest';
import { OpensslError, Ssl, SslBioPair, SslContext, type SslContextOptions } from '../src/index.js';
import { describeWithOpenssl, pki } from './in-memory.js';
import { pattern, recordsIn } from './support/secure-pair.js';
import { contexts, contextsOf, newSsl, type Version, versions } from './support/versions.js';

const KiB = 1024;

interface Ends {
  readonly client: SslBioPair;
  readonly server: SslBioPair;
}

function ends(version: Version, both = contexts(version)): Ends {
  return {
    client: new SslBioPair(newSsl(version, 'connecting', both), 'connecting'),
    server: new SslBioPair(newSsl(version, 'accepting', both), 'accepting'),
  };
}

/** Carries what there is, `most` bytes at a time. */
function carry(from: SslBioPair, to: SslBioPair, most = Infinity): number {
  const bytes = from.output.remove(Math.min(most, from.output.length));
  to.feed(bytes);
  return bytes.length;
}

function shake({ client, server }: Ends, most?: number): void {
  for (let moved = 1; moved > 0; ) {
    client.handshake();
    moved = carry(client, server, most);
    server.handshake();
    moved += carry(server, client, most);
  }
  expect([client.isOpen, server.isOpen]).toEqual([true, true]);
}

function received(pair: SslBioPair): Buffer {
  const plain = new Evbuffer();
  pair.read(plain);
  return Buffer.from(plain.remove());
}

const code = (name: string) => expect.objectContaining({ code: name });

describeWithOpenssl('SslBioPair', () => {
  for (const version of versions) {
    describe(version, () => {
      it('shakes hands step by step, and says after each what it waits for', () => {
        const { client, server } = ends(version);
        expect(client.handshake()).toBe('need-input');
        expect(recordsIn(client.output.toUint8Array()).map(({ type }) => type)).toEqual([22]);
        expect(server.handshake()).toBe('need-input');
        expect(server.output.length).toBe(0);
        carry(client, server);
        expect(server.handshake()).toBe('need-input');
        carry(server, client);
        const last = client.handshake();
        expect(last).toBe(version === 'TLSv1.3' ? 'done' : 'need-input');
        carry(client, server);
        expect(server.handshake()).toBe('done');
        carry(server, client);
        expect(client.handshake()).toBe('done');
        expect(client.ssl.protocol).toBe(version);
      });

      it('byte by byte', () => {
        const both = ends(version);
        shake(both, 1);
        both.client.write('a');
        while (carry(both.client, both.server, 1) > 0) {
          if (both.client.output.length > 0) expect(received(both.server).length).toBe(0);
        }
        expect(received(both.server).toString()).toBe('a');
      });

      it('carries bytes, text and buffers, both ways; a limit leaves the rest for later', () => {
        const both = ends(version);
        shake(both);
        const content = pattern(200 * KiB);
        const buffer = new Evbuffer();
        buffer.add(content);
        both.client.write('text ');
        both.client.write(Buffer.from('bytes '));
        both.client.write(buffer);
        expect(buffer.length).toBe(0);
        carry(both.client, both.server);
        const plain = new Evbuffer();
        expect(both.server.read(plain, 11)).toBe('more');
        expect(plain.toString()).toBe('text bytes ');
        plain.drain();
        let answers = 0;
        while (both.server.read(plain, 10_000) === 'more') {
          answers++;
          expect(plain.length).toBe(answers * 10_000);
        }
        for (const wrong of [0, 1.5, Number.NaN]) expect(() => both.server.read(plain, wrong)).toThrow(RangeError);
        expect(Buffer.from(plain.remove()).equals(content)).toBe(true);
        expect(both.server.pending).toBe(0);
        both.server.write('answer');
        const wire = new Evbuffer();
        wire.addBuffer(both.server.output);
        both.client.feed(wire);
        expect(received(both.client).toString()).toBe('answer');
      });

      it('a record may end where the memory for plaintext does', () => {
        const both = ends(version);
        shake(both);
        received(both.client);
        const content = pattern(15_000);
        // Copies, so that nothing but plaintext is held in the memory that both ends share.
        const records = Array.from({ length: 20 }, () => {
          both.client.write(content);
          return both.client.output.remove();
        });
        const held = new Evbuffer();
        let seen = 0;
        for (const record of records) {
          both.server.feed(record);
          // Few bytes are copied, and take nothing of that memory.
          const few = new Evbuffer();
          both.server.read(few, 1);
          const { buffer, byteOffset, byteLength } = held.peek().at(-1) ?? content;
          const room = buffer.byteLength - byteOffset - byteLength;
          if (room > 4 * KiB && room < both.server.pending) {
            while (both.server.pending > room) both.server.read(few, Math.min(1000, both.server.pending - room));
            seen++;
          }
          expect(both.server.read(held)).toBe('need-input');
        }
        expect(seen).toBeGreaterThan(0);
      });

      it('writes records of 16 KiB', () => {
        const both = ends(version);
        shake(both);
        received(both.client);
        both.server.write(Buffer.alloc(100 * KiB));
        const overhead = version === 'TLSv1.3' ? 17 : 24;
        const lengths = recordsIn(both.server.output.toUint8Array()).map(({ length }) => length - overhead);
        expect(lengths).toEqual([...Array.from({ length: 6 }, () => 16 * KiB), 4 * KiB]);
      });

      it('shutdown() says our end; the peer’s is told by read(); without it the transport’s end is a truncation', () => {
        const both = ends(version);
        shake(both);
        both.client.write('last');
        both.client.shutdown();
        both.client.shutdown();
        expect(() => both.client.write('more')).toThrow(code('ERR_OPENSSL_STATE'));
        carry(both.client, both.server);
        const plain = new Evbuffer();
        expect(both.server.read(plain)).toBe('closed');
        expect(plain.toString()).toBe('last');
        both.server.transportEnded();
        // The other direction is still open.
        both.server.write('after');
        carry(both.server, both.client);
        expect(received(both.client).toString()).toBe('after');
        expect(() => both.client.transportEnded()).toThrow(code('ERR_OPENSSL_TRUNCATED'));
      });

      it('TL-10: nothing follows our end, also when the peer asks for new keys', () => {
        const both = ends(version);
        shake(both);
        received(both.client);
        both.client.shutdown();
        carry(both.client, both.server);
        if (version === 'TLSv1.3') {
          both.server.ssl.updateKeys({ requestPeer: true });
          expect(() => both.client.ssl.updateKeys()).toThrow(code('ERR_OPENSSL_STATE'));
        }
        both.server.write('after');
        carry(both.server, both.client);
        expect(received(both.client).toString()).toBe('after');
        expect(both.client.output.length).toBe(0);
      });

      it('what is broken throws, and leaves an alert in the output', () => {
        const both = ends(version);
        shake(both);
        received(both.client);
        both.client.write('x');
        const wire = Buffer.from(both.client.output.remove());
        wire[wire.length - 1] = (wire[wire.length - 1] as number) ^ 1;
        both.server.output.drain();
        both.server.feed(wire);
        expect(() => both.server.read(new Evbuffer())).toThrow(code('ERR_OPENSSL_PROTOCOL'));
        carry(both.server, both.client);
        expect(() => both.client.read(new Evbuffer())).toThrow(expect.objectContaining({ alert: 20 }));
        expect(() => both.server.shutdown()).toThrow(code('ERR_OPENSSL_PROTOCOL'));
      });

      it('takes bytes only, and text where it encrypts', () => {
        const both = ends(version);
        shake(both);
        const wrong = expect.objectContaining({ name: 'TypeError', code: 'ERR_INVALID_ARG_TYPE' });
        for (const value of ['text', null, 5]) expect(() => both.client.feed(value as never)).toThrow(wrong);
        for (const value of [null, 5]) expect(() => both.client.write(value as never)).toThrow(wrong);
        both.client.write('text');
        carry(both.client, both.server);
        expect(received(both.server).toString()).toBe('text');
      });

      it('waits for what onClientHello and verify have promised', async () => {
        const releases: ((value: null) => void)[] = [];
        const server: SslContextOptions = { onClientHello: () => new Promise((resolve) => releases.push(resolve)) };
        const { client: clientContext, server: serverContext } = contextsOf(version, server);
        let ready = 0;
        const hand = new SslBioPair(new Ssl(serverContext), 'accepting', { onReady: () => ready++ });
        const client = new SslBioPair(new Ssl(clientContext, { servername: 'localhost' }), 'connecting');
        client.handshake();
        carry(client, hand);
        expect(hand.handshake()).toBe('pending');
        expect(hand.handshake()).toBe('pending');
        releases[0]?.(null);
        await new Promise((resolve) => setImmediate(resolve));
        expect(ready).toBe(1);
        expect(hand.handshake()).toBe('need-input');
        shake({ client, server: hand });
      });
    });
  }

  it('renegotiates with TLS 1.2, writes meanwhile for later, and judges the peer again', () => {
    const allowed: SslContextOptions = { renegotiation: { perMinute: 5 } };
    let judged = 0;
    const both = ends('TLSv1.2', contextsOf('TLSv1.2', allowed, { ...allowed, verify: () => judged++ < 2 }));
    shake(both);
    const again = (): Evbuffer => {
      both.client.renegotiate();
      both.client.write('later');
      const plain = new Evbuffer();
      for (let flights = 0; flights < 4; flights++) {
        carry(both.client, both.server);
        both.server.read(plain);
        carry(both.server, both.client);
        both.client.read(new Evbuffer());
      }
      return plain;
    };
    expect(again().toString()).toBe('later');
    expect(judged).toBe(2);
    expect(again).toThrow(code('ERR_OPENSSL_VERIFY'));
  });

  it('renegotiates behind payload that was not taken, which stays to be read', () => {
    const allowed: SslContextOptions = { renegotiation: { perMinute: 5 } };
    const both = ends('TLSv1.2', contextsOf('TLSv1.2', allowed));
    shake(both);
    both.server.write('0123456789');
    carry(both.server, both.client);
    const plain = new Evbuffer();
    expect(both.client.read(plain, 4)).toBe('more');
    both.client.renegotiate();
    const before = both.client.ssl.finished;
    for (let flights = 0; flights < 4; flights++) {
      carry(both.client, both.server);
      both.server.read(new Evbuffer());
      carry(both.server, both.client);
      if (flights === 0) {
        expect(both.client.pending).toBe(6);
        expect(both.client.read(plain, 2)).toBe('more');
      } else both.client.read(plain);
    }
    expect(plain.toString()).toBe('0123456789');
    expect(both.client.ssl.finished).not.toEqual(before);
    expect(both.client.pending).toBe(0);
  });

  it('writes in a renegotiation although payload before its answer was not taken', () => {
    const allowed: SslContextOptions = { renegotiation: { perMinute: 5 } };
    const both = ends('TLSv1.2', contextsOf('TLSv1.2', allowed));
    shake(both);
    both.client.renegotiate();
    both.server.write('0123456789');
    carry(both.server, both.client);
    const plain = new Evbuffer();
    expect(both.client.read(plain, 4)).toBe('more');
    both.client.write('meanwhile');
    both.client.read(plain);
    const atServer = new Evbuffer();
    for (let flights = 0; flights < 4; flights++) {
      carry(both.client, both.server);
      both.server.read(atServer);
      carry(both.server, both.client);
      both.client.read(plain);
    }
    expect([plain.toString(), atServer.toString()]).toEqual(['0123456789', 'meanwhile']);
  });

  it('an Ssl goes on from one pair to the next, with what was decrypted', () => {
    const ssls = { client: newSsl('TLSv1.3', 'connecting'), server: newSsl('TLSv1.3', 'accepting') };
    const kept = { closeOnFree: false };
    const first = {
      client: new SslBioPair(ssls.client, 'connecting', kept),
      server: new SslBioPair(ssls.server, 'accepting', kept),
    };
    shake(first);
    first.client.write('0123456789');
    carry(first.client, first.server);
    first.server.read(new Evbuffer(), 4);
    expect(() => new SslBioPair(ssls.server, 'open')).toThrow(code('ERR_OPENSSL_STATE'));
    first.client.free();
    first.server.free();
    const server = new SslBioPair(ssls.server, 'open');
    expect(server.pending).toBe(6);
    expect(received(server).toString()).toBe('456789');
    server.free();
    server.free();
    expect(ssls.server.state).toBe('freed');
    ssls.client.free();
  });

  it('calls at the wrong time, and with the wrong things, are refused', () => {
    const { client, server } = ends('TLSv1.3');
    expect(() => client.read(new Evbuffer())).toThrow(code('ERR_OPENSSL_STATE'));
    expect(() => client.write('x')).toThrow(code('ERR_OPENSSL_STATE'));
    expect(() => client.shutdown()).toThrow(code('ERR_OPENSSL_STATE'));
    expect(() => client.transportEnded()).toThrow(code('ERR_OPENSSL_HANDSHAKE'));
    expect(() => new SslBioPair(client.ssl, 'accepting')).toThrow(code('ERR_OPENSSL_STATE'));
    expect(() => new SslBioPair({} as Ssl, 'open')).toThrow(TypeError);
    expect(() => new SslBioPair(newSsl('TLSv1.3', 'connecting'), 'shut' as 'open')).toThrow(TypeError);
    shake({ client, server });
    expect(() => client.read({} as Evbuffer)).toThrow(TypeError);
    expect(() => client.read(new Evbuffer(), 'all' as never)).toThrow(TypeError);
    expect(() => client.renegotiate()).toThrow(code('ERR_OPENSSL_UNSUPPORTED'));
    client.free();
    expect(() => client.feed(new Uint8Array(1))).toThrow(code('ERR_OPENSSL_FREED'));
    expect(() => client.handshake()).toThrow(code('ERR_OPENSSL_FREED'));
    server.free();
  });

  it('a peer that is not trusted: the failure, and the alert that tells the other side', () => {
    const both = {
      client: new SslBioPair(
        new Ssl(new SslContext({ ca: pki.otherCa.certPem }), { servername: 'localhost' }),
        'connecting',
      ),
      server: new SslBioPair(newSsl('TLSv1.3', 'accepting'), 'accepting'),
    };
    both.client.handshake();
    carry(both.client, both.server);
    both.server.handshake();
    carry(both.server, both.client);
    expect(() => both.client.handshake()).toThrow(code('ERR_OPENSSL_VERIFY'));
    carry(both.client, both.server);
    expect(() => both.server.handshake()).toThrow(
      expect.objectContaining({ code: 'ERR_OPENSSL_HANDSHAKE', alert: 48 }),
    );
  });

  it('a peer that was refused after a renegotiation is not written to any more', () => {
    const allowed: SslContextOptions = { renegotiation: { perMinute: 5 } };
    let judged = 0;
    const both = ends('TLSv1.2', contextsOf('TLSv1.2', allowed, { ...allowed, verify: () => judged++ === 0 }));
    shake(both);
    both.client.renegotiate();
    const flights = (): void => {
      for (let flight = 0; flight < 4; flight++) {
        carry(both.client, both.server);
        both.server.read(new Evbuffer());
        carry(both.server, both.client);
        both.client.read(new Evbuffer());
      }
    };
    expect(flights).toThrow(code('ERR_OPENSSL_VERIFY'));
    const { length } = both.client.output;
    const calls = [() => both.client.write('secret'), () => received(both.client), () => both.client.shutdown()];
    for (const call of calls) expect(call).toThrow(code('ERR_OPENSSL_VERIFY'));
    expect(both.client.output.length).toBe(length);
    expect(both.client.isOpen).toBe(false);
  });

  it('a fatal alert is not the peer’s end', () => {
    const both = ends('TLSv1.3', contextsOf('TLSv1.3', { ca: pki.ca.certPem, requestCert: true }));
    both.client.handshake();
    carry(both.client, both.server);
    both.server.handshake();
    carry(both.server, both.client);
    expect(both.client.handshake()).toBe('done');
    carry(both.client, both.server);
    expect(() => both.server.handshake()).toThrow(OpensslError);
    carry(both.server, both.client);
    expect(() => received(both.client)).toThrow(code('ERR_OPENSSL_PROTOCOL'));
    expect([both.client.ssl.hasReceivedClose, both.client.ssl.state]).toEqual([false, 'open']);
    expect(() => both.client.transportEnded()).toThrow(code('ERR_OPENSSL_TRUNCATED'));
  });
});

describeWithOpenssl('an SslBioPair that is called from inside', () => {
  it('verify: handshake() answers pending until the judgement, which counts', () => {
    const answers: string[] = [];
    const verify = (): boolean => {
      answers.push(both.client.handshake());
      return false;
    };
    const both = ends('TLSv1.3', contextsOf('TLSv1.3', {}, { verify }));
    expect(() => shake(both)).toThrow(code('ERR_OPENSSL_VERIFY'));
    expect(answers).toEqual(['pending']);
    expect(both.client.isOpen).toBe(false);
    expect(() => both.client.handshake()).toThrow(code('ERR_OPENSSL_VERIFY'));
    expect(() => both.client.write('secret')).toThrow(code('ERR_OPENSSL_STATE'));
  });

  it('onClientHello: handshake() answers pending, and the chosen context is used', () => {
    const answers: string[] = [];
    const chosen = contextsOf('TLSv1.3').server;
    const onClientHello = (): SslContext => {
      answers.push(both.server.handshake());
      return chosen;
    };
    const both = ends('TLSv1.3', contextsOf('TLSv1.3', { onClientHello }));
    shake(both);
    expect(answers).toEqual(['pending']);
    expect(both.server.ssl.context).toBe(chosen);
  });

  for (const version of versions) {
    describe(version, () => {
      let both: Ends;
      beforeEach(() => {
        both = ends(version);
        shake(both);
      });

      it('a watch of the output that writes: bytes arrive once each, in order', () => {
        let rest = 'BC';
        both.client.output.watch(() => {
          const [next = '', ...later] = rest;
          rest = later.join('');
          if (next !== '') both.client.write(next);
        });
        both.client.write('A');
        carry(both.client, both.server);
        expect(received(both.server).toString()).toBe('ABC');
      });

      it('a watch of the output that throws: what was made stays there, and is made once', () => {
        const watch = both.client.output.watch(() => {
          throw new Error('not now');
        });
        expect(() => both.client.write('A')).toThrow('not now');
        watch.dispose();
        both.client.write('B');
        carry(both.client, both.server);
        expect(received(both.server).toString()).toBe('AB');
      });

      it('a watch of the target that reads: bytes arrive once each, in order', () => {
        const content = pattern(100 * KiB);
        both.client.write(content);
        carry(both.client, both.server);
        const plain = new Evbuffer();
        let reads = 0;
        plain.watch(() => {
          if (reads++ < 5) both.server.read(plain, 10 * KiB);
        });
        while (both.server.read(plain, KiB) === 'more') {}
        expect(Buffer.from(plain.remove()).equals(content)).toBe(true);
      });

      it('a target that takes nothing: what was decrypted waits for the next read', () => {
        both.client.write('kept');
        carry(both.client, both.server);
        const plain = new Evbuffer();
        plain.freeze('back');
        expect(() => both.server.read(plain)).toThrow(code('ERR_EVBUFFER_FROZEN_BACK'));
        expect(both.server.pending).toBe(4);
        plain.unfreeze('back');
        both.server.read(plain);
        expect(plain.toString()).toBe('kept');
      });
    });
  }
});
