import type { Finding } from '../findings.js';
import { type Judgement, judgeLimit } from '../judgement.js';
import { median } from '../statistics.js';
import { GZIP_LIMIT_BYTES } from './bundle-size.js';
import { GARBAGE_LIMIT_BYTES } from './garbage.js';
import { garbageWorks } from './measurement.js';
import { MEMORY_LIMIT_MIB, type MemoryThirds, memoryWorks } from './memory.js';
import { judge, type Requirement } from './requirement.js';
import type { Results, RoundsByState } from './results.js';
import { SCALE_LIMIT, type Scale, scales } from './scale.js';
import { works } from './works.js';

/** The median over the rounds of evbuffer's time in those of the peer, in the same round; null where one is missing. */
export function timeRatio(results: Results, work: string, peer: Requirement['peer']): number | null {
  const own = results.times[work]?.evbuffer;
  const others = results.times[work]?.[peer];
  if (own === undefined || others === undefined) return null;
  return median(own.map((ns, round) => ns / others[round]!));
}

/** The median over the rounds of the dearest fuller state in terms of the emptiest one. */
function scaleRatio(byState: RoundsByState): number {
  const [emptiest = [], ...fuller] = byState;
  return Math.max(...fuller.map((rounds) => median(rounds.map((ns, round) => ns / emptiest[round]!))));
}

/** Null when it was not measured. */
export function judgeScale(results: Results, { id }: Scale): Judgement | null {
  const byState = results.scales[id];
  return byState === undefined ? null : judgeLimit(scaleRatio(byState), SCALE_LIMIT, '×', 2);
}

export function memoryGrowth({ middle, last }: MemoryThirds): number {
  return last - middle;
}

/** Every requirement, met or not. */
export function findings(results: Results): Finding[] {
  return [
    ...works.flatMap(({ id, title, requirements }) =>
      requirements.map((requirement) => {
        const ratio = timeRatio(results, id, requirement.peer);
        const judgement = ratio === null ? null : judge(requirement, ratio);
        return { id, title: `${title}; against ${requirement.peer}`, judgement };
      }),
    ),
    ...scales.map((scale) => ({
      id: scale.id,
      title: `${scale.title}; up to ${scale.states.at(-1)!.label} queued, against ${scale.states[0]!.label}`,
      judgement: judgeScale(results, scale),
    })),
    ...garbageWorks.map((id) => {
      const bytes = results.garbage[id]?.evbuffer;
      return {
        id: `garbage-${id}`,
        title: `Garbage of ${id}`,
        judgement: bytes === undefined ? null : judgeLimit(bytes, GARBAGE_LIMIT_BYTES, ' B'),
      };
    }),
    ...memoryWorks.map(({ id, title }) => {
      const thirds = results.memory[id];
      return {
        id,
        title: `Growth of memory, ${title}`,
        judgement: thirds === undefined ? null : judgeLimit(memoryGrowth(thirds), MEMORY_LIMIT_MIB, ' MiB'),
      };
    }),
    {
      id: 'size',
      title: 'Main entry, minified and compressed',
      judgement: results.size === null ? null : judgeLimit(results.size.gzip, GZIP_LIMIT_BYTES, ' B', 0),
    },
  ];
}
