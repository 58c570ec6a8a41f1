import { spawnSync } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { type AddressInfo, createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it, onTestFinished } from 'vitest';
import { failuresLog, missingPrograms, Prefix, WindowsProgram } from '../src/index.js';

const canRun = missingPrograms.length === 0 || process.env['REQUIRE_TOOLS'] === '1';
if (!canRun) console.warn(`skipped: Node for Windows: ${missingPrograms.join(', ')} not found`);
/** A prefix that has to be made takes its time, and so does the first start in it. */
const patienceMs = 120_000;

describe.runIf(canRun)('Node for Windows', () => {
  let folder: string;
  let prefix: Prefix;

  beforeAll(async () => {
    folder = mkdtempSync(join(tmpdir(), 'windows-node-'));
    prefix = await Prefix.take();
  }, patienceMs);

  afterAll(() => {
    prefix?.[Symbol.dispose]();
    rmSync(folder, { recursive: true, force: true });
  });

  function run(code: string, options: { node?: 20 | 22; input?: string } = {}): WindowsProgram {
    writeFileSync(join(folder, 'program.mjs'), code);
    return new WindowsProgram(prefix, ['program.mjs'], { node: 20, folder, log: join(folder, 'log'), ...options });
  }

  it.each([20, 22] as const)(
    'of version %s runs what it is given, and its exit code is known',
    { timeout: patienceMs },
    async (node) => {
      const program = run(`console.log(process.platform, process.version); process.exit(7)`, { node });
      expect(await program.end(patienceMs)).toBe(7);
      expect(program.output()).toMatch(new RegExp(`^win32 v${node}\\.`));
    },
  );

  it('reads its standard input from a file', { timeout: patienceMs }, async () => {
    const input = join(folder, 'input');
    writeFileSync(input, 'hello');
    const program = run(`for await (const chunk of process.stdin) process.stdout.write(chunk)`, { input });
    expect(await program.end(patienceMs)).toBe(0);
    expect(program.output()).toBe('hello');
  });

  it('is heard while it runs', { timeout: patienceMs }, async () => {
    const program = run(`console.log('port 7'); setTimeout(() => {}, 2_000)`);
    expect((await program.said(/port (\d)/, patienceMs))[1]).toBe('7');
    expect(await program.end(patienceMs)).toBe(0);
    await expect(program.said(/port 8/, 1_000)).rejects.toThrow('port 7');
  });

  it('that hangs is ended in time, with all that it has started', { timeout: patienceMs }, async () => {
    let beat = (): void => {};
    const beating = new Promise<void>((resolve) => {
      beat = resolve;
    });
    let leave = (): void => {};
    const left = new Promise<void>((resolve) => {
      leave = resolve;
    });
    // What was started holds a connection, which ends with it.
    const server = createServer((socket) => {
      socket
        .on('data', beat)
        .on('close', leave)
        .on('error', () => {});
    });
    onTestFinished(() => void server.close());
    await once(server.listen(0, '127.0.0.1'), 'listening');
    const { port } = server.address() as AddressInfo;
    const program = run(`
      import { spawn } from 'node:child_process';
      const code = "const socket = require('node:net').connect(${port}, '127.0.0.1'); setInterval(() => socket.write('x'), 20)";
      spawn(process.execPath, ['-e', code], { stdio: 'ignore' });
      console.log('hanging');
      setInterval(() => {}, 1_000);
    `);
    await program.said(/hanging/, patienceMs);
    await beating;
    expect(await program.end(1_000)).toBeNull();
    await left;
    expect(program.output()).toBe('hanging\n');
  });

  it('of two runs at once is in two prefixes, and the end of one is not that of the other', {
    timeout: patienceMs,
  }, async () => {
    const program = run(`setTimeout(() => process.exit(3), 4_000)`);
    const other = await Prefix.take();
    expect(other.folder).not.toBe(prefix.folder);
    other[Symbol.dispose]();
    expect(await program.end(patienceMs)).toBe(3);
  });
});

describe.runIf(canRun)('the command', () => {
  const main = new URL('../src/main.ts', import.meta.url).pathname;
  let folder: string;

  beforeAll(() => {
    folder = mkdtempSync(new URL('.', import.meta.url).pathname);
  });

  afterAll(() => rmSync(folder, { recursive: true, force: true }));

  function command(code: string, ...words: string[]): { status: number | null; output: string } {
    const file = join(folder, 'one.mjs');
    writeFileSync(file, `import { it } from 'node:test';\n${code}`);
    const { status, stdout, stderr } = spawnSync('tsx', [main, '--node', '20', ...words, file], { encoding: 'utf8' });
    return { status, output: stdout + stderr };
  }

  it('prints what a suite has said, and ends with 0 when it passes', { timeout: patienceMs }, () => {
    const { status, output } = command(`it('is fine', () => {});`);
    expect(output).toMatch(/✔ is fine/);
    expect(output).toMatch(/under Wine: 1 of 1 runs ok\n$/);
    expect(readFileSync(failuresLog, 'utf8')).toBe('');
    expect(status).toBe(0);
  });

  it('that repeats sums up each round in a line, and prints what failed only', { timeout: patienceMs }, () => {
    const { status, output } = command(
      `import { existsSync, writeFileSync } from 'node:fs';
      it('passes once', () => {
        if (existsSync('ran')) throw new Error('on purpose');
        writeFileSync('ran', '');
      });`,
      '--repeat',
      '2',
    );
    expect(output).toMatch(/^round 1 of 2: 1 of 1 runs ok, [\d.]+ s\n/);
    expect(output).toMatch(/on purpose/);
    expect(output).toMatch(/^round 2 of 2: 0 of 1 runs ok, [\d.]+ s\n/m);
    expect(output).toMatch(/under Wine: 1 of 2 runs ok\n/);
    expect(output).toMatch(/-round2\.log\n.*\n✖ passes once.*\n.*on purpose\n/);
    expect(status).toBe(1);
  });

  it('ends with 1 when a suite fails', { timeout: patienceMs }, () => {
    const { status, output } = command(`it('is broken', () => { throw new Error('on purpose'); });`);
    expect(output).toMatch(/on purpose/);
    expect(output).toMatch(/under Wine: 0 of 1 runs ok\n/);
    expect(readFileSync(failuresLog, 'utf8')).toMatch(/is broken/);
    expect(status).toBe(1);
  });
});
