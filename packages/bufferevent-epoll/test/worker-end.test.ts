import { readdirSync } from 'node:fs';
import { expect, it } from 'vitest';
import { describeOnEpoll } from './available.js';
import { endings, runWorker, scenes, states, terminate } from './life-cycle.js';

/** Those of this process, the one that lists them included. */
function openDescriptors(): number {
  return readdirSync('/proc/self/fd').length;
}

describeOnEpoll('a worker ends', () => {
  it.each(scenes)('C16, C19: with a port that is $state, by $ending', async ({ state, ending }) => {
    const before = openDescriptors();
    const { code, throws } = endings[ending];
    const ended = await runWorker(state, ending);
    expect(ended).toEqual({ reached: true, code, errors: throws ? ['thrown on purpose'] : [] });
    expect(openDescriptors()).toBe(before);
  });

  it.each(states)('C16: terminated with a port that is %s', async (state) => {
    const before = openDescriptors();
    const ended = await runWorker(state, 'stay', terminate);
    expect(ended).toEqual({ reached: true, code: 1, errors: [] });
    expect(openDescriptors()).toBe(before);
  });

  it.each(states.filter((state) => state !== 'disposing'))(
    'C16: terminated in the middle of the sink of a port that is %s',
    async (state) => {
      const before = openDescriptors();
      const ended = await runWorker(state, 'stayInSink', terminate);
      expect(ended).toEqual({ reached: true, code: 1, errors: [] });
      expect(openDescriptors()).toBe(before);
    },
  );

  it('C16: several at once, each at its own point', async () => {
    const before = openDescriptors();
    const running = states.map((state, index) =>
      index % 2 === 0 ? runWorker(state, 'stay', terminate) : runWorker(state, 'dispose'),
    );
    const ended = await Promise.all(running);
    expect(ended.map(({ reached }) => reached)).not.toContain(false);
    expect(openDescriptors()).toBe(before);
  });
});
