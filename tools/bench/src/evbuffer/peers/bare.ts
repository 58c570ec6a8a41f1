// Node's own operations on one flat Buffer that holds everything: no queue at all, so what a queue costs beside them.
import { Buffer } from 'node:buffer';
import { FOUND_AT, LINE_CHARACTERS, lineChunks, NEEDLE, type SearchedContent, searchedBytes } from '../inputs.js';
import type { Operation } from '../operation.js';
import type { Task, TextEncodingName } from '../works.js';
import { textOf } from './text.js';

const LF = 10;

export function bare(task: Task): Operation {
  switch (task.does) {
    case 'read-line':
    case 'read-lines':
      return readLine(task.encoding);
    case 'search':
      return search(task.content);
    case 'add-drain':
    case 'reference-drain':
      throw new Error('a flat Buffer is no queue');
  }
}

function readLine(encoding: TextEncodingName): Operation {
  const bytes = Buffer.concat(lineChunks());
  let at = 0;
  return {
    gives: LINE_CHARACTERS,
    run(times) {
      let characters = 0;
      for (let i = 0; i < times; i++) {
        const end = bytes.indexOf(LF, at);
        characters += textOf(bytes, at, end, encoding).length;
        at = end + 1 === bytes.length ? 0 : end + 1;
      }
      return characters;
    },
  };
}

function search(content: SearchedContent): Operation {
  const bytes = searchedBytes(content);
  const needle = Buffer.from(NEEDLE, 'latin1');
  return {
    gives: FOUND_AT,
    run(times) {
      let positions = 0;
      for (let i = 0; i < times; i++) positions += bytes.indexOf(needle);
      return positions;
    },
  };
}
