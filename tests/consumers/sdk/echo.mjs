// Echoes through a socket, a pair, and a filter over a socket; then shows which files of ours, and which native modules, were loaded.
import { readFileSync } from 'node:fs';
import { connect, createPair, EventBase, FilterBufferevent, listen } from 'bufferevent';

const listener = await listen(
  { host: '127.0.0.1', port: 0 },
  {
    onRead: (bev) => bev.write(bev.input),
    onEvent: (bev) => void bev.end(),
  },
);
const client = await connect(listener.address);
client.write('over a socket\n');
console.log(await client.readLine('lf'));

const filter = new FilterBufferevent(client);
filter.write('through a filter\n');
console.log(await filter.readLine('lf'));
console.log((await filter.end()).kind);
await listener.close();

const [a, b] = createPair();
a.write('through a pair\n');
console.log(await b.readLine('lf'));
await Promise.all([a.end(), b.end()]);
await EventBase.default[Symbol.asyncDispose]();

const maps = process.platform === 'linux' ? readFileSync('/proc/self/maps', 'utf8') : '';
console.log(`${new Set(maps.match(/\S+\.node$/gm)).size} native modules`);
