// @ts-check
// The engine of bufferevent-openssl alone, one loop of JavaScript around two SslBioPairs: without connections, turns, marks and
// callbacks. What is written is copied first, as `write()` has to.
import { Ssl, SslBioPair, SslContext } from 'bufferevent-openssl';
import { Evbuffer } from 'evbuffer';
import { agreedBy, Comparison, GROUP, HOST_NAME, pieceOf, SUITE } from './tls-terms.mjs';

/** What is encrypted, and then decrypted, at a time. */
const BATCH_BYTES = 64 * 1024;

/** @param {{ key: string, cert: string, ca: string }} credentials */
export function createPeer({ key, cert, ca }) {
  /** @type {import('bufferevent-openssl').SslContextOptions} */
  const terms = { minVersion: 'TLSv1.3', ciphers: SUITE, groups: GROUP };
  const clients = new SslContext({ ...terms, ca });
  const servers = new SslContext({ ...terms, key, cert });
  let about = '';

  /** @returns {[SslBioPair, SslBioPair]} */
  const open = () => {
    const ssl = new Ssl(clients, { servername: HOST_NAME });
    const client = new SslBioPair(ssl, 'connecting');
    const server = new SslBioPair(new Ssl(servers), 'accepting');
    while (!client.isOpen || !server.isOpen) {
      client.handshake();
      server.feed(client.output);
      server.handshake();
      client.feed(server.output);
    }
    if (about === '') about = agreedBy(ssl);
    return [client, server];
  };

  /** @type {[SslBioPair, SslBioPair] | null} */
  let standing = null;

  return {
    about: () => about,

    /** @param {number} count */
    async handshakes(count) {
      for (let left = count; left > 0; left--) for (const end of open()) end.free();
    },

    /**
     * @param {number} bytes
     * @param {number} writeBytes
     * @param {boolean} compare
     */
    async bulk(bytes, writeBytes, compare) {
      standing ??= open();
      const [client, server] = standing;
      const piece = pieceOf(writeBytes);
      const comparison = compare ? new Comparison(piece) : null;
      const written = new Evbuffer();
      const received = new Evbuffer();
      let unread = bytes;
      for (let unsent = bytes; unsent > 0; ) {
        for (; written.length < BATCH_BYTES && unsent > 0; unsent -= writeBytes) written.add(piece);
        client.write(written);
        server.feed(client.output);
        server.read(received);
        unread -= received.length;
        if (comparison === null) received.drain(received.length);
        else comparison.add(received.remove(received.length));
      }
      if (unread !== 0) throw new Error(`${unread} bytes of what was written did not come`);
    },
  };
}
