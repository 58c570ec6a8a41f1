import { once } from 'node:events';
import { type Backend, connect, EventBase, type SocketBufferevent } from 'bufferevent';
import type { SslContext } from 'bufferevent-openssl';
import { type BackendName, loadBackend } from './backends.js';
import { describe, fail } from './report.js';
import { formatTarget, type TargetOptions, targetOf } from './target.js';
import { checkTlsClientOptions, clientContext, loadOpenssl, type TlsClientOptions } from './tls.js';

export interface ClientOptions extends TargetOptions, TlsClientOptions {
  readonly backend: BackendName;
}

/** Standard input to the server, its answer to standard output; resolves with the exit code. */
export async function client(options: ClientOptions): Promise<number> {
  const target = targetOf(options);
  let backend: Backend;
  let context: SslContext | null;
  try {
    checkTlsClientOptions(options, 'host' in target);
    backend = await loadBackend(options.backend);
    context = options.tls ? await clientContext(options) : null;
  } catch (error) {
    return fail(describe(error));
  }
  await using base = new EventBase({ backend });

  let bev: SocketBufferevent;
  try {
    bev = context === null ? await connect(target, {}, { base }) : await connectSecurely(context);
  } catch (error) {
    return fail(`cannot connect to ${formatTarget(target)}`, error);
  }

  async function connectSecurely(context: SslContext): Promise<SocketBufferevent> {
    const { connectTls } = await loadOpenssl();
    const { servername } = options;
    return connectTls({ ...target, context, base, ...(servername !== undefined && { servername }) });
  }

  const broken = new AbortController();
  process.stdout.once('error', (error) => broken.abort(error));
  let inputEnded = false;

  const send = async (): Promise<void> => {
    for await (const chunk of process.stdin) {
      if (!bev.write(chunk)) await bev.drained(broken);
    }
    inputEnded = true;
    bev.halfClose();
  };

  const receive = async (): Promise<void> => {
    for (;;) {
      const chunk = await bev.read(undefined, broken);
      if (chunk === null) break;
      if (!process.stdout.write(chunk)) await once(process.stdout, 'drain', broken);
    }
    if (!inputEnded) throw new Error('the server ended the connection before the end of input');
  };

  try {
    await Promise.all([send(), receive()]);
  } catch (error) {
    bev.free();
    process.stdin.destroy(); // Ends send(), which may be waiting for somebody to type.
    return broken.signal.aborted
      ? fail('cannot write to standard output', broken.signal.reason)
      : fail(formatTarget(target), error);
  }
  await bev.end();
  return 0;
}
