import type { Operation } from '../operation.js';
import type { PeerName, Task } from '../works.js';
import { bare } from './bare.js';
import { bl } from './bl.js';
import { concat } from './concat.js';
import { evbuffer } from './evbuffer.js';
import { uint8arraylist } from './uint8arraylist.js';

/** All that are written in JavaScript. */
export const peers: Readonly<Record<Exclude<PeerName, 'libevent'>, (task: Task) => Operation>> = {
  evbuffer,
  bl,
  uint8arraylist,
  concat,
  bare,
};
