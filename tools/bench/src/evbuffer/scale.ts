/**
 * How the queue came to its bytes. An operation that copies to the back and drains the front is at rest only where
 * copies are at the front: the memory that it drains is the memory that it fills next. Behind references alone, all that
 * is copied is new memory, and what the system and V8 take for that is many times what the queue takes.
 * `copies-first`: copies, and behind them references; half of the chunks each, but of copies at most 2 GiB.
 * `frames`: by turns 64 bytes copied and one reference, so that every other chunk is memory of the queue's own.
 */
export type QueueContent = 'references' | 'copies' | 'copies-first' | 'frames';

/** What is added by copy lies in pieces of this size once a queue has some of them. */
export const SLAB_BYTES = 16_384;
/** Must outlast warm-up and measurement: 33 million operations on 64 bytes. */
export const MOST_COPIED_SLABS = 131_072;

/** How full a queue is while an operation is measured on it. */
export interface QueueState {
  readonly label: string;
  readonly content: QueueContent;
  readonly chunks: number;
  readonly chunkBytes: number;
}

export type ScaleOperationName =
  | 'add-drain'
  | 'frames'
  | 'reference-drain'
  | 'reference-remove'
  | 'prepend-drain'
  | 'read-line'
  | 'peek-into'
  | 'index-of'
  | 'move-to'
  | 'pullup'
  | 'reserve-commit'
  | 'numbers'
  | 'take'
  | 'buffer-reference'
  | 'position'
  | 'add-buffer';

/** One row of the report: the same operation on ever fuller queues, which must cost the same on all of them. */
export interface Scale {
  readonly id: string;
  readonly title: string;
  readonly operation: ScaleOperationName;
  readonly states: readonly QueueState[];
  /** Whether libevent is measured on the same queues: where nodes and memory are cold, its ratio is what the caches leave. */
  readonly withLibevent: boolean;
}

/** How much dearer the operation may be on the fullest queue than on the emptiest. */
export const SCALE_LIMIT = 1.5;

const KIB = 1024;

const byteCounts = [
  ['1 KiB', KIB],
  ['1 MiB', 2 ** 20],
  ['1 GiB', 2 ** 30],
] as const;

function byBytes(content: QueueContent, atMostPerChunk: number): QueueState[] {
  return byteCounts.map(([label, bytes]) => {
    const chunkBytes = Math.min(bytes, content === 'copies' ? SLAB_BYTES : atMostPerChunk);
    return { label, content, chunks: bytes / chunkBytes, chunkBytes };
  });
}

function byChunks(content: QueueContent, chunkBytes: number, counts: readonly number[]): QueueState[] {
  return counts.map((chunks) => ({ label: `${chunks.toLocaleString('en')} chunks`, content, chunks, chunkBytes }));
}

interface Row {
  readonly operation: ScaleOperationName;
  readonly title: string;
  /** In the queues of a number of bytes, and in those of a number of chunks; references where it does not say. */
  readonly content?: readonly [bytes: QueueContent, chunks: QueueContent];
  /**
   * 64 KiB, as sockets deliver them, unless the operation puts whole chunks of 1 KiB in for those that it takes out:
   * the queue's chunks are then of that size, so that it keeps its shape however often that is done.
   */
  readonly atMostPerChunk?: number;
  /** In queues of a number of chunks. Larger than 1 KiB where the operation wants that many bytes of ten chunks. */
  readonly chunkBytes?: number;
  readonly withLibevent?: boolean;
}

const copying: readonly [QueueContent, QueueContent] = ['copies', 'copies-first'];

const rows: readonly Row[] = [
  { operation: 'add-drain', title: 'add 64 B, drain 64 B', content: copying },
  { operation: 'read-line', title: 'readLine of 64 B at the front, add 64 B', content: copying },
  { operation: 'reserve-commit', title: 'reserve, commit and drain 64 B', content: copying },
  { operation: 'numbers', title: 'getNumber and readNumber of u32be, addNumber', content: copying },
  {
    operation: 'frames',
    title: 'add 64 B, addReference of 1 KiB, drain both',
    content: ['frames', 'frames'],
    atMostPerChunk: KIB,
    withLibevent: true,
  },
  { operation: 'reference-drain', title: 'addReference of 1 KiB, drain 1 KiB', atMostPerChunk: KIB },
  { operation: 'reference-remove', title: 'addReference of 1 KiB, remove into 1 KiB', atMostPerChunk: KIB },
  { operation: 'buffer-reference', title: 'addBufferReference of 1 KiB, drain 1 KiB', atMostPerChunk: KIB },
  { operation: 'prepend-drain', title: 'prepend 64 B, drain 64 B' },
  { operation: 'move-to', title: 'moveTo of 64 B, back by prependBuffer' },
  { operation: 'take', title: 'take(64), back by prependBuffer' },
  { operation: 'pullup', title: 'pullup of 32 B over a border (put there by prependBuffer, drained after)' },
  { operation: 'peek-into', title: 'peekInto of up to 64 KiB', chunkBytes: 16 * KIB },
  { operation: 'index-of', title: 'indexOf within the first KiB' },
  { operation: 'position', title: 'position(10), advance by 20' },
];

export const scales: readonly Scale[] = [
  ...rows.flatMap(
    ({
      operation,
      title,
      content = ['references', 'references'],
      atMostPerChunk = 64 * KIB,
      chunkBytes = KIB,
      withLibevent = false,
    }) => {
      const row = { title, operation, withLibevent };
      return [
        { ...row, id: `scale-bytes-${operation}`, states: byBytes(content[0], atMostPerChunk) },
        {
          ...row,
          id: `scale-chunks-${operation}`,
          states: byChunks(content[1], chunkBytes, [10, 10_000, 1_000_000]),
        },
      ];
    },
  ),
  {
    id: 'move',
    title: 'addBuffer of the whole chain',
    operation: 'add-buffer',
    states: byChunks('references', KIB, [10, 1000, 100_000, 1_000_000]),
    withLibevent: false,
  },
];
