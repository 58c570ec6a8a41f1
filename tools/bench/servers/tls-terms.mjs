// @ts-check
// What all peers of the bench of TLS are held to alike: TLS 1.3 with AES-128-GCM and X25519, a client that verifies the
// certificate and its name, the two session tickets that OpenSSL makes, and the same bytes.
import { readFileSync } from 'node:fs';
import { join } from 'node:path';

export const HOST_NAME = 'localhost';
export const SUITE = 'TLS_AES_128_GCM_SHA256';
export const GROUP = 'X25519';

/** What a peer says of its connections, when they are as they should be. */
export const AGREED = `TLSv1.3 ${SUITE} ${GROUP} verified`;

/** What one of ours has agreed upon. @param {import('bufferevent-openssl').Ssl} ssl of a client */
export function agreedBy(ssl) {
  const isVerified = ssl.verifyError === null && ssl.verifiedChain.length > 0;
  return `${ssl.protocol} ${ssl.cipher?.name} ${ssl.group} ${isVerified ? 'verified' : 'not verified'}`;
}

/** Bytes that are handed over and not taken, above which a writer waits, where it does not wait by itself. */
export const WINDOW_BYTES = 256 * 1024;

/** @typedef {'ecdsa' | 'rsa'} KeyKind */

/** @param {string} folder of certificates @param {KeyKind} kind */
export function readCredentials(folder, kind) {
  /** @param {string} name */
  const read = (name) => readFileSync(join(folder, name), 'utf8');
  return { key: read(`${kind}.key`), cert: read(`${kind}.pem`), ca: read('ca.pem') };
}

/** What is sent in each write. @param {number} bytes */
export function pieceOf(bytes) {
  const piece = Buffer.alloc(bytes);
  for (let index = 0; index < bytes; index++) piece[index] = index * 31;
  return piece;
}

/** Compares what comes, in whatever pieces, with one piece that was sent again and again. */
export class Comparison {
  #at = 0;
  /** @type {Buffer} */
  #piece;

  /** @param {Buffer} piece */
  constructor(piece) {
    this.#piece = piece;
  }

  /** @param {Uint8Array} bytes */
  add(bytes) {
    for (let from = 0; from < bytes.length; ) {
      const count = Math.min(bytes.length - from, this.#piece.length - this.#at);
      const same = this.#piece.compare(bytes, from, from + count, this.#at, this.#at + count) === 0;
      if (!same) throw new Error('something else came than what was sent');
      from += count;
      this.#at = (this.#at + count) % this.#piece.length;
    }
  }
}

/**
 * Does something so many times, some of it at once. An end of it is told by the callback.
 *
 * @param {number} times
 * @param {number} atOnce
 * @param {(done: (error?: Error) => void) => void} start
 * @returns {Promise<void>}
 */
export function repeat(times, atOnce, start) {
  return new Promise((resolve, reject) => {
    let begun = 0;
    let ended = 0;
    const next = () => {
      if (begun === times) return;
      begun += 1;
      start((error) => {
        if (error !== undefined) reject(error);
        else if (++ended === times) resolve();
        else next();
      });
    };
    for (let index = 0; index < atOnce; index++) next();
  });
}

/** Why a connection is of no use any more. @param {import('bufferevent').BuffereventEvent} event */
export function failureOf(event) {
  return 'error' in event ? event.error : new Error(`a connection has ended with ${event.kind}`);
}
