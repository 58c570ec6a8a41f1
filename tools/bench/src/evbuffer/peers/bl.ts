// bl at its best: Buffers only (it wraps what is none), `BufferList` without the stream, needles as Buffers, which it
// does not convert, and text straight from the view that `slice` gives when the bytes lie in one Buffer. `append` never
// copies, so who wants to keep his memory copies it first, by `Buffer.from`, which is the fastest copy there is.
import { Buffer } from 'node:buffer';
import { BufferList } from 'bl';
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

export function bl(task: Task): Operation {
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
      throw new Error('bl has no batched lines');
  }
}

function addDrain(queued: boolean): Operation {
  const list = new BufferList();
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
  const list = new BufferList();
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
  const list = new BufferList();
  const chunks = lineChunks();
  const lf = Buffer.from('\n');
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
        const line = list.slice(0, at);
        characters += textOf(line, 0, at, encoding).length;
        list.consume(at + 1);
        times--;
      }
      return characters;
    },
  };
}

function search(added: AddedBy, content: SearchedContent): Operation {
  const list = new BufferList();
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
