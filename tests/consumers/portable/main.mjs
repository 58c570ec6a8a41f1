// Runs the portable program in Node, Bun or Deno, and reads a file through a buffer.
import * as evbuffer from 'evbuffer';
import * as debug from 'evbuffer/debug';
import { FileSegment } from 'evbuffer/file';
import * as framing from 'evbuffer/framing';
import * as web from 'evbuffer/web';
import { run, runStreams } from './program.js';

let count = run({ evbuffer, framing, debug, foreign: new Uint8Array([104, 111, 115, 116]), text: true });
count += await runStreams({ evbuffer, web, streams: true });

let closings = 0;
const segment = await FileSegment.open('program.js', { offset: 3, onClose: () => closings++ });
const buffer = new evbuffer.Evbuffer();
buffer.add('//');
buffer.addFileSegment(segment, 1, 20);
segment.close();
if (buffer.toString('latin1', 0, 8) !== '//he sam' || buffer.readLine('lf') !== null) throw new Error(`${buffer}`);
buffer.drain();
await new Promise((resolve) => setTimeout(resolve, 50));
if (closings !== 1 || !segment.closed) throw new Error(`closed ${closings} times`);
console.log(`${count} hold`);
