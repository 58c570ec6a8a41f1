import { execFileSync } from 'node:child_process';
import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { httpAnswer } from '../conversations.js';
import { Meter, payload } from '../payload.js';
import type { Peer } from '../peer.js';
import { Program } from '../program.js';
import { type End, nothingKnown, type Report } from '../settings.js';

/** `curl`, a client. What it is answered has no length: its end is the end of the stream. */
export const curl: Peer = {
  name: 'curl',
  library: 'OpenSSL',
  tools: ['curl'],
  version: () => execFileSync('curl', ['--version'], { encoding: 'utf8' }).split(' ').slice(0, 5).join(' '),
  client: {
    conversation: httpAnswer,
    cannot: {},
    alpn: 'http/1.1',
    async connect(port, settings) {
      const { version, bytes, connections, alpn, clientCertificate, credentials } = settings;
      const path = (name: string): string => join(credentials.folder, `curl-${port}-${name}`);
      const sent = new Meter();
      const request: Uint8Array[] = [];
      for (const piece of payload(bytes)) {
        sent.add(piece);
        request.push(piece);
      }
      writeFileSync(path('request'), Buffer.concat(request));
      const indices = Array.from({ length: connections }, (_, index) => index);
      using program = new Program('curl', [
        ...['--silent', '--show-error', '--verbose', '--fail', '--cacert', credentials.ca],
        // Several files in one run: only so does it keep sessions.
        ...['--resolve', `localhost:${port}:127.0.0.1`, '--http1.1', '--header', 'Expect:'],
        ...['--data-binary', `@${path('request')}`],
        ...(version === 'TLSv1.3' ? ['--tlsv1.3'] : ['--tlsv1.2', '--tls-max', '1.2']),
        ...(alpn === null ? ['--no-alpn'] : []),
        ...(clientCertificate ? ['--cert', credentials.client.certificate, '--key', credentials.client.key] : []),
        ...indices.flatMap((index) => ['--output', path(`answer-${index}`), `https://localhost:${port}/${index}`]),
      ]);
      await program.succeeded();
      const { transcript } = program;
      const shared = {
        ...nothingKnown,
        protocol: /SSL connection using (\S+)/.exec(transcript)?.[1] ?? '',
        alpn: /ALPN[:,] server accepted (?:to use )?(\S+)/.exec(transcript)?.[1] ?? '',
        peerName: /subject: .*CN=([^;\n]*)/.exec(transcript)?.[1] ?? '',
        sent: sent.digest(),
      };
      const ends = transcript.split(/^\* Connected to /m).slice(1);
      return indices.map((index): Report => {
        const received = new Meter();
        received.add(readFileSync(path(`answer-${index}`)));
        return { ...shared, received: received.digest(), end: endOf(ends[index] ?? '') };
      });
    },
  },
};

/** It goes on without, but shows whether it came. */
function endOf(story: string): End {
  return /\(IN\), TLS alert, close notify/.test(story) ? 'clean' : 'truncated';
}
