#!/usr/bin/env node
// iocp-tls-echo CERTIFICATE KEY [port] [threads]: gives every client its bytes back over TLS.
import { once } from 'node:events';
import { SslContext } from 'bufferevent-openssl';
import { Server } from './server.js';

const [certFile, keyFile, port = '0', threads = '4'] = process.argv.slice(2);
if (certFile === undefined || keyFile === undefined) {
  console.error('iocp-tls-echo CERTIFICATE KEY [port] [threads]');
  process.exit(2);
}

const context = await SslContext.load({ certFile, keyFile });
const server = await Server.start({
  context,
  port: Number(port),
  threads: Number(threads),
  onEnd: (failure) => console.log(failure === null ? 'a client has ended' : `a client is gone: ${failure.message}`),
});
console.log(`listening on 127.0.0.1:${server.address.port} over ${server.mechanism}`);
await Promise.race([once(process, 'SIGTERM'), once(process, 'SIGINT')]);
await server[Symbol.asyncDispose]();
context.free();
