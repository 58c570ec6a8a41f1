import { execFileSync } from 'node:child_process';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { once } from '../once.js';
import type { Peer } from '../peer.js';
import { scriptedPeer } from '../scripted-peer.js';

const source = (name: string): string => fileURLToPath(new URL(`../../programs/${name}`, import.meta.url));
const installed = (name: string): string => fileURLToPath(new URL(`../../node_modules/.bin/${name}`, import.meta.url));
const output = (command: string, ...words: string[]): string =>
  execFileSync(command, words, { encoding: 'utf8' }).trim();

const cannotTellEnd = { close: 'node:tls does not tell a clean end from another' };

const node: Peer = scriptedPeer({
  name: 'node:tls',
  library: 'OpenSSL',
  tools: ['node'],
  version: () => `Node.js ${process.versions.node}, OpenSSL ${process.versions.openssl}`,
  command: () => [process.execPath, source('node-peer.mjs')],
  clientCannot: cannotTellEnd,
  serverCannot: cannotTellEnd,
});

const bun: Peer = scriptedPeer({
  name: 'Bun',
  library: 'BoringSSL',
  tools: [installed('bun')],
  version: () => `Bun ${output(installed('bun'), '--version')}`,
  command: () => [installed('bun'), source('node-peer.mjs')],
  clientCannot: cannotTellEnd,
  serverCannot: cannotTellEnd,
});

const deno: Peer = scriptedPeer({
  name: 'Deno',
  library: 'rustls',
  tools: [installed('deno')],
  version: () => output(installed('deno'), '--version').split('\n')[0] ?? '',
  command: () => [installed('deno'), 'run', '--quiet', '--allow-all', source('node-peer.mjs')],
  clientCannot: { ...cannotTellEnd, resumption: 'Deno resumes no session that its node:tls is given' },
  serverCannot: cannotTellEnd,
});

const python: Peer = scriptedPeer({
  name: 'Python ssl',
  library: 'OpenSSL',
  tools: ['python3'],
  version: () =>
    output(
      'python3',
      '-c',
      'import platform, ssl; print("Python", platform.python_version() + ",", ssl.OPENSSL_VERSION)',
    ),
  command: () => ['python3', source('peer.py')],
});

const compileGo = once((folder: string): string => {
  const program = join(folder, 'go-peer');
  execFileSync('go', ['build', '-o', program, source('peer.go')], { env: { ...process.env, GO111MODULE: 'off' } });
  return program;
});

const goTakesAnyEnd = { close: 'crypto/tls takes every end behind a whole record for a clean one' };

const go: Peer = scriptedPeer({
  name: 'Go crypto/tls',
  library: 'its own',
  tools: ['go'],
  version: () => output('go', 'version').replace(/^go version go(\S+).*/, 'Go $1'),
  command: ({ credentials }) => [compileGo(credentials.folder)],
  clientCannot: goTakesAnyEnd,
  serverCannot: goTakesAnyEnd,
});

const compileJava = once((folder: string): string => {
  execFileSync('javac', ['-d', folder, source('Peer.java')]);
  return folder;
});

const java: Peer = scriptedPeer({
  name: 'Java JSSE',
  library: 'its own',
  tools: ['java', 'javac'],
  version: () => output('java', '--version').split('\n')[0] ?? '',
  // By default it takes every end for a clean one.
  command: ({ credentials }) => [
    'java',
    '-Dcom.sun.net.ssl.requireCloseNotify=true',
    '-cp',
    compileJava(credentials.folder),
    'Peer',
  ],
});

export const scriptedPeers: readonly Peer[] = [node, python, go, java, bun, deno];
