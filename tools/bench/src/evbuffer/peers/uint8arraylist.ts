// uint8arraylist at its best: `append` never copies, so copies are made by `Buffer.from`; `subarray` of a line copies
// only when the line lies in two arrays; `indexOf` is its own search, byte by byte, for which there is no other.
import { Buffer } from 'node:buffer';
import { Uint8ArrayList } from 'uint8arraylist';
import {
  FOUND_AT,
  LINE_CHARACTERS,
  lineChunks,
  message,
  NEEDLE,
  piece,
  QUEUED_BYTES,
  type SearchedContent,
  searchChunks,
} from '../inputs.js';
import type { Operation } from '../operation.js';
import type { AddedBy, Task, TextEncodingName } from '../works.js';
import { textOf } from './text.js';

export function uint8arraylist(task: Task): Operation {
  switch (task.does) {
    case 'add-drain':
      return addDrain(task.queued);
    case 'reference-drain':
      return referenceDrain(task.queued);
    case 'read-line':
      return readLine(task.encoding);
    case 'search':
      return search(task.added, task.content);
    case 'read-lines':
      throw new Error('uint8arraylist has no batched lines');
  }
}

function addDrain(queued: boolean): Operation {
  const list = new Uint8ArrayList();
  if (queued) for (let bytes = 0; bytes < QUEUED_BYTES; bytes += message.length) list.append(Buffer.from(message));
  return {
    gives: message.length,
    run(times) {
      let drained = 0;
      for (let i = 0; i < times; i++) {
        list.append(Buffer.from(message));
        const before = list.length;
        list.consume(message.length);
        drained += before - list.length;
      }
      return drained;
    },
  };
}

function referenceDrain(queued: boolean): Operation {
  const list = new Uint8ArrayList();
  if (queued) for (let bytes = 0; bytes < QUEUED_BYTES; bytes += piece.length) list.append(piece);
  return {
    gives: piece.length,
    run(times) {
      let drained = 0;
      for (let i = 0; i < times; i++) {
        list.append(piece);
        const before = list.length;
        list.consume(piece.length);
        drained += before - list.length;
      }
      return drained;
    },
  };
}

function readLine(encoding: TextEncodingName): Operation {
  const list = new Uint8ArrayList();
  const chunks = lineChunks();
  const lf = Uint8Array.of(10);
  let next = 0;
  return {
    gives: LINE_CHARACTERS,
    run(times) {
      let characters = 0;
      while (times > 0) {
        const at = list.indexOf(lf);
        if (at < 0) {
          list.append(chunks[next++ % chunks.length]!);
          continue;
        }
        characters += textOf(list.subarray(0, at), 0, at, encoding).length;
        list.consume(at + 1);
        times--;
      }
      return characters;
    },
  };
}

function search(added: AddedBy, content: SearchedContent): Operation {
  const list = new Uint8ArrayList();
  for (const chunk of searchChunks(content)) list.append(added === 'copy' ? Buffer.from(chunk) : chunk);
  const needle = Buffer.from(NEEDLE, 'latin1');
  return {
    gives: FOUND_AT,
    run(times) {
      let positions = 0;
      for (let i = 0; i < times; i++) positions += list.indexOf(needle);
      return positions;
    },
  };
}
