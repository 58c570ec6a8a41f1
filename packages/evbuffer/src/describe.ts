import { chainOf, type Evbuffer } from './evbuffer.js';
import { type ChainNode, FILE, FREE, LEASED, OWNED, REFERENCE, SHARED, SLAB } from './node.js';

const OWNERSHIP_NAMES: readonly string[] = [];
{
  const names = OWNERSHIP_NAMES as string[];
  names[FREE] = 'free';
  names[SLAB] = 'slab';
  names[OWNED] = 'owned';
  names[REFERENCE] = 'reference';
  names[LEASED] = 'leased';
  names[SHARED] = 'shared';
  names[FILE] = 'file';
}

const MAX_NODES_SHOWN = 8;

/** One node as `slab[0, 12) of 1024`, with a mark when it is pinned or its memory is gone. */
export function describeNode(node: ChainNode): string {
  const pin = node.pinnedFrom >= 0 ? ' pinned' : '';
  if (node.extent !== null) {
    const { offset } = node.extent;
    return `file[${offset + node.start}, ${offset + node.end})${pin}`;
  }
  const marks = pin + (node.end > node.memory.byteLength ? ' detached' : '');
  return `${OWNERSHIP_NAMES[node.ownership]}[${node.start}, ${node.end}) of ${node.memory.byteLength}${marks}`;
}

/** The nodes of a list, an arrow between them; the middle of a long list is left out. */
export function describeNodes(first: ChainNode | null, limit: number = MAX_NODES_SHOWN): string {
  const shown: string[] = [];
  let count = 0;
  for (let node = first; node !== null && count <= 1_000_000; node = node.next) {
    if (count++ < limit) shown.push(describeNode(node));
  }
  if (count > limit) shown.push(`… ${count - limit} more`);
  return shown.join(' → ');
}

/** The pieces of a buffer in order, each with who owns its memory and which part of that it shows, as text for people. */
export function describe(buffer: Evbuffer): string {
  return describeNodes(chainOf(buffer).head);
}
