import { execFileSync } from 'node:child_process';
import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { exchangeAndClose, httpDownload } from '../conversations.js';
import type { Credentials } from '../credentials.js';
import { once } from '../once.js';
import { type Digest, Meter, payload } from '../payload.js';
import type { Peer } from '../peer.js';
import { freePort, Program } from '../program.js';
import { nothingKnown, type Report, type Settings } from '../settings.js';

/** A database with the trust anchor, and both identities under their common names. */
const database = once(({ folder, ca, password, server, client }: Credentials): string => {
  const path = join(folder, 'nss');
  mkdirSync(path);
  const name = `sql:${path}`;
  const make = (command: string, ...words: string[]): void =>
    void execFileSync(command, ['-d', name, ...words], { stdio: 'ignore' });
  make('certutil', '-N', '--empty-password');
  make('certutil', '-A', '-n', 'ca', '-t', 'CT,,', '-i', ca);
  for (const { pkcs12 } of [server, client]) make('pk12util', '-i', pkcs12, '-W', password, '-K', '');
  return name;
});

/** `tstclnt` and `selfserv`, a web server. */
export const nss: Peer = {
  name: 'tstclnt, selfserv',
  library: 'NSS',
  tools: ['tstclnt', 'selfserv', 'certutil', 'pk12util'],
  // The programs do not tell their own.
  version: () =>
    `NSS ${/\t(?:\d+:)?([\d.]+)/.exec(execFileSync('dpkg-query', ['--show', 'libnss3'], { encoding: 'utf8' }))?.[1]}`,
  client: {
    conversation: exchangeAndClose,
    cannot: {
      close: 'tstclnt and selfserv do not say how a connection ended',
      alpn: 'tstclnt has no option for application protocols',
    },
    async connect(port, settings) {
      const request = join(settings.credentials.folder, `nss-${port}`);
      const sent = writePayload(request, settings.bytes);
      const received = new Meter();
      using program = new Program(
        'tstclnt',
        [
          ...['-h', 'localhost', '-4', '-p', `${port}`, '-A', request, '-L', `${settings.connections}`, '-u', '-v'],
          ...commonWords(settings),
          ...(settings.clientCertificate ? ['-n', settings.credentials.client.commonName] : []),
        ],
        { onData: (chunk) => received.add(chunk) },
      );
      await program.succeeded();
      // All connections write to the same place.
      const whole = settings.connections === 1 ? { sent, received: received.digest() } : { sent };
      return factsOf(program.transcript, settings).map((facts) => ({ ...facts, ...whole }));
    },
  },
  server: {
    conversation: httpDownload,
    cannot: { close: 'tstclnt and selfserv do not say how a connection ended' },
    alpn: 'http/1.1',
    onlySends: true,
    async start(settings) {
      const port = await freePort();
      const file = join(settings.credentials.folder, `nss-${port}`);
      const sent = writePayload(file, settings.bytes);
      const program = new Program('selfserv', [
        ...['-n', settings.credentials.server.commonName, '-p', `${port}`, '-u', '-v'],
        ...commonWords(settings),
        ...(settings.alpn === null ? [] : ['-Q']),
        ...(settings.clientCertificate ? ['-r', '-r'] : []),
      ]);
      return {
        port,
        path: file,
        async reports() {
          await program.matched(/^ +\d+ stateless resumes/, settings.connections);
          return factsOf(program.transcript, settings).map((facts) => ({ ...facts, sent }));
        },
        [Symbol.dispose]: () => program.kill(),
      };
    },
  },
};

function commonWords({ version, credentials }: Settings): string[] {
  const name = version.replace('TLSv', 'tls');
  return ['-d', database(credentials), '-V', `${name}:${name}`];
}

function writePayload(path: string, bytes: number): Digest {
  const meter = new Meter();
  const pieces = [...payload(bytes)];
  for (const piece of pieces) meter.add(piece);
  writeFileSync(path, Buffer.concat(pieces));
  return meter.digest();
}

/** It counts TLS 1.3 as version 3.4 of SSL. */
function factsOf(story: string, { connections }: Settings): Report[] {
  const versions = [...story.matchAll(/SSL version 3\.(\d) using/g)];
  if (versions.length < connections) throw new Error(`${versions.length} connections of ${connections}: ${story}`);
  return versions
    .slice(0, connections)
    .map(([, minor]) => ({ ...nothingKnown, protocol: `TLSv1.${Number(minor) - 1}` }));
}
