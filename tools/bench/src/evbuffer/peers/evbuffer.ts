import { Evbuffer } from 'evbuffer';
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

export function evbuffer(task: Task): Operation {
  switch (task.does) {
    case 'add-drain':
      return addDrain(task.queued);
    case 'reference-drain':
      return referenceDrain(task.queued);
    case 'read-line':
      return readLine(task.encoding);
    case 'read-lines':
      return readLines(task.encoding);
    case 'search':
      return search(task.added, task.content);
  }
}

function addDrain(queued: boolean): Operation {
  const buffer = new Evbuffer();
  if (queued) for (let bytes = 0; bytes < QUEUED_BYTES; bytes += piece.length) buffer.add(piece);
  return {
    gives: message.length,
    run(times) {
      let drained = 0;
      for (let i = 0; i < times; i++) {
        buffer.add(message);
        drained += buffer.drain(message.length);
      }
      return drained;
    },
  };
}

function referenceDrain(queued: boolean): Operation {
  const buffer = new Evbuffer();
  if (queued) for (let bytes = 0; bytes < QUEUED_BYTES; bytes += piece.length) buffer.addReference(piece);
  return {
    gives: piece.length,
    run(times) {
      let drained = 0;
      for (let i = 0; i < times; i++) {
        buffer.addReference(piece);
        drained += buffer.drain(piece.length);
      }
      return drained;
    },
  };
}

function readLine(encoding: TextEncodingName): Operation {
  const buffer = new Evbuffer();
  const chunks = lineChunks();
  let next = 0;
  return {
    gives: LINE_CHARACTERS,
    run(times) {
      let characters = 0;
      while (times > 0) {
        const line = buffer.readLine('crlf', encoding);
        if (line === null) {
          buffer.addReference(chunks[next++ % chunks.length]!);
        } else {
          characters += line.length;
          times--;
        }
      }
      return characters;
    },
  };
}

function readLines(encoding: TextEncodingName): Operation {
  const buffer = new Evbuffer();
  const chunks = lineChunks();
  let next = 0;
  return {
    gives: LINE_CHARACTERS,
    run(times) {
      let characters = 0;
      while (times > 0) {
        const lines = buffer.readLines(times, 'crlf', encoding);
        if (lines.length === 0) buffer.addReference(chunks[next++ % chunks.length]!);
        for (let i = 0; i < lines.length; i++) characters += lines[i]!.length;
        times -= lines.length;
      }
      return characters;
    },
  };
}

function search(added: AddedBy, content: SearchedContent): Operation {
  const buffer = new Evbuffer();
  for (const chunk of searchChunks(content)) {
    if (added === 'copy') buffer.add(chunk);
    else buffer.addReference(chunk);
  }
  const needle = Buffer.from(NEEDLE, 'latin1');
  return {
    gives: FOUND_AT,
    run(times) {
      let positions = 0;
      for (let i = 0; i < times; i++) positions += buffer.indexOf(needle);
      return positions;
    },
  };
}
