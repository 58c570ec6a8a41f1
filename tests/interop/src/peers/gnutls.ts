import { execFileSync } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { echoedLines, exchangeUntilClosed, nothingUntilClosed } from '../conversations.js';
import type { Peer } from '../peer.js';
import { PipedProgram } from '../piped-exchange.js';
import { freePort, Program } from '../program.js';
import { nothingKnown, type Report, type Settings } from '../settings.js';

/** `gnutls-cli` and `gnutls-serv`, which says lines again. */
export const gnutls: Peer = {
  name: 'gnutls-cli, gnutls-serv',
  library: 'GnuTLS',
  tools: ['gnutls-cli', 'gnutls-serv'],
  version: () => execFileSync('gnutls-cli', ['--version'], { encoding: 'utf8' }).split('\n', 1)[0] ?? '',
  client: {
    // It answers no close_notify, but says its own when its input ends, and then looks for ours.
    conversation: exchangeUntilClosed,
    opening: nothingUntilClosed,
    cannot: { close: 'gnutls-cli takes every end for a clean one when it has said its own' },
    async connect(port, settings) {
      const log = join(settings.credentials.folder, `gnutls-${port}.log`);
      const { client } = settings.credentials;
      using program = new PipedProgram('gnutls-cli', [
        ...['--port', `${port}`, '--sni-hostname', 'localhost', '--verify-hostname', 'localhost'],
        ...['--logfile', log, '--x509cafile', settings.credentials.ca, '--priority', priority(settings)],
        ...(settings.alpn === null ? [] : ['--alpn', settings.alpn]),
        ...(settings.clientCertificate ? ['--x509certfile', client.certificate, '--x509keyfile', client.key] : []),
        ...(settings.connections > 1 ? ['--resume', '--waitresumption'] : []),
        '127.0.0.1',
      ]);
      const exchanged = await program.exchange(settings.bytes);
      program.endInput();
      await program.succeeded();
      const story = readFileSync(log, 'utf8');
      const last: Report = { ...nothingKnown, ...factsOf(story), ...exchanged };
      return settings.connections > 1 ? [nothingKnown, last] : [last];
    },
  },
  server: {
    conversation: echoedLines,
    cannot: { close: 'gnutls-serv does not say how a connection ended' },
    maxBytes: 1024 * 1024,
    async start(settings) {
      const port = await freePort();
      const { ca, server } = settings.credentials;
      const program = new Program('gnutls-serv', [
        ...['--echo', '--port', `${port}`, '--x509cafile', ca, '--priority', priority(settings)],
        ...['--x509certfile', server.certificate, '--x509keyfile', server.key],
        ...(settings.alpn === null ? [] : ['--alpn', settings.alpn, '--alpn-fatal']),
        ...(settings.clientCertificate ? ['--require-client-cert', '--verify-client-cert'] : ['--disable-client-cert']),
      ]);
      return {
        port,
        async reports() {
          await program.matched(/^- Cipher: /, settings.connections);
          const stories = program.transcript.split('* Accepted connection').slice(1);
          return stories.map((story) => ({ ...nothingKnown, ...factsOf(story) }));
        },
        [Symbol.dispose]: () => program.kill(),
      };
    },
  },
};

function priority({ version }: Settings): string {
  return `NORMAL:-VERS-ALL:+VERS-TLS${version.slice('TLSv'.length)}`;
}

function factsOf(story: string): Partial<Report> {
  const alpn = /Application protocol: (\S+)/.exec(story)?.[1];
  return {
    protocol: `TLSv${/Description: \(TLS([\d.]+)/.exec(story)?.[1]}`,
    isResumed: story.includes('This is a resumed session'),
    ...(alpn !== undefined && { alpn }),
  };
}
