// Draws docs/benchmarks-evbuffer.svg from the numbers that the last `evbuffer-vs-peers --write` left beside it.
import { writeFileSync } from 'node:fs';
import { drawChart } from './evbuffer/chart.js';
import { chartFile, readResults } from './evbuffer/files.js';

writeFileSync(chartFile, drawChart(readResults()));
