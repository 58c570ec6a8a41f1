import { execFile } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import { expect, it } from 'vitest';
import { describeOnEpoll } from './available.js';
import { endings, program, scenes } from './life-cycle.js';

describeOnEpoll.concurrent('a process ends', () => {
  it.each(scenes)(
    'C16, C19: with a port that is $state, by $ending',
    async ({ state, ending }) => {
      const { code, throws } = endings[ending];
      const ended = await new Promise<{ code: number | string | null; stdout: string; stderr: string }>((resolve) => {
        execFile(
          process.execPath,
          [fileURLToPath(program), state, ending],
          { timeout: 20_000 },
          (error, stdout, stderr) =>
            resolve({ code: error === null ? 0 : (error.signal ?? error.code ?? null), stdout, stderr }),
        );
      });
      expect(ended).toMatchObject({ code, stdout: 'reached\n' });
      if (throws) expect(ended.stderr.match(/^Error: thrown on purpose$/gm)).toHaveLength(1);
      else expect(ended.stderr).toBe('');
    },
    30_000,
  );
});
