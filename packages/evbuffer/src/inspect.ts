import type { Chain } from './chain.js';
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
const MAX_BYTES_SHOWN = 32;

/** One node as `slab[0, 12) of 1024`, with a mark when it is pinned or its memory is gone. */
export function describeNode(node: ChainNode): string {
  const pin = node.pinnedFrom >= 0 ? ' pinned' : '';
  if (node.extent !== null) {
    const { offset } = node.extent;
    return `file[${offset + node.start}, ${offset + node.end})${pin}`;
  }
  const marks = pin + (node.end > node.memory.length ? ' detached' : '');
  return `${OWNERSHIP_NAMES[node.ownership]}[${node.start}, ${node.end}) of ${node.memory.length}${marks}`;
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

function firstBytes(chain: Chain): string {
  let text = '';
  let left = MAX_BYTES_SHOWN;
  for (let node = chain.head; node !== null && node.extent === null && left > 0; node = node.next) {
    const end = Math.min(node.end, node.memory.length, node.start + left);
    for (let at = node.start; at < end; at++) {
      const byte = node.memory[at] as number;
      const plain = byte >= 0x20 && byte < 0x7f && byte !== 0x5c && byte !== 0x22;
      text += plain ? String.fromCharCode(byte) : `\\x${byte.toString(16).padStart(2, '0')}`;
    }
    left -= Math.max(0, end - node.start);
  }
  return `"${text}"${chain.length > MAX_BYTES_SHOWN ? '…' : ''}`;
}

export function inspectChain(chain: Chain, frozenFront: boolean, frozenBack: boolean): string {
  const states: string[] = [];
  if (frozenFront) states.push('front frozen');
  if (frozenBack) states.push('back frozen');
  if (chain.pinned) states.push('pinned');
  const inBrackets = states.length > 0 ? ` [${states.join(', ')}]` : '';
  if (chain.length === 0) return `Evbuffer(0)${inBrackets} {}`;
  return `Evbuffer(${chain.length})${inBrackets} { ${firstBytes(chain)}, ${describeNodes(chain.head)} }`;
}
