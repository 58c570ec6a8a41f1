import assert from 'node:assert/strict';
import { execFile } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import type { Runner } from '../harness.js';
import { endings, program, runWorker, scenes, states, terminate } from './scenes.js';

const SLOWEST_END_MS = 30_000;

/**
 * A process ends in every way, with a port in every state: with the right exit code, and nothing on its error stream but
 * what was thrown (C16, C19).
 *
 * @param childModule as in a `Harness`
 */
export function processEndings({ it }: Pick<Runner, 'it'>, childModule: string): void {
  for (const { state, ending } of scenes) {
    it(`C16, C19: with a port that is ${state}, by ${ending}`, async () => {
      const { code, throws } = endings[ending];
      const ended = await endOfProcess(childModule, state, ending);
      assert.deepEqual({ code: ended.code, output: ended.output.trim() }, { code, output: 'reached' }, ended.errors);
      if (throws) assert.equal(ended.errors.match(/^Error: thrown on purpose\r?$/gm)?.length, 1, ended.errors);
      else assert.equal(ended.errors, '');
    });
  }
}

/**
 * A worker ends in every way, with a port in every state, also when it is terminated from outside (C16, C19).
 *
 * @param childModule as in a `Harness`
 * @param openHandles how many descriptors or handles of the system the process holds, where that can be said: as many
 *   after a worker as before it
 */
export function workerEndings({ it }: Pick<Runner, 'it'>, childModule: string, openHandles: () => number): void {
  const leavesNothing = (name: string, body: () => Promise<void>): unknown =>
    it(name, async () => {
      const before = openHandles();
      await body();
      assert.equal(openHandles(), before, 'handles of the system that are open');
    });
  for (const { state, ending } of scenes) {
    leavesNothing(`C16, C19: with a port that is ${state}, by ${ending}`, async () => {
      const { code, throws } = endings[ending];
      const ended = await runWorker(childModule, state, ending);
      assert.deepEqual(ended, { reached: true, code, errors: throws ? ['thrown on purpose'] : [] });
    });
  }
  for (const state of states) {
    leavesNothing(`C16: terminated with a port that is ${state}`, async () => {
      const ended = await runWorker(childModule, state, 'stay', terminate);
      assert.deepEqual(ended, { reached: true, code: 1, errors: [] });
    });
    if (state === 'disposing') continue;
    leavesNothing(`C16: terminated in the middle of the sink of a port that is ${state}`, async () => {
      const ended = await runWorker(childModule, state, 'stayInSink', terminate);
      assert.deepEqual(ended, { reached: true, code: 1, errors: [] });
    });
  }
  leavesNothing('C16: several at once, each at its own point', async () => {
    const running = states.map((state, index) =>
      index % 2 === 0 ? runWorker(childModule, state, 'stay', terminate) : runWorker(childModule, state, 'dispose'),
    );
    const ended = await Promise.all(running);
    assert.ok(ended.every(({ reached }) => reached));
  });
}

interface EndedProcess {
  readonly code: number | string | null;
  readonly output: string;
  readonly errors: string;
}

function endOfProcess(childModule: string, state: string, ending: string): Promise<EndedProcess> {
  const words = [fileURLToPath(program), childModule, state, ending];
  return new Promise((resolve) => {
    execFile(process.execPath, words, { timeout: SLOWEST_END_MS }, (error, output, errors) =>
      resolve({ code: error === null ? 0 : (error.signal ?? error.code ?? null), output, errors }),
    );
  });
}
