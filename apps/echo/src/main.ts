#!/usr/bin/env node
// The command line: words in, an exit code out. What a command does stands in the file named after it, which is loaded
// only for that command: the server starts without the load client.
import { Command, Option } from 'commander';
import { backendNames } from './backends.js';
import { fingerprint, integerBetween, oneOf } from './options.js';
import { surviveClosedStdout } from './stdout.js';

const maxTimeoutMs = 2 ** 31 - 1; // What timers of Node can wait.
const maxHighWatermark = 16 * 2 ** 20; // Far below the hard cap on output (64 MiB), which ends a connection.

const program = new Command('echo')
  .description('An echo server on bufferevent, its client, and a test of both')
  .showHelpAfterError('(--help lists the options)');

program
  .command('serve')
  .description('answer every connection with its own bytes until SIGTERM or SIGINT; a second signal ends at once')
  .option('--host <host>', 'address or name to listen on', '127.0.0.1')
  .option('--port <port>', 'port to listen on; 0 lets the system choose', integerBetween(0, 65_535), 7007)
  .addOption(new Option('--path <path>', 'listen on a Unix-domain socket instead').conflicts(['host', 'port']))
  .option('--backend <name>', `the mechanism: ${backendNames.join(', ')}`, oneOf(backendNames), 'auto')
  .option(
    '--read-timeout <ms>',
    'end connections whose peer sends nothing, or takes nothing, for this long',
    integerBetween(1, maxTimeoutMs),
  )
  .option(
    '--high-watermark <bytes>',
    'received bytes held per connection while its peer does not read',
    integerBetween(1, maxHighWatermark),
    256 * 1024,
  )
  .option('--max-connections <n>', 'connections served at once', integerBetween(1, 2 ** 31 - 1))
  .option('--tls', 'speak TLS; without --cert with a certificate that is made for this run', false)
  .option('--cert <file>', 'with --tls: the certificate and its chain, PEM')
  .option('--key <file>', 'with --tls: the private key of the certificate, PEM')
  .option('--request-cert', 'with --tls: serve only clients with a certificate that --ca has signed', false)
  .option('--ca <file>', 'with --request-cert: whom to trust, PEM')
  .option('--no-async-context', 'give up the async context of handlers, for speed')
  .option('--quiet', 'print the ready line and nothing else', false)
  .action(async (options) => finish(await (await import('./serve.js')).serve(options)));

program
  .command('client')
  .description('send standard input to a server and write its answer to standard output')
  .option('--host <host>', 'address or name of the server', '127.0.0.1')
  .option('--port <port>', 'port of the server', integerBetween(1, 65_535), 7007)
  .addOption(new Option('--path <path>', 'connect to a Unix-domain socket instead').conflicts(['host', 'port']))
  .option('--backend <name>', `the mechanism: ${backendNames.join(', ')}`, oneOf(backendNames), 'auto')
  .option('--tls', 'speak TLS', false)
  .option('--ca <file>', 'with --tls: whom to trust instead of the authorities that Node knows, PEM')
  .option('--fingerprint <sha256>', 'with --tls: trust the certificate with this fingerprint and no other', fingerprint)
  .option('--insecure', 'with --tls: trust anybody', false)
  .option('--servername <name>', 'with --tls: the name of the server, when it is not the host')
  .option('--cert <file>', 'with --tls: a certificate to show when the server asks, and its chain, PEM')
  .option('--key <file>', 'with --tls: the private key of the certificate, PEM')
  .action(async (options) => finish(await (await import('./client.js')).client(options)));

program
  .command('self-test')
  .description('start a server in a second process, check every byte that comes back, and measure')
  .option('--connections <n>', 'connections at once', integerBetween(1, 60_000), 64)
  .option('--bytes <n>', 'bytes to send, over all connections', integerBetween(1, Number.MAX_SAFE_INTEGER), 268_435_456)
  .option('--backend <name>', `the mechanism of the server: ${backendNames.join(', ')}`, oneOf(backendNames), 'auto')
  .option('--tls', 'the same over TLS', false)
  .action(async (options) => finish(await (await import('./self-test.js')).selfTest(options)));

surviveClosedStdout();
await program.parseAsync();

/** The process ends when nothing is left to do, so that a handle left open by mistake is seen. */
function finish(exitCode: number): void {
  process.exitCode = exitCode;
}
