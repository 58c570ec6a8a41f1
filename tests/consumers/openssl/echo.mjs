// Echoes over TLS where there is TLS, in plain elsewhere; says which, why not, and which addons are loaded.
import { readFileSync } from 'node:fs';
import { basename } from 'node:path';
import { connect, listen } from 'bufferevent';
import {
  connectTls,
  createSelfSignedCertificate,
  getSsl,
  isAvailable,
  listenTls,
  unavailabilityReason,
} from 'bufferevent-openssl';

const available = isAvailable();
console.log(`available: ${available}`);
console.log(`reason: ${unavailabilityReason()}`);

const handlers = { onRead: (bev) => bev.write(bev.input), onEvent: (bev) => void bev.end() };
const target = { host: '127.0.0.1', port: 0 };
const identity = available ? createSelfSignedCertificate() : null;
const listener = available ? await listenTls(target, handlers, identity) : await listen(target, handlers);
const client = await (available ? connectTls({ ...listener.address, ca: identity.cert }) : connect(listener.address));
client.write(`echoed over ${getSsl(client)?.protocol ?? 'TCP alone'}\n`);
console.log(await client.readLine('lf'));
console.log((await client.end()).kind);
await listener.close();

const maps = process.platform === 'linux' ? readFileSync('/proc/self/maps', 'utf8') : '';
console.log(`addons: ${[...new Set(maps.match(/\S+\.node$/gm))].map((file) => basename(file)).join(' ')}`);
