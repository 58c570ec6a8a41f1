#!/usr/bin/env node
// smtp-starttls CERTIFICATE KEY [port]: takes mail over TLS, and prints what it is.
import { once } from 'node:events';
import { EventBase, type IpAddress, listen } from 'bufferevent';
import { SslContext } from 'bufferevent-openssl';
import { type Mail, SmtpSession } from './smtp-session.js';

const [certFile, keyFile, port = '0'] = process.argv.slice(2);
if (certFile === undefined || keyFile === undefined) {
  console.error('smtp-starttls CERTIFICATE KEY [port]');
  process.exit(2);
}

const base = new EventBase();
const context = await SslContext.load({ certFile, keyFile });

function deliver({ from, to, text }: Mail): void {
  console.log(`mail from ${from} to ${to.join(', ')}: ${text.length} characters`);
}

const listener = await listen(
  { ip: '127.0.0.1', port: Number(port) },
  {
    onConnection(bev) {
      bev.setTimeouts({ readMs: 300_000, writeMs: 60_000 });
      new SmtpSession(bev, context, deliver).run().catch((error: Error & { code?: string }) => {
        console.log(`gave a client up: ${error.code ?? error.message}`);
        bev.free();
      });
    },
  },
  { base, maxConnections: 1000 },
);
console.log(`listening on 127.0.0.1:${(listener.address as IpAddress).port}`);
await Promise.race([once(process, 'SIGTERM'), once(process, 'SIGINT')]);
await base[Symbol.asyncDispose]();
context.free();
