import type { Chain } from './chain.js';
import { reaches } from './memory.js';

const MAX_BYTES_SHOWN = 32;

function firstBytes(chain: Chain): string {
  let text = '';
  for (
    let node = chain.head;
    node !== null && node.extent === null && reaches(node.memory, node.end) && text.length < MAX_BYTES_SHOWN;
    node = node.next
  ) {
    const end = Math.min(node.end, node.start + MAX_BYTES_SHOWN - text.length);
    text += String.fromCharCode(...node.memory.subarray(node.start, end));
  }
  const shown = text.replace(/[^ !#-[\]-~]/g, (byte) => `\\x${byte.charCodeAt(0).toString(16).padStart(2, '0')}`);
  return `"${shown}"${chain.length > MAX_BYTES_SHOWN ? '…' : ''}`;
}

export function inspectChain(chain: Chain, frozenFront: boolean, frozenBack: boolean): string {
  const states = [frozenFront && 'front frozen', frozenBack && 'back frozen', chain.pinned && 'pinned'].filter(Boolean);
  const inBrackets = states.length > 0 ? ` [${states.join(', ')}]` : '';
  return `Evbuffer(${chain.length})${inBrackets} {${chain.length === 0 ? '' : ` ${firstBytes(chain)} `}}`;
}
