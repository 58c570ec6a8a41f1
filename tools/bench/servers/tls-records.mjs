// @ts-check
// How many records small adds become: `tls-records.mjs FOLDER ADD-BYTES BYTES once|welcome`. What passes below TLS is looked at
// on its way: `once` adds all of it in one go, `welcome` as long as `write()` says that more is welcome. Prints JSON.
import { createPair, EventBase, FilterBufferevent } from 'bufferevent';
import { createMemoryBackend } from 'bufferevent-backend/memory';
import { OpensslBufferevent, Ssl, SslContext } from 'bufferevent-openssl';
import { failureOf, GROUP, HOST_NAME, readCredentials, SUITE } from './tls-terms.mjs';

const [folder = '', addBytes = '', totalBytes = '', how = ''] = process.argv.slice(2);
const { key, cert, ca } = readCredentials(folder, 'ecdsa');
const base = new EventBase({ backend: createMemoryBackend() });
/** @type {import('bufferevent-openssl').SslContextOptions} */
const terms = { minVersion: 'TLSv1.3', ciphers: SUITE, groups: GROUP };

const HEADER_BYTES = 5;
const APPLICATION_DATA = 23;

/** Counts records of application data in a stream of bytes that comes in any pieces. */
class RecordCount {
  records = 0;
  #left = 0;
  /** @type {number[]} */
  #header = [];

  /** @param {Uint8Array} bytes */
  add(bytes) {
    for (let at = 0; at < bytes.length; ) {
      if (this.#left > 0) {
        const skipped = Math.min(this.#left, bytes.length - at);
        this.#left -= skipped;
        at += skipped;
        continue;
      }
      this.#header.push(/** @type {number} */ (bytes[at++]));
      if (this.#header.length < HEADER_BYTES) continue;
      const [type, , , high = 0, low = 0] = this.#header;
      if (type === APPLICATION_DATA) this.records += 1;
      this.#left = high * 256 + low;
      this.#header = [];
    }
  }
}

const count = new RecordCount();
const [near, far] = createPair(base);
const tapped = new FilterBufferevent(far, {
  input(source, target) {
    const bytes = source.remove(source.length);
    count.add(bytes);
    target.add(bytes);
    return 'ok';
  },
});
const client = OpensslBufferevent.filter(
  near,
  new Ssl(new SslContext({ ...terms, ca }), { servername: HOST_NAME }),
  'connecting',
);
const server = OpensslBufferevent.filter(tapped, new Ssl(new SslContext({ ...terms, key, cert })), 'accepting');

await new Promise((resolve, reject) => {
  let waiting = 2;
  /** @type {import('bufferevent').BuffereventHandlers} */
  const handlers = {
    onEvent(_, event) {
      if (event.kind !== 'connected') reject(failureOf(event));
      else if (--waiting === 0) resolve(undefined);
    },
  };
  client.setHandlers(handlers);
  server.setHandlers(handlers);
});

const before = count.records;
await new Promise((resolve, reject) => {
  const bytes = Number(totalBytes);
  let unsent = bytes;
  let unread = bytes;
  const fill = () => {
    for (let welcome = true; unsent > 0 && (welcome || how === 'once'); ) {
      const next = Math.min(unsent, Number(addBytes));
      welcome = client.write(new Uint8Array(next));
      unsent -= next;
    }
  };
  /** @param {unknown} _ @param {import('bufferevent').BuffereventEvent} event */
  const onEvent = (_, event) => reject(failureOf(event));
  client.setHandlers({ onWrite: fill, onEvent });
  server.setHandlers({
    onRead({ input }) {
      unread -= input.length;
      input.drain(input.length);
      if (unread === 0) resolve(undefined);
    },
    onEvent,
  });
  server.enable('read');
  fill();
});
console.log(JSON.stringify({ records: count.records - before }));
process.exit();
