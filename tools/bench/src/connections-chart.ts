// Draws the charts of docs/ from the numbers that the last `connections --write` left there.
import { readResults, writeCharts } from './connections/files.js';

writeCharts(readResults());
