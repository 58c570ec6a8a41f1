import { spawnSync } from 'node:child_process';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { rootCertificates } from 'node:tls';
import { fileURLToPath } from 'node:url';
import { createPair } from 'bufferevent';
import { createTestBase } from 'bufferevent/testing';
import { createPfx, hasOpensslProgram, writePki } from 'certificates';
import { afterAll, afterEach, describe, expect, it, vi } from 'vitest';
import { defaultAnchors, defaultTrust } from '../src/default-trust.js';
import { type Ssl, SslContext, upgradeToTls } from '../src/index.js';
import { connectInMemory, describeWithOpenssl, pki, serverContext } from './in-memory.js';

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

describeWithOpenssl('a client without options for a context', () => {
  const tls = process.getBuiltinModule('node:tls');
  const own = Object.getOwnPropertyDescriptor(tls, 'getCACertificates');
  afterEach(() => {
    if (own === undefined) Reflect.deleteProperty(tls, 'getCACertificates');
    else Object.defineProperty(tls, 'getCACertificates', own);
  });

  it('trusts whom Node does now, also after somebody has freed the context that all of them share', async () => {
    await using test = createTestBase();
    let anchors: readonly string[] = Object.freeze([pki.ca.certPem]);
    Object.defineProperty(tls, 'getCACertificates', { value: () => anchors, configurable: true });
    const connectPlain = async (): Promise<Ssl> => {
      const [near, far] = createPair(test.base);
      void upgradeToTls(far, { isServer: true, cert: pki.server.chainPem, key: pki.server.keyPem });
      const opened = upgradeToTls(near, { servername: 'localhost' });
      await test.settle();
      return await opened;
    };
    (await connectPlain()).context.free();
    const { context } = await connectPlain();
    expect((await connectPlain()).context).toBe(context);
    anchors = Object.freeze([pki.otherCa.certPem]);
    await expect(connectPlain()).rejects.toMatchObject({ code: 'ERR_OPENSSL_VERIFY' });
    expect((await connectInMemory(new SslContext(), serverContext())).client.failure).toMatchObject({
      code: 'ERR_OPENSSL_VERIFY',
    });
  });
});

describeWithOpenssl('a client without `ca`', () => {
  const script = fileURLToPath(new URL('./default-trust.mjs', import.meta.url));

  /** How clients without `ca` judge a server; how contexts that are clients first, and then servers, judge; and `ca: []`. */
  interface Judgements {
    readonly clients: readonly string[];
    readonly both: Readonly<Record<string, readonly [asClient: string, asServer: string]>>;
    readonly nobody: readonly string[];
  }

  // Carries another authority than the one that is trusted by default.
  const pfx = hasOpensslProgram('PKCS#12 and default trust')
    ? Buffer.from(createPfx(pki.untrusted, 'secret', pki.otherCa.certPem)).toString('base64')
    : null;
  const client = { cert: pki.client.chainPem, key: pki.client.keyPem };
  const input = JSON.stringify({ client, pfx });

  function judge(extra: string, crl = '', server = files.server): Judgements {
    const words = [script, server.chain, server.key, crl];
    const env = { ...process.env, NODE_EXTRA_CA_CERTS: extra };
    const { stdout, stderr } = spawnSync(process.execPath, words, { encoding: 'utf8', env, input });
    return stdout === '' ? { clients: [stderr], both: {}, nobody: [] } : (JSON.parse(stdout) as Judgements);
  }

  const run = (...words: Parameters<typeof judge>): readonly string[] => judge(...words).clients;

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

  it('keeps them to itself: a server of the same context does not trust them, whichever way it asks for clients', () => {
    const { both } = judge(files.ca);
    expect(Object.keys(both)).toHaveLength(pfx === null ? 2 : 3);
    for (const [name, [asClient, asServer]] of Object.entries(both)) {
      expect([name, asClient]).toEqual([name, 'accepted']);
      expect(asServer, name).toMatch(/^UNABLE_TO_GET_ISSUER/);
    }
  });

  it('trusts nobody with a list of authorities that is empty', () => {
    const { nobody } = judge(files.ca);
    expect(nobody).toHaveLength(3);
    for (const judgement of nobody) expect(judgement).toMatch(/^UNABLE_TO_GET_ISSUER/);
  });
});
