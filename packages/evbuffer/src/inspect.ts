import type { Chain } from './chain.js';

const MAX_BYTES_SHOWN = 32;

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
  return `Evbuffer(${chain.length})${inBrackets} {${chain.length === 0 ? '' : ` ${firstBytes(chain)} `}}`;
}
