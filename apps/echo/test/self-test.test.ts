import { expect, it } from 'vitest';
import { onEveryBackend } from './support/backends.js';
import { EchoProcess } from './support/echo-process.js';
import { canTls } from './support/tls.js';

const nightly = process.env['NIGHTLY'] === '1';

async function selfTest(
  backend: string,
  connections: number,
  bytes: number,
  ms: number,
  ...words: string[]
): Promise<EchoProcess> {
  const size = ['--connections', `${connections}`, '--bytes', `${bytes}`];
  const program = new EchoProcess('self-test', '--backend', backend, ...size, ...words);
  const code = await program.ends(ms);
  expect(program.errors).toBe('');
  expect(code).toBe(0);
  return program;
}

onEveryBackend('self-test', (_startServer, backend) => {
  it('checks a small run, prints its table and exits with 0', async () => {
    const { output } = await selfTest(backend, 4, 4 * 2 ** 20 + 3, 9_000);
    expect(output).toMatch(/^bytes +4194307, SHA-256 of 4 of 4 connections equal$/m);
    expect(output).toMatch(/^throughput +\d+\.\d MB\/s$/m);
    expect(output).toMatch(/^round trip p50 +\d+\.\d{3} ms/m);
    expect(output).toMatch(/^round trip p99 +\d+\.\d{3} ms$/m);
    expect(output).toMatch(/^server CPU +\d+\.\d\d s$/m);
    expect(output).toMatch(/^server peak memory +\d+\.\d MiB$/m);
  });

  it.runIf(canTls)(
    'checks a small run over TLS, with the certificate that the server has made',
    async () => {
      const { output } = await selfTest(backend, 4, 4 * 2 ** 20 + 3, 18_000, '--tls');
      expect(output).toMatch(/^server +listening .* TLS, self-signed certificate, SHA-256 [0-9A-F:]{95}\)$/m);
      expect(output).toMatch(/^bytes +4194307, SHA-256 of 4 of 4 connections equal$/m);
    },
    20_000,
  );

  it('gets 64 KiB back on each of 1,000 connections at once from one client process', async () => {
    const { output } = await selfTest(backend, 1000, 1000 * 64 * 1024, 55_000);
    expect(output).toMatch(/SHA-256 of 1000 of 1000 connections equal/);
  }, 60_000);

  it.runIf(nightly)(
    'gets 256 MiB back over 5,000 connections at once',
    async () => {
      const { output } = await selfTest(backend, 5000, 256 * 2 ** 20, 170_000);
      expect(output).toMatch(/SHA-256 of 5000 of 5000 connections equal/);
    },
    180_000,
  );
});
