import { spawnSync } from 'node:child_process';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { rootCertificates } from 'node:tls';
import { fileURLToPath } from 'node:url';
import { writePki } from 'certificates';
import { afterAll, afterEach, describe, expect, it, vi } from 'vitest';
import { defaultAnchors, defaultTrust } from '../src/default-trust.js';
import { describeWithOpenssl, pki } from './in-memory.js';

const folder = mkdtempSync(join(tmpdir(), 'default-trust-'));
const files = writePki(pki, folder);

afterEach(() => void vi.unstubAllEnvs());
afterAll(() => rmSync(folder, { recursive: true, force: true }));

describe('default trust anchors', () => {
  it('are those that Node carries', () => {
    const text = Buffer.from(defaultTrust()).toString();
    for (const certificate of rootCertificates) expect(text).toContain(certificate);
  });

  it('with an older Node include the file of NODE_EXTRA_CA_CERTS, if it can be read', () => {
    vi.stubEnv('NODE_EXTRA_CA_CERTS', files.ca);
    expect(defaultAnchors({ rootCertificates: ['root'] })).toEqual(['root', pki.ca.certPem]);
    vi.stubEnv('NODE_EXTRA_CA_CERTS', join(folder, 'nowhere'));
    expect(defaultAnchors({ rootCertificates: ['root'] })).toEqual(['root']);
  });

  it('with a newer Node are what that says', () => {
    vi.stubEnv('NODE_EXTRA_CA_CERTS', files.ca);
    const getCACertificates = (kind: string): string[] => [kind];
    expect(defaultAnchors({ rootCertificates: ['root'], getCACertificates })).toEqual(['default']);
  });
});

describeWithOpenssl('a client without `ca`', () => {
  const script = fileURLToPath(new URL('./default-trust.mjs', import.meta.url));

  function run(extra: string, crl = '', server = files.server): string[] {
    const words = [script, server.chain, server.key, crl];
    const env = { ...process.env, NODE_EXTRA_CA_CERTS: extra };
    const { stdout, stderr } = spawnSync(process.execPath, words, { encoding: 'utf8', env });
    return stdout === '' ? [stderr] : (JSON.parse(stdout) as string[]);
  }

  it('trusts whom Node trusts, in each of its contexts', () => {
    expect(run(files.ca)).toEqual(['accepted', 'accepted']);
  });

  it('trusts nobody else', () => {
    const [first, second] = run('');
    expect(first).toMatch(/^UNABLE_TO_(GET_ISSUER|VERIFY_LEAF)|^SELF_SIGNED/);
    expect(second).toBe(first);
  });

  it('trusts them with revocation lists of its own too', () => {
    expect(run(files.ca, files.crl)).toEqual(['accepted', 'accepted']);
    expect(run(files.ca, files.crl, files.revoked)).toEqual(['CERT_REVOKED', 'CERT_REVOKED']);
    expect(run(files.ca, join(folder, 'nowhere'))[0]).toContain('ENOENT');
  });
});
