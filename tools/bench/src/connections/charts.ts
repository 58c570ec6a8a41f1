import { drawBarChart } from '../bar-chart.js';
import { median } from '../statistics.js';
import { type Figure, show } from './figures.js';
import { roundsOf } from './findings.js';
import type { Results } from './results.js';
import { servers } from './servers.js';
import { workloads } from './workloads.js';

/** Messages a second of every echo, as an SVG. */
export function drawRates(results: Results): string {
  return draw(results, 'messagesPerSecond', {
    label: 'Messages a second, by server',
    head: 'Messages a second; longer is better, each line is ten times the one before',
  });
}

/** CPU time that the servers take for a message. */
export function drawCpuTimes(results: Results): string {
  return draw(results, 'cpuMicroseconds', {
    label: 'CPU time of a message, by server',
    head: 'CPU time of the server for a message, in µs; shorter is better, each line is ten times the one before',
  });
}

function draw(results: Results, figure: Figure, { label, head }: { label: string; head: string }): string {
  const { date, node, machine } = results.run;
  return drawBarChart({
    label,
    head,
    note: `${date}, Node ${node}, ${machine}`,
    groups: workloads.flatMap(({ id, title, task }) => {
      if (results.samples[id] === undefined || (task.does !== 'exchange' && task.does !== 'lines')) return [];
      const bars = servers.flatMap((server) => {
        const rounds = roundsOf(results, id, server.id, figure);
        const ours = server.answers;
        return rounds === null ? [] : [{ name: server.title.replaceAll('`', ''), value: median(rounds), ours }];
      });
      return [{ title, bars }];
    }),
    labelWidth: 270,
    show,
  });
}
