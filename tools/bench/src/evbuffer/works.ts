import type { SearchedContent } from './inputs.js';
import type { Requirement } from './requirement.js';

/** The peers that evbuffer is measured against, in the order of the tables. */
export type PeerName = 'evbuffer' | 'libevent' | 'bl' | 'uint8arraylist' | 'concat' | 'bare';

export const peerTitles: Readonly<Record<PeerName, string>> = {
  evbuffer: 'evbuffer',
  libevent: 'libevent, in C',
  bl: 'bl',
  uint8arraylist: 'uint8arraylist',
  concat: '`Buffer.concat` and `subarray`',
  bare: 'bare `Buffer`',
};

export type TextEncodingName = 'utf8' | 'latin1';
export type AddedBy = 'reference' | 'copy';

/** What is done; the peers say how (`peers/`, and `native/libevent-evbuffer.c`). */
export type Task =
  | { readonly does: 'add-drain'; readonly queued: boolean }
  | { readonly does: 'reference-drain'; readonly queued: boolean }
  | { readonly does: 'read-line'; readonly encoding: TextEncodingName }
  | { readonly does: 'read-lines'; readonly encoding: TextEncodingName }
  | { readonly does: 'search'; readonly added: AddedBy; readonly content: SearchedContent };

/** One table of the report. */
export interface Work {
  readonly id: string;
  readonly title: string;
  readonly unit: string;
  readonly task: Task;
  readonly peers: readonly PeerName[];
  readonly requirements: readonly Requirement[];
}

const everyQueue: readonly PeerName[] = ['evbuffer', 'libevent', 'bl', 'uint8arraylist', 'concat'];
const everyone: readonly PeerName[] = [...everyQueue, 'bare'];

function addDrain(id: string, state: string, queued: boolean): Work {
  return {
    id,
    title: `Add 64 bytes (copied) and drain 64, ${state}`,
    unit: 'ns',
    task: { does: 'add-drain', queued },
    peers: everyQueue,
    requirements: [
      { peer: 'bl', asFastAtLeast: 5 },
      { peer: 'libevent', timeAtMost: 3 },
    ],
  };
}

function referenceDrain(id: string, state: string, queued: boolean): Work {
  return {
    id,
    title: `Add 1 KiB by reference and drain 1 KiB, ${state}`,
    unit: 'ns',
    task: { does: 'reference-drain', queued },
    peers: everyQueue,
    requirements: [
      { peer: 'bl', asFastAtLeast: 4 },
      { peer: 'libevent', timeAtMost: 1.3 },
    ],
  };
}

function readLine(encoding: TextEncodingName): Work {
  return {
    id: `read-line-${encoding}`,
    title: `Read a line of 40 bytes out of chunks of 64 KiB, as ${encoding} text`,
    unit: 'ns a line',
    task: { does: 'read-line', encoding },
    peers: everyone,
    requirements: [
      { peer: 'bl', asFastAtLeast: 5 },
      { peer: 'libevent', timeAtMost: 2.2 },
    ],
  };
}

function readLines(encoding: TextEncodingName): Work {
  return {
    id: `read-lines-${encoding}`,
    title: `Read all lines of 40 bytes of a chunk of 64 KiB at once, as ${encoding} text`,
    unit: 'ns a line',
    task: { does: 'read-lines', encoding },
    peers: ['evbuffer', 'libevent', 'bare'],
    requirements: [{ peer: 'libevent', timeAtMost: 1 }],
  };
}

const contents: Readonly<Record<SearchedContent, string>> = {
  absent: 'the first of them nowhere else',
  text: 'in random printable text',
};

function search(added: AddedBy, content: SearchedContent): Work {
  return {
    id: `search-${added}-${content}`,
    title: `Find 6 bytes at the end of 1 MiB in chunks of 16 KiB added by ${added}, ${contents[content]}`,
    unit: 'ns',
    task: { does: 'search', added, content },
    peers: ['evbuffer', 'libevent', 'bl', 'uint8arraylist', 'bare'],
    requirements: [{ peer: 'bare', timeAtMost: 1.3 }],
  };
}

export const works: readonly Work[] = [
  addDrain('add-drain', 'while 1 KiB is queued', true),
  addDrain('add-drain-empty', 'the buffer is empty in between', false),
  referenceDrain('reference-drain', 'while 1 KiB is queued', true),
  referenceDrain('reference-drain-empty', 'the buffer is empty in between', false),
  readLine('utf8'),
  readLine('latin1'),
  readLines('utf8'),
  readLines('latin1'),
  search('reference', 'absent'),
  search('reference', 'text'),
  search('copy', 'absent'),
  search('copy', 'text'),
];
