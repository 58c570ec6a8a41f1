import { writeFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import type { Feature } from './peer.js';
import { bytesOf, obstacle, type Row } from './trials.js';

/** What has come of every row. */
export type Findings = { readonly row: Row; readonly failures: ReadonlyMap<string, string> }[];

const target = fileURLToPath(new URL('../../../docs/interop.md', import.meta.url));

/** Writes `docs/interop.md` anew. Every trial of the rows has succeeded. */
export function writeTable(findings: Findings, bytes: number): void {
  const notes: string[] = [];
  const cell = (row: Row, feature: Feature, success: string): string => {
    const reason = obstacle(row, feature);
    if (reason === null) return success;
    if (!notes.includes(reason)) notes.push(reason);
    return `– [${notes.indexOf(reason) + 1}]`;
  };
  const lines = findings.map(({ row }) => {
    const { peer, role, version } = row;
    const { name, library } = peer;
    const cells = [
      `${name} (${library})`,
      role,
      version.replace('TLSv', ''),
      cell(row, 'data', `${size(bytesOf(row, bytes))}${peer[role]?.onlySends ? ' from it only' : ''}`),
      cell(row, 'close', 'both'),
      cell(row, 'resumption', 'yes'),
      cell(row, 'alpn', 'yes'),
      cell(row, 'clientCertificate', 'yes'),
    ];
    return `| ${cells.join(' | ')} |`;
  });
  const versionLines = [...new Set(findings.map(({ row }) => row.peer))].map(
    (peer) => `- ${peer.name}: ${peer.version()}`,
  );
  writeFileSync(
    target,
    `# Who it was tried with

Written by \`npm run matrix\` in \`tests/interop\`; the same trials run in \`npm test\` with 1 MiB, and in
\`npm run test:nightly\` with 64 MiB.

Every line is a conversation of \`bufferevent-openssl\` with another implementation of TLS, over TCP: with its own programs where
it has some, with small ones in \`programs/\` elsewhere. In all of them the client verifies the server's chain (leaf, intermediate, trust anchor) and its name, and both ends agree on the SHA-256 of what
was sent and received.

| peer | it is the | TLS | data each way | clean close seen by | resumption | ALPN | client certificate |
|---|---|---|---|---|---|---|---|
${lines.join('\n')}

**clean close seen by**: \`both\` means that each end has told the other's close_notify from a connection that just ends.
Where the peer can't tell, ours did. **resumption**: a second connection went on with the session of the first.
**client certificate**: the server asked for one, and verified it.

${notes.map((note, index) => `${index + 1}. ${note}`).join('\n')}

mbedTLS and wolfSSL are missing because Debian has their libraries, but no programs. With these versions, on Node.js ${process.versions.node} with OpenSSL ${process.versions.openssl}:

${versionLines.join('\n')}
`,
  );
}

function size(bytes: number): string {
  return bytes >= 2 ** 20 ? `${bytes / 2 ** 20} MiB` : `${bytes / 1024} KiB`;
}
