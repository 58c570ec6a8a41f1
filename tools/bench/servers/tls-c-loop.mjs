// @ts-check
// The loop of native/tls-loop.cc, compiled before.
import { createRequire } from 'node:module';
import { HOST_NAME } from './tls-terms.mjs';

const addon = createRequire(import.meta.url)('../build/tls-loop.node');

/** @typedef {{ key: string, cert: string, ca: string }} Credentials */

/** An echo over TCP, in a thread of its own. @param {Credentials} credentials @returns {Promise<number>} the port */
export async function serve({ key, cert, ca }) {
  addon.open(key, cert, ca, HOST_NAME);
  // The thread alone does not keep the process.
  setInterval(() => {}, 2 ** 30);
  return addon.serve();
}

/** @param {Credentials} credentials */
export function createPeer({ key, cert, ca }) {
  addon.open(key, cert, ca, HOST_NAME);
  let about = addon.handshakes(1);
  return {
    about: () => about,
    async handshakes(/** @type {number} */ count) {
      about = addon.handshakes(count);
    },
    /**
     * @param {number} bytes
     * @param {number} writeBytes
     * @param {boolean} compare
     */
    async bulk(bytes, writeBytes, compare) {
      const came = addon.bulk(bytes, writeBytes, compare);
      if (came !== bytes) throw new Error(`${came} bytes came instead of ${bytes}`);
    },
  };
}
