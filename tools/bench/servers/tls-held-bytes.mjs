// @ts-check
// What OpenSSL itself holds for the server's end of an idle connection: `tls-held-bytes.mjs FOLDER CONNECTIONS`. Prints JSON.
import { createRequire } from 'node:module';
import { HOST_NAME, readCredentials } from './tls-terms.mjs';

const [folder = '', connections = ''] = process.argv.slice(2);
const addon = createRequire(import.meta.url)('../build/tls-loop.node');
const { key, cert, ca } = readCredentials(folder, 'ecdsa');
addon.open(key, cert, ca, HOST_NAME);
addon.handshakes(1);
console.log(JSON.stringify({ bytes: addon.heldBytes(Number(connections)) }));
