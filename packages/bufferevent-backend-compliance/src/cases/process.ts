import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { fileURLToPath } from 'node:url';
import { Worker } from 'node:worker_threads';
import { type ComplianceCase, complianceCase } from '../case.js';
import type { CaseContext } from '../context.js';

const program = new URL('../child.js', import.meta.url);

/** Starting a process on a loaded machine takes its time, however small the time-out of one completion is. */
const SLOWEST_START_MS = 20_000;

interface Ended {
  readonly output: string;
  readonly errors: string;
  /** Exit status; the signal by which it had to be ended; `null` when it did not end after saying its piece. */
  readonly status: number | string | null;
}

/** Runs a scenario of `child.ts` to its end. A child that hangs after its last word is told apart from a slow one. */
async function inChild(context: CaseContext, scenario: string): Promise<Ended> {
  const child = spawn(process.execPath, [fileURLToPath(program), scenario, context.childModule()], {
    stdio: ['ignore', 'pipe', 'pipe'],
    env: { ...process.env, NODE_OPTIONS: '' },
  });
  let output = '';
  let errors = '';
  let secondsLeft = SLOWEST_START_MS / 1000;
  let hung = false;
  // In seconds that this process has seen pass: where a whole machine stands still, nothing hangs.
  const clock = setInterval(() => {
    if (--secondsLeft > 0) return;
    hung = true;
    child.kill('SIGKILL');
  }, 1000);
  child.stdout.setEncoding('utf8').on('data', (text: string) => {
    output += text;
    secondsLeft = Math.max(context.timeoutMs / 1000, 1);
  });
  child.stderr.setEncoding('utf8').on('data', (text: string) => {
    errors += text;
  });
  const [code, signal] = (await once(child, 'close')) as [number | null, string | null];
  clearInterval(clock);
  return { output: output.trim(), errors: errors.trim(), status: hung ? null : (code ?? signal) };
}

function endsByItself(title: `C16: ${string}`, scenario: string): ComplianceCase {
  return complianceCase(
    title,
    async (context) => {
      const { output, errors, status } = await inChild(context, scenario);
      assert.equal(errors, '');
      assert.equal(output, 'done');
      assert.notEqual(status, null, 'C16: the process did not end');
      assert.equal(status, 0);
    },
    ['childModule'],
  );
}

function keepsAlive(title: `C16: ${string}`, scenario: string): ComplianceCase {
  return complianceCase(
    title,
    async (context) => {
      const { output, errors } = await inChild(context, scenario);
      assert.equal(errors, '');
      assert.equal(output, 'kept alive', 'C16: the process ended while an operation was pending');
    },
    ['childModule'],
  );
}

async function inWorker(context: CaseContext, scenario: string, terminate: boolean): Promise<void> {
  const worker = new Worker(program, { workerData: { scenario, module: context.childModule() } });
  const timer = setTimeout(() => void worker.terminate(), SLOWEST_START_MS + context.timeoutMs);
  try {
    const ended = once(worker, 'exit');
    const [said] = (await Promise.race([once(worker, 'message'), ended])) as [unknown];
    assert.equal(said, 'done', 'the worker ended before its last word');
    if (terminate) await worker.terminate();
    else assert.equal(((await ended) as [number])[0], 0, 'C16: the worker did not end by itself');
  } finally {
    clearTimeout(timer);
  }
}

/** C16: what a port does to the life of its process or worker. */
export const processCases: readonly ComplianceCase[] = [
  endsByItself('C16: a port without anything pending lets the process end', 'idlePort'),
  endsByItself('C16: open handles without anything pending let the process end', 'idleHandles'),
  endsByItself('C16: a port that was disposed of lets the process end', 'disposed'),
  endsByItself('C16: an unreferenced port lets the process end with operations pending', 'unreferencedPort'),
  endsByItself('C16: unreferenced handles let the process end with operations pending', 'unreferencedHandles'),
  endsByItself('C16: an unreferenced port with data in flight lets the process end', 'unreferencedBusy'),
  keepsAlive('C16: a pending accept keeps the process alive', 'pendingAccept'),
  keepsAlive('C16: a pending recv keeps the process alive', 'pendingRecv'),
  keepsAlive('C16: a port that is referenced again keeps the process alive', 'referencedAgain'),
  keepsAlive('C16: one referenced handle keeps the process alive beside an unreferenced one', 'oneReferencedHandle'),
  endsByItself('C16: a process may exit with everything in flight', 'exitWhilePending'),
  endsByItself('C16: a process may exit while a port is being disposed of', 'exitWhileDisposing'),

  complianceCase(
    'C16: a port in a worker is disposed of and the worker ends by itself',
    (context) => inWorker(context, 'disposed', false),
    ['childModule'],
  ),
  complianceCase(
    'C16: a worker with an unreferenced port ends by itself',
    (context) => inWorker(context, 'unreferencedPort', false),
    ['childModule'],
  ),
  complianceCase(
    'C16: a worker may be terminated with everything in flight',
    async (context) => {
      for (let round = 0; round < 3; round++) await inWorker(context, 'stayPending', true);
    },
    ['childModule'],
  ),
];
