// @ts-check
// node:tls with both ends in this process: over loopback TCP, or over a pair of Duplex streams in memory.
import { once } from 'node:events';
import { Duplex } from 'node:stream';
import { connect, createSecureContext, createServer, TLSSocket } from 'node:tls';
import { Comparison, GROUP, HOST_NAME, pieceOf, repeat, SUITE, WINDOW_BYTES } from './tls-terms.mjs';

/** Handshakes that are under way at once. */
const AT_ONCE = 8;

/**
 * @param {{ key: string, cert: string, ca: string }} credentials
 * @param {'tcp' | 'duplex'} how
 * @param {'welcome' | 'window'} until how much is written at once: as long as `write()` says so, or {@link WINDOW_BYTES}
 */
export async function createPeer({ key, cert, ca }, how, until) {
  const terms = /** @type {const} */ ({ minVersion: 'TLSv1.3', ciphers: SUITE, ecdhCurve: GROUP });
  const clients = createSecureContext({ ...terms, ca });
  const servers = createSecureContext({ ...terms, key, cert });
  let about = '';

  /** @type {((socket: TLSSocket) => void)[]} Who waits for the other end, in the order of connecting. */
  const connecting = [];
  const server = createServer({ ...terms, key, cert, noDelay: true });
  server.on('secureConnection', (socket) => connecting.shift()?.(socket));
  if (how === 'tcp') {
    server.listen({ host: '127.0.0.1', port: 0 });
    await once(server, 'listening');
    server.unref();
  }
  const address = server.address();
  const port = typeof address === 'object' && address !== null ? address.port : 0;

  /**
   * Both ends of a new connection, when both say that they are secure.
   *
   * @param {(error: Error | null, client: TLSSocket, server: TLSSocket) => void} done
   */
  const open = (done) => {
    let waiting = 2;
    /** @type {TLSSocket} */
    let far;
    const arrived = () => {
      if (--waiting === 0) done(null, near, far);
    };
    /** @type {import('node:tls').ConnectionOptions} */
    const options = { secureContext: clients, servername: HOST_NAME };
    /** @type {TLSSocket} */
    let near;
    if (how === 'tcp') {
      near = connect({ ...options, host: '127.0.0.1', port });
      near.setNoDelay();
      connecting.push((socket) => {
        far = socket;
        far.on('error', ignore);
        arrived();
      });
    } else {
      const [left, right] = duplexPair();
      far = new TLSSocket(right, { isServer: true, secureContext: servers });
      far.on('error', ignore);
      far.once('secure', arrived);
      near = connect({ ...options, socket: left });
    }
    near.on('error', (error) => done(error, near, far));
    near.once('secureConnect', arrived);
  };

  /** @type {[TLSSocket, TLSSocket] | null} */
  let kept = null;

  /** @returns {Promise<[TLSSocket, TLSSocket]>} */
  const openOnce = () =>
    new Promise((resolve, reject) => {
      if (kept !== null) resolve(kept);
      else {
        open((error, near, far) => {
          kept = [near, far];
          if (error === null) resolve(kept);
          else reject(error);
        });
      }
    });

  return {
    about: () => about,
    handshakes: (/** @type {number} */ count) =>
      repeat(count, AT_ONCE, (done) =>
        open((error, near, far) => {
          if (error === null && about === '') about = describe(near);
          near.destroy();
          far?.destroy();
          done(error ?? undefined);
        }),
      ),

    /**
     * @param {number} bytes
     * @param {number} writeBytes
     * @param {boolean} compare
     */
    async bulk(bytes, writeBytes, compare) {
      const [near, far] = await openOnce();
      if (about === '') about = describe(near);
      const piece = pieceOf(writeBytes);
      const comparison = compare ? new Comparison(piece) : null;
      await new Promise((resolve, reject) => {
        let unsent = bytes;
        let unread = bytes;
        const fill = () => {
          for (let welcome = true; welcome && unsent > 0; unsent -= writeBytes) {
            welcome = near.write(piece);
            if (until === 'window') welcome = near.writableLength < WINDOW_BYTES;
          }
        };
        near.removeAllListeners('drain').on('drain', fill);
        near.removeAllListeners('error').on('error', reject);
        far.removeAllListeners('data').on('data', (data) => {
          unread -= data.length;
          comparison?.add(data);
          if (unread === 0) resolve(undefined);
        });
        fill();
      });
    },
  };
}

function ignore() {}

/** @param {TLSSocket} socket */
function describe(socket) {
  const group = /** @type {{ name?: string }} */ (socket.getEphemeralKeyInfo()).name;
  return `${socket.getProtocol()} ${socket.getCipher().name} ${group} ${socket.authorized ? 'verified' : 'not verified'}`;
}

/** As `stream.duplexPair()`, which Node 20 does not have: what one is given, the other pushes when it is read. */
class Half extends Duplex {
  /** @type {Half | null} */
  other = null;
  /** @type {(() => void) | null} */
  #taken = null;

  /** @override */
  _read() {
    const taken = this.#taken;
    this.#taken = null;
    taken?.();
  }

  /**
   * @override
   * @param {Buffer} chunk
   * @param {string} _encoding
   * @param {() => void} done
   */
  _write(chunk, _encoding, done) {
    const other = /** @type {Half} */ (this.other);
    if (chunk.length === 0) process.nextTick(done);
    else {
      other.push(chunk);
      other.#taken = done;
    }
  }

  /**
   * @override
   * @param {() => void} done
   */
  _final(done) {
    this.other?.on('end', done);
    this.other?.push(null);
  }
}

/** @returns {[Half, Half]} */
function duplexPair() {
  const left = new Half();
  const right = new Half();
  left.other = right;
  right.other = left;
  return [left, right];
}
