// Builds the addon against the headers of this machine: `node-gyp rebuild`, unless nothing has changed since.
import { spawnSync } from 'node:child_process';
import { existsSync, readdirSync, statSync } from 'node:fs';
import { createRequire } from 'node:module';
import { fileURLToPath } from 'node:url';

const folder = fileURLToPath(new URL('..', import.meta.url));
const ring = fileURLToPath(new URL('../../bufferevent-backend/native', import.meta.url));

if (process.platform !== 'linux') {
  console.log('bufferevent-epoll: not on Linux, no addon is built');
  process.exit();
}

const built = `${folder}build/Release/bufferevent_epoll.node`;
const sources = [
  `${folder}binding.gyp`,
  ...[`${folder}native`, ring].flatMap((path) => readdirSync(path).map((name) => `${path}/${name}`)),
];
const newest = Math.max(...sources.map((path) => statSync(path).mtimeMs));
if (existsSync(built) && statSync(built).mtimeMs > newest) process.exit();

const gyp = createRequire(import.meta.url).resolve('node-gyp/bin/node-gyp.js');
const words = [gyp, 'rebuild', '--silent'];
// Headers beside the executable need not be fetched.
const headers = '/usr/include/node/node_api.h';
if (existsSync(headers)) words.push('--nodedir=/usr');
const { status } = spawnSync(process.execPath, words, { cwd: folder, stdio: 'inherit' });
process.exit(status ?? 1);
