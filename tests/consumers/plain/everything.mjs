// Uses every other package, all entries of them, and then says what of TLS was loaded for it.
import { readFileSync } from 'node:fs';
import { readdir } from 'node:fs/promises';
import { connect, EventBase, listen } from 'bufferevent';
import { epollBackend } from 'bufferevent-epoll';
import { netBackend } from 'bufferevent-net';

const entries = [];
for (const name of await readdir('node_modules')) {
  const { exports = {} } = JSON.parse(readFileSync(`node_modules/${name}/package.json`, 'utf8'));
  for (const path of Object.keys(exports)) {
    if (path.endsWith('.json') || !name.match(/^(bufferevent|evbuffer)/)) continue;
    const entry = name + path.slice(1);
    await import(entry);
    entries.push(entry);
  }
}
console.log(`${entries.length} entries`);

for (const backend of [netBackend, ...(epollBackend.isAvailable() ? [epollBackend] : [])]) {
  const base = new EventBase({ backend });
  const handlers = { onRead: (bev) => bev.write(bev.input), onEvent: (bev) => void bev.end() };
  const listener = await listen({ host: '127.0.0.1', port: 0 }, handlers, { base });
  const client = await connect(listener.address, {}, { base });
  client.write('echoed\n');
  console.log(await client.readLine('lf'));
  await client.end();
  await base[Symbol.asyncDispose]();
}

const builtins = process.moduleLoadList.filter((name) => /\btls\b|_tls_/.test(name));
const maps = process.platform === 'linux' ? readFileSync('/proc/self/maps', 'utf8') : '';
console.log(`of TLS: ${[...builtins, ...new Set(maps.match(/\S*openssl\S*\.node$/gm))].join(' ')}`);
