import { Buffer } from 'node:buffer';
import { Evbuffer, type EvbufferSegment } from 'evbuffer';
import { addNumber, getNumber, readNumber } from 'evbuffer/framing';
import type { Operation } from './operation.js';
import { MOST_COPIED_SLABS, type QueueState, type ScaleOperationName, SLAB_BYTES } from './scale.js';

const LINE_BYTES = 64;
const PIECE_BYTES = 1024;
const NEEDLE = Buffer.from('needle');
/** In each KiB. */
const NEEDLE_AT = 960;

const line: Buffer = Buffer.alloc(LINE_BYTES, `${'.'.repeat(LINE_BYTES - 1)}\n`);
const pattern: Buffer = Buffer.alloc(PIECE_BYTES, line);
NEEDLE.copy(pattern, NEEDLE_AT);

/**
 * Every reference shows the same memory: what is asked is what the queue costs, and a gibibyte of different bytes would
 * add what it costs to load them into the cache. The nodes of the chain are as many as the chunks.
 */
function filled({ content, chunks, chunkBytes }: QueueState): Evbuffer {
  const chunk = Buffer.alloc(chunkBytes, pattern);
  const slab = Buffer.alloc(SLAB_BYTES, pattern);
  const copied = content === 'copies-first' ? Math.min(chunks / 2, MOST_COPIED_SLABS) : 0;
  const buffer = new Evbuffer();
  for (let i = 0; i < chunks; i++) {
    if (i < copied) buffer.add(slab);
    else if (content === 'copies') buffer.add(chunk);
    else if (content === 'frames' && i % 2 === 0) buffer.add(line);
    else buffer.addReference(chunk);
  }
  return buffer;
}

/** Each leaves the queue as full as it found it, and after the first few times in the same shape. */
type MakeOperation = (queue: Evbuffer) => Operation;

export function scaleOperation(name: ScaleOperationName, state: QueueState): Operation {
  return operations[name](filled(state));
}

const operations: Readonly<Record<ScaleOperationName, MakeOperation>> = {
  'add-drain': (queue) => ({
    gives: LINE_BYTES,
    run(times) {
      let sum = 0;
      for (let i = 0; i < times; i++) {
        queue.add(line);
        sum += queue.drain(LINE_BYTES);
      }
      return sum;
    },
  }),

  frames: (queue) => {
    // A queue of 1 KiB by references alone is one frame, of which the reference may still be to come.
    if (queue.length < PIECE_BYTES) queue.addReference(pattern);
    return {
      gives: LINE_BYTES + PIECE_BYTES,
      run(times) {
        let sum = 0;
        for (let i = 0; i < times; i++) {
          queue.add(line);
          queue.addReference(pattern);
          sum += queue.drain(LINE_BYTES + PIECE_BYTES);
        }
        return sum;
      },
    };
  },

  'reference-drain': (queue) => ({
    gives: PIECE_BYTES,
    run(times) {
      let sum = 0;
      for (let i = 0; i < times; i++) {
        queue.addReference(pattern);
        sum += queue.drain(PIECE_BYTES);
      }
      return sum;
    },
  }),

  'reference-remove': (queue) => {
    const target = Buffer.alloc(PIECE_BYTES);
    return {
      gives: PIECE_BYTES,
      run(times) {
        let sum = 0;
        for (let i = 0; i < times; i++) {
          queue.addReference(pattern);
          sum += queue.remove(target);
        }
        return sum;
      },
    };
  },

  'prepend-drain': (queue) => ({
    gives: LINE_BYTES,
    run(times) {
      let sum = 0;
      for (let i = 0; i < times; i++) {
        queue.prepend(line);
        sum += queue.drain(LINE_BYTES);
      }
      return sum;
    },
  }),

  'read-line': (queue) => ({
    gives: LINE_BYTES - 1,
    run(times) {
      let sum = 0;
      for (let i = 0; i < times; i++) {
        sum += queue.readLine('lf', 'latin1')!.length;
        queue.add(line);
      }
      return sum;
    },
  }),

  'peek-into': (queue) => {
    const segments: EvbufferSegment[] = [];
    const wanted = 64 * 1024;
    return {
      gives: queue.peekInto(segments, wanted),
      run(times) {
        let sum = 0;
        for (let i = 0; i < times; i++) sum += queue.peekInto(segments, wanted);
        return sum;
      },
    };
  },

  'index-of': (queue) => ({
    gives: NEEDLE_AT,
    run(times) {
      let sum = 0;
      for (let i = 0; i < times; i++) sum += queue.indexOf(NEEDLE, 0, PIECE_BYTES);
      return sum;
    },
  }),

  'move-to': (queue) => {
    const other = new Evbuffer();
    return {
      gives: LINE_BYTES,
      run(times) {
        let sum = 0;
        for (let i = 0; i < times; i++) {
          sum += queue.moveTo(other, LINE_BYTES);
          queue.prependBuffer(other);
        }
        return sum;
      },
    };
  },

  // What is left of the node that pullup made is half of the 32 bytes that the next one joins.
  pullup: (queue) => {
    const front = new Evbuffer();
    const half = Buffer.alloc(16, 'p');
    return {
      gives: 32,
      run(times) {
        let sum = 0;
        for (let i = 0; i < times; i++) {
          front.addReference(half);
          queue.prependBuffer(front);
          sum += queue.pullup(32)!.length;
          queue.drain(16);
        }
        return sum;
      },
    };
  },

  'reserve-commit': (queue) => ({
    gives: LINE_BYTES,
    run(times) {
      let sum = 0;
      for (let i = 0; i < times; i++) {
        queue.reserve(LINE_BYTES).commit(LINE_BYTES);
        sum += queue.drain(LINE_BYTES);
      }
      return sum;
    },
  }),

  numbers: (queue) => ({
    gives: 0,
    run(times) {
      let sum = 0;
      for (let i = 0; i < times; i++) {
        const seen = getNumber(queue, 0, 'u32be')!;
        const taken = readNumber(queue, 'u32be')!;
        addNumber(queue, 'u32be', taken);
        sum += taken - seen;
      }
      return sum;
    },
  }),

  take: (queue) => ({
    gives: LINE_BYTES,
    run(times) {
      let sum = 0;
      for (let i = 0; i < times; i++) {
        const taken = queue.take(LINE_BYTES);
        sum += taken.length;
        queue.prependBuffer(taken);
      }
      return sum;
    },
  }),

  'buffer-reference': (queue) => {
    const source = new Evbuffer();
    source.add(pattern);
    return {
      gives: PIECE_BYTES,
      run(times) {
        let sum = 0;
        for (let i = 0; i < times; i++) {
          queue.addBufferReference(source);
          sum += queue.drain(PIECE_BYTES);
        }
        return sum;
      },
    };
  },

  position: (queue) => {
    // Kept, so that V8 never finds out that it could do without the object.
    let last = queue.position(0);
    return {
      gives: 30,
      run(times) {
        let sum = 0;
        for (let i = 0; i < times; i++) {
          last = queue.advance(queue.position(10), 20);
          sum += last.index;
        }
        return sum;
      },
    };
  },

  'add-buffer': (queue) => {
    let full = queue;
    let empty = new Evbuffer();
    return {
      gives: 1,
      run(times) {
        let sum = 0;
        for (let i = 0; i < times; i++) {
          empty.addBuffer(full);
          const moved = empty;
          empty = full;
          full = moved;
          sum += full.length > empty.length ? 1 : 0;
        }
        return sum;
      },
    };
  },
};
