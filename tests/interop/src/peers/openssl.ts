import { execFileSync } from 'node:child_process';
import { join } from 'node:path';
import { exchangeAndClose } from '../conversations.js';
import type { Peer } from '../peer.js';
import { PipedProgram } from '../piped-exchange.js';
import { freePort } from '../program.js';
import { type End, nothingKnown, type Report, type Settings } from '../settings.js';

/**
 * `s_client` and `s_server`. Both tell of the handshake on standard error, with `-brief`, and of the end when it is not
 * clean.
 */
export const openssl: Peer = {
  name: 's_client, s_server',
  library: 'OpenSSL',
  tools: ['openssl'],
  version: () => execFileSync('openssl', ['version'], { encoding: 'utf8' }).split(' ', 2).join(' '),
  client: {
    // It leaves without a look at the answer when it closes first.
    conversation: exchangeAndClose,
    cannot: {},
    async connect(port, settings) {
      const session = join(settings.credentials.folder, `session-${port}.pem`);
      const reports: Report[] = [];
      while (reports.length < settings.connections) {
        using program = new PipedProgram('openssl', [
          ...['s_client', '-connect', `127.0.0.1:${port}`, '-brief', '-nocommands'],
          ...['-servername', 'localhost', '-verify_hostname', 'localhost', '-verify', '5', '-verify_return_error'],
          ...commonWords(settings),
          ...(settings.clientCertificate ? identityWords(settings, 'client') : []),
          ...(settings.connections > 1 ? ['-sess_out', session] : []),
          ...(reports.length > 0 ? ['-sess_in', session] : []),
        ]);
        const { exchanged, facts } = await converse(program, settings, 1);
        // Ends with an error unless close_notify came.
        await program.succeeded();
        reports.push({ ...facts, ...exchanged, end: endOf(program) });
      }
      return reports;
    },
  },
  server: {
    conversation: exchangeAndClose,
    cannot: {},
    async start(settings) {
      const port = await freePort();
      const program = new PipedProgram('openssl', [
        ...['s_server', '-accept', `127.0.0.1:${port}`, '-brief', '-naccept', `${settings.connections}`],
        ...commonWords(settings),
        ...identityWords(settings, 'server'),
        ...(settings.clientCertificate ? ['-Verify', '5', '-verify_return_error'] : []),
      ]);
      return {
        port,
        async reports() {
          const reports: Report[] = [];
          while (reports.length < settings.connections) {
            const { exchanged, facts } = await converse(program, settings, reports.length + 1);
            reports.push({ ...facts, ...exchanged, end: null });
          }
          await program.succeeded();
          return reports.map((report) => ({ ...report, end: endOf(program) }));
        },
        [Symbol.dispose]: () => program.kill(),
      };
    },
  },
};

function commonWords({ version, alpn, credentials }: Settings): string[] {
  return [
    version === 'TLSv1.3' ? '-tls1_3' : '-tls1_2',
    ...['-CAfile', credentials.ca],
    ...(alpn === null ? [] : ['-alpn', alpn]),
  ];
}

function identityWords({ credentials }: Settings, role: 'client' | 'server'): string[] {
  const { certificate, key } = credentials[role];
  return ['-cert', certificate, '-key', key, '-cert_chain', credentials.intermediate];
}

async function converse(program: PipedProgram, settings: Settings, count: number) {
  const [, protocol = ''] = await program.matched(/^Protocol version: (\S+)$/, count);
  const exchanged = await program.exchange(settings.bytes);
  const [, peerName = ''] = /^Peer certificate: .*CN = ([^,\n]*)/m.exec(program.transcript) ?? [];
  return { exchanged, facts: { ...nothingKnown, protocol, peerName } };
}

function endOf(program: PipedProgram): End {
  return program.transcript.includes('unexpected eof') ? 'truncated' : 'clean';
}
