import { Buffer } from 'node:buffer';
import { Evbuffer } from 'evbuffer';

export interface MemoryWork {
  readonly id: string;
  readonly title: string;
  readonly pieceBytes: number;
  readonly copies: boolean;
}

export const memoryWorks: readonly MemoryWork[] = [
  { id: 'memory-copy-64', title: 'add of 64 B', pieceBytes: 64, copies: true },
  { id: 'memory-copy-16384', title: 'add of 16 KiB', pieceBytes: 16384, copies: true },
  { id: 'memory-reference-64', title: 'addReference of 64 B', pieceBytes: 64, copies: false },
  { id: 'memory-reference-16384', title: 'addReference of 16 KiB', pieceBytes: 16384, copies: false },
];

/** How far the last third may lie above the middle one. */
export const MEMORY_LIMIT_MIB = 16;

const QUEUED_BYTES = 2 ** 20;
const SAMPLES = 99;
const MIB = 2 ** 20;

/** Most resident memory in each third of the run, in MiB. */
export interface MemoryThirds {
  readonly first: number;
  readonly middle: number;
  readonly last: number;
}

/** Moves `totalBytes` through a buffer that holds 1 MiB, and looks at the memory of the process 33 times in each third. */
export function measureMemory({ pieceBytes, copies }: MemoryWork, totalBytes: number): MemoryThirds {
  const buffer = new Evbuffer();
  const piece = Buffer.alloc(pieceBytes, 'p');
  for (let queued = 0; queued < QUEUED_BYTES; queued += pieceBytes) add(buffer, piece, copies);
  const piecesPerSample = Math.ceil(totalBytes / pieceBytes / SAMPLES);
  const samples: number[] = [];
  for (let sample = 0; sample < SAMPLES; sample++) {
    for (let i = 0; i < piecesPerSample; i++) {
      add(buffer, piece, copies);
      buffer.drain(pieceBytes);
    }
    samples.push(process.memoryUsage.rss() / MIB);
  }
  const third = SAMPLES / 3;
  return {
    first: Math.max(...samples.slice(0, third)),
    middle: Math.max(...samples.slice(third, 2 * third)),
    last: Math.max(...samples.slice(2 * third)),
  };
}

function add(buffer: Evbuffer, piece: Buffer, copies: boolean): void {
  if (copies) buffer.add(piece);
  else buffer.addReference(piece);
}
