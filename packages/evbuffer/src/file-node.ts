import { type Chain, cut, linkBack } from './chain.js';
import type { FileSource } from './file-source.js';
import { MAX_SLAB_BYTES } from './memory.js';
import {
  type ChainNode,
  checkReadable,
  exchange,
  type FileExtent,
  fileNode,
  MAX_EXTENT_BYTES,
  releaseNode,
  writableNode,
} from './node.js';

/** Links [offset, offset + bytes) of a file (bytes > 0) behind the tail. */
export function linkFile(chain: Chain, file: FileSource, offset: number, bytes: number): void {
  for (let at = 0; at < bytes; at += MAX_EXTENT_BYTES) {
    linkBack(chain, fileNode(file, offset + at, Math.min(MAX_EXTENT_BYTES, bytes - at)));
  }
  chain.length += bytes;
  chain.files = true;
}

/**
 * Called before the bytes of a node are looked at. Those of a file are read into memory first, a slab of them; the node
 * keeps its place and its first byte, and what was not read follows it:
 *
 *      node                            node            rest
 *   ┌───────────────────────┐       ┌──────────┐   ┌───────────────┐
 *   │ file                  │  ──►  │ slab     │──►│ file          │
 *   └───────────────────────┘       └──────────┘   └───────────────┘
 *
 * No position, view or reservation becomes stale by it. Throws as `checkReadable` and `FileSource.readSync` do.
 *
 * What is looked at may begin `skip` bytes into the node. When that is far into a file, the file is only cut there, and
 * the answer is false: the caller goes on to the next node, which begins where it wants to look.
 */
export function makeReadable(chain: Chain, node: ChainNode, skip: number): boolean {
  if (node.extent === null) {
    checkReadable(node);
    return true;
  }
  if (skip >= MAX_SLAB_BYTES) {
    cut(chain, node, skip);
    return false;
  }
  load(chain, node);
  return true;
}

function load(chain: Chain, node: ChainNode): void {
  const { file, offset } = node.extent as FileExtent;
  const size = node.end - node.start;
  const bytes = Math.min(MAX_SLAB_BYTES, size);
  const slab = writableNode(bytes);
  // A failed read leaves the slab to the garbage collector.
  file.readSync(slab.memory, 0, offset + node.start, bytes);
  slab.end = bytes;
  if (bytes < size) cut(chain, node, bytes);
  exchange(node, slab);
  if (node.pinnedFrom < 0) {
    releaseNode(slab);
    return;
  }
  // Somebody may be sending the file right now: it stays open until the pin ends.
  slab.pinnedFrom = slab.start;
  slab.next = chain.limbo;
  chain.limbo = slab;
  node.pinnedFrom = node.start;
}
