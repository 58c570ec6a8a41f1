import { type BarGroup, drawBarChart } from '../bar-chart.js';
import { median } from '../statistics.js';
import type { Results } from './results.js';
import { type PeerName, type Work, works } from './works.js';

const names: Readonly<Record<PeerName, string>> = {
  evbuffer: 'evbuffer',
  libevent: 'libevent (C)',
  bl: 'bl',
  uint8arraylist: 'uint8arraylist',
  concat: 'Buffer.concat + subarray',
  bare: 'bare Buffer',
};

/** CPU time of every work by peer, as an SVG. */
export function drawChart(results: Results): string {
  const { date, node, machine } = results.run;
  return drawBarChart({
    label: 'CPU time of buffer operations, by library',
    head: 'CPU time of one operation; shorter is better, each line is ten times the one before',
    note: `${date}, Node ${node}, ${machine}`,
    groups: works.flatMap((work) => groupOf(results, work)),
    labelWidth: 190,
    show: duration,
  });
}

function groupOf(results: Results, { id, title, peers }: Work): BarGroup[] {
  const measured = results.times[id];
  if (measured === undefined) return [];
  const bars = peers.flatMap((peer) => {
    const rounds = measured[peer];
    return rounds === undefined ? [] : [{ name: names[peer], value: median(rounds), ours: peer === 'evbuffer' }];
  });
  return [{ title, bars }];
}

function duration(ns: number): string {
  for (const [unit, size] of [['ms', 1e6] as const, ['µs', 1e3] as const]) {
    if (ns >= size) return `${Number((ns / size).toPrecision(3))} ${unit}`;
  }
  return `${Number(ns.toPrecision(3))} ns`;
}
