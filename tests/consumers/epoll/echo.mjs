// Echoes over epoll where there is epoll, over net elsewhere; says which, why not the other, and which addons are loaded.
import { readFileSync } from 'node:fs';
import { basename } from 'node:path';
import { connect, EventBase, listen } from 'bufferevent';
import { epollBackend } from 'bufferevent-epoll';
import { netBackend } from 'bufferevent-net';

const available = epollBackend.isAvailable();
console.log(`available: ${available}`);
console.log(`reason: ${epollBackend.unavailabilityReason()}`);

const base = new EventBase({ backend: available ? epollBackend : netBackend });
const listener = await listen(
  { host: '127.0.0.1', port: 0 },
  {
    onRead: (bev) => bev.write(bev.input),
    onEvent: (bev) => void bev.end(),
  },
  { base },
);
const client = await connect(listener.address, {}, { base });
client.write(`echoed over ${base.backend.name}\n`);
console.log(await client.readLine('lf'));
console.log((await client.end()).kind);
await listener.close();
await base[Symbol.asyncDispose]();

const maps = process.platform === 'linux' ? readFileSync('/proc/self/maps', 'utf8') : '';
console.log(`addons: ${[...new Set(maps.match(/\S+\.node$/gm))].map((file) => basename(file)).join(' ')}`);
