// Prints how clients and servers of contexts without `ca` judge their peers:
// node default-trust.mjs <certificate> <key> [<revocation list>] < {"client": {"cert", "key"}, "pfx": base64 or null}
import { readFileSync } from 'node:fs';
import { Ssl, SslBioPair, SslContext } from '../dist/index.js';

const [certFile, keyFile, crlFile] = process.argv.slice(2);
const { client: identity, pfx } = JSON.parse(readFileSync(0, 'utf8'));
const serverContext = new SslContext({ certFile, keyFile });

/** The judgement of a client on the server, or what else it fails with. */
function judgement(context) {
  const client = new SslBioPair(new Ssl(context, { servername: 'localhost' }), 'connecting');
  const server = new SslBioPair(new Ssl(serverContext), 'accepting');
  try {
    while (client.handshake() !== 'done') {
      server.feed(client.output);
      server.handshake();
      client.feed(server.output);
    }
    return 'accepted';
  } catch (error) {
    return error.verifyName ?? error.message;
  }
}

/** What a server of the context finds wrong with a client. */
function judgementOnClient(context) {
  const known = new SslContext({ ...identity, rejectUnauthorized: false });
  const client = new SslBioPair(new Ssl(known), 'connecting');
  const ssl = new Ssl(context);
  const server = new SslBioPair(ssl, 'accepting', { closeOnFree: false });
  try {
    while (server.handshake() !== 'done') {
      client.feed(server.output);
      client.handshake();
      server.feed(client.output);
    }
  } catch (error) {
    return error.verifyName ?? error.message;
  }
  return ssl.verifyError?.verifyName ?? 'accepted';
}

const plain = () => judgement(new SslContext(crlFile ? { crlFile } : {}));
const results = { clients: [plain(), plain()], both: {}, nobody: [] };
const asking = {
  'with verify': { certFile, keyFile, requestCert: true, verify: () => undefined },
  'that rejects nobody': { certFile, keyFile, requestCert: true, rejectUnauthorized: false },
};
for (const [name, options] of Object.entries(asking)) {
  const context = new SslContext(options);
  results.both[name] = [judgement(context), judgementOnClient(context)];
}
if (pfx !== null) {
  const options = { pfx: Buffer.from(pfx, 'base64'), passphrase: 'secret', requestCert: true };
  const context = SslContext.fromNodeOptions(options);
  results.both['with PKCS#12'] = [judgement(context), judgementOnClient(context)];
}
for (const options of [{ ca: [] }, { caFile: [] }]) results.nobody.push(judgement(new SslContext(options)));
results.nobody.push(judgement(SslContext.fromNodeOptions({ ca: [] })));
console.log(JSON.stringify(results));
