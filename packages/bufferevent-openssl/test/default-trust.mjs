// Prints how two clients without `ca` judge a server: node default-trust.mjs <certificate> <key> [<revocation list>]
import { Ssl, SslBioPair, SslContext } from '../dist/index.js';

const [certFile, keyFile, crlFile] = process.argv.slice(2);
const serverContext = new SslContext({ certFile, keyFile });

function judgement() {
  const context = new SslContext(crlFile ? { crlFile } : {});
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

console.log(JSON.stringify([judgement(), judgement()]));
