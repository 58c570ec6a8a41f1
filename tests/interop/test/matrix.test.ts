import { afterAll, beforeAll, describe, it } from 'vitest';
import { type Credentials, createCredentials } from '../src/credentials.js';
import { ours } from '../src/local-ours.js';
import { peers } from '../src/peers/index.js';
import { obstacle, rowsOf, run, trials } from '../src/trials.js';
import { isAddonUsable, isPeerUsable, isUsable } from '../src/usable.js';

const bytes = (process.env['NIGHTLY'] === '1' ? 64 : 1) * 2 ** 20;
/** Some programs have to be compiled first, and some take their time with 64 MiB. */
const patienceMs = 300_000;

const does = {
  data: 'verifies, moves all bytes both ways, and ends cleanly',
  resumption: 'resumes the session of the connection before',
  alpn: 'agrees on an application protocol',
  clientCertificate: 'has the client show a certificate, and verifies it',
};

// The openssl program also makes files for others.
const canRun = isAddonUsable() && isUsable('interoperability', ['openssl']);

describe.skipIf(!canRun)('bufferevent-openssl with', () => {
  let credentials: Credentials;
  beforeAll(async () => {
    credentials = await createCredentials();
  });
  afterAll(() => credentials[Symbol.dispose]());

  for (const peer of peers.filter(isPeerUsable)) {
    describe.each(rowsOf(peer))(`${peer.name} as $role over $version`, (row) => {
      for (const trial of trials.filter((feature) => obstacle(row, feature) === null)) {
        it(does[trial], { timeout: patienceMs }, () => run(ours, row, trial, bytes, credentials));
      }
    });
  }
});
