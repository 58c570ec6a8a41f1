// @ts-check
// bufferevent-openssl in memory: filters over both ends of a pair, as users get them.
import { createPair, EventBase } from 'bufferevent';
import { createMemoryBackend } from 'bufferevent-backend/memory';
import { OpensslBufferevent, Ssl, SslContext } from 'bufferevent-openssl';
import {
  agreedBy,
  Comparison,
  failureOf,
  GROUP,
  HOST_NAME,
  pieceOf,
  repeat,
  SUITE,
  WINDOW_BYTES,
} from './tls-terms.mjs';

/** Handshakes that are under way at once. */
const AT_ONCE = 8;

/** @typedef {import('bufferevent-openssl').OpensslFilterBufferevent} Filter */

/**
 * @param {{ key: string, cert: string, ca: string }} credentials
 * @param {'write' | 'reference'} how what is sent gets into the output
 */
export function createPeer({ key, cert, ca }, how) {
  const base = new EventBase({ backend: createMemoryBackend() });
  /** @type {import('bufferevent-openssl').SslContextOptions} */
  const terms = { minVersion: 'TLSv1.3', ciphers: SUITE, groups: GROUP };
  const clients = new SslContext({ ...terms, ca });
  const servers = new SslContext({ ...terms, key, cert });
  let about = '';

  /**
   * @param {import('bufferevent').BuffereventHandlers} clientHandlers
   * @param {import('bufferevent').BuffereventHandlers} serverHandlers
   * @returns {[Filter, Filter]}
   */
  const connect = (clientHandlers, serverHandlers) => {
    const [near, far] = createPair(base);
    const ssl = new Ssl(clients, { servername: HOST_NAME });
    return [
      OpensslBufferevent.filter(near, ssl, 'connecting', { handlers: clientHandlers }),
      OpensslBufferevent.filter(far, new Ssl(servers), 'accepting', { handlers: serverHandlers }),
    ];
  };

  /** @param {(error?: Error) => void} done */
  const handshake = (done) => {
    let waiting = 2;
    /** @type {import('bufferevent').BuffereventHandlers} */
    const handlers = {
      onEvent(_, event) {
        if (event.kind !== 'connected') done(failureOf(event));
        else if (--waiting === 0) {
          if (about === '') about = agreedBy(client.ssl);
          client.free();
          server.free();
          done();
        }
      },
    };
    const [client, server] = connect(handlers, handlers);
  };

  /** @type {[Filter, Filter] | null} */
  let open = null;

  /** @returns {Promise<[Filter, Filter]>} */
  const openOnce = () =>
    new Promise((resolve, reject) => {
      if (open !== null) {
        resolve(open);
        return;
      }
      let waiting = 2;
      /** @type {import('bufferevent').BuffereventHandlers} */
      const handlers = {
        onEvent(_, event) {
          if (event.kind !== 'connected') reject(failureOf(event));
          else if (--waiting === 0) {
            open = pair;
            resolve(pair);
          }
        },
      };
      const pair = connect(handlers, handlers);
    });

  return {
    about: () => about,
    handshakes: (/** @type {number} */ count) => repeat(count, AT_ONCE, handshake),

    /**
     * @param {number} bytes
     * @param {number} writeBytes
     * @param {boolean} compare
     */
    async bulk(bytes, writeBytes, compare) {
      const [client, server] = await openOnce();
      if (about === '') about = agreedBy(client.ssl);
      const piece = pieceOf(writeBytes);
      const comparison = compare ? new Comparison(piece) : null;
      await new Promise((resolve, reject) => {
        let unsent = bytes;
        let unread = bytes;
        const fill = () => {
          for (let welcome = true; welcome && unsent > 0; unsent -= writeBytes) {
            if (how === 'write') welcome = client.write(piece);
            else {
              client.output.addReference(piece);
              welcome = client.output.length < WINDOW_BYTES;
            }
          }
        };
        /** @param {unknown} _ @param {import('bufferevent').BuffereventEvent} event */
        const onEvent = (_, event) => reject(failureOf(event));
        client.setHandlers({ onWrite: fill, onEvent });
        server.setHandlers({
          onRead({ input }) {
            unread -= input.length;
            if (comparison === null) input.drain(input.length);
            else comparison.add(input.remove(input.length));
            if (unread === 0) resolve(undefined);
          },
          onEvent,
        });
        server.enable('read');
        fill();
      });
    },
  };
}
