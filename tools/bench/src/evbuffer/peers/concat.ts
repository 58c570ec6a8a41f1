// What is written without a library: what arrives is concatenated to what is left, what is used up is cut off. There is
// no way to add without copying.
import { Buffer } from 'node:buffer';
import { LINE_CHARACTERS, lineChunks, message, piece, QUEUED_BYTES } from '../inputs.js';
import type { Operation } from '../operation.js';
import type { Task, TextEncodingName } from '../works.js';
import { textOf } from './text.js';

const LF = 10;

export function concat(task: Task): Operation {
  switch (task.does) {
    case 'add-drain':
      return addDrain(message, task.queued);
    case 'reference-drain':
      return addDrain(piece, task.queued);
    case 'read-line':
      return readLine(task.encoding);
    case 'search':
    case 'read-lines':
      throw new Error('the bytes lie in one Buffer: this is what is measured as "bare"');
  }
}

function addDrain(added: Buffer, queued: boolean): Operation {
  let bytes = Buffer.alloc(queued ? QUEUED_BYTES : 0);
  return {
    gives: added.length,
    run(times) {
      let drained = 0;
      for (let i = 0; i < times; i++) {
        bytes = Buffer.concat([bytes, added]);
        const before = bytes.length;
        bytes = bytes.subarray(added.length);
        drained += before - bytes.length;
      }
      return drained;
    },
  };
}

function readLine(encoding: TextEncodingName): Operation {
  const chunks = lineChunks();
  let bytes = Buffer.alloc(0);
  let next = 0;
  return {
    gives: LINE_CHARACTERS,
    run(times) {
      let characters = 0;
      while (times > 0) {
        const at = bytes.indexOf(LF);
        if (at < 0) {
          bytes = Buffer.concat([bytes, chunks[next++ % chunks.length]!]);
          continue;
        }
        characters += textOf(bytes, 0, at, encoding).length;
        bytes = bytes.subarray(at + 1);
        times--;
      }
      return characters;
    },
  };
}
