import { constants } from 'node:os';
import { type Backend, EventBase } from 'bufferevent';
import { type BackendName, loadBackend } from './backends.js';
import { EchoServer } from './echo-server.js';
import { answerUsageQuestions } from './load/usage.js';
import { describe, fail } from './report.js';
import { formatTarget, type TargetOptions, targetOf } from './target.js';
import { checkTlsServeOptions, type ServerTls, serverTls, type TlsServeOptions } from './tls.js';

export interface ServeOptions extends TargetOptions, TlsServeOptions {
  readonly backend: BackendName;
  readonly readTimeout?: number;
  readonly highWatermark: number;
  readonly maxConnections?: number;
  readonly asyncContext: boolean;
  readonly quiet: boolean;
}

/** Serves until told to stop; resolves with the exit code once everything is closed. */
export async function serve(options: ServeOptions): Promise<number> {
  const print = (line: string): void => void process.stdout.write(`${line}\n`);
  const target = targetOf(options);

  let backend: Backend;
  let tls: ServerTls | null;
  try {
    checkTlsServeOptions(options);
    backend = await loadBackend(options.backend);
    tls = options.tls ? await serverTls(options, options.host) : null;
  } catch (error) {
    return fail(describe(error));
  }

  const base = new EventBase({
    backend,
    asyncContext: options.asyncContext,
    limits: { inputHighWatermark: options.highWatermark },
  });
  try {
    let server: EchoServer;
    try {
      server = await EchoServer.start(target, {
        base,
        ...(options.readTimeout === undefined ? {} : { readTimeoutMs: options.readTimeout }),
        ...(options.maxConnections === undefined ? {} : { maxConnections: options.maxConnections }),
        ...(tls === null ? {} : { context: tls.context }),
        ...(options.quiet ? {} : { log: print }),
      });
    } catch (error) {
      return fail(`cannot listen on ${formatTarget(target)}`, error);
    }
    answerUsageQuestions();
    const stopping = stopRequested();
    print(`listening on ${formatTarget(server.address)} (${properties(backend, tls)})`);
    await stopping;
    if (!options.quiet) print(`draining ${server.connections} connections`);
    await server.drain();
    return 0;
  } finally {
    await base[Symbol.asyncDispose]();
  }
}

function properties(backend: Backend, tls: ServerTls | null): string {
  const words = [`backend ${backend.name}`];
  if (tls !== null) words.push('TLS');
  if (tls !== null && tls.fingerprint !== null) words.push(`self-signed certificate, SHA-256 ${tls.fingerprint}`);
  return words.join(', ');
}

/**
 * Resolves at the first SIGTERM or SIGINT, or when the process that forked us is gone; a second signal ends the process
 * at once, with the exit code shells give to that signal.
 */
function stopRequested(): Promise<void> {
  return new Promise((resolve) => {
    let asked = false;
    const onSignal = (signal: 'SIGTERM' | 'SIGINT'): void => {
      if (asked) process.exit(128 + constants.signals[signal]);
      asked = true;
      resolve();
    };
    process.on('SIGTERM', onSignal);
    process.on('SIGINT', onSignal);
    process.once('disconnect', resolve);
  });
}
