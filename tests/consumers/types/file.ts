// Needs the types of Node: a segment takes a FileHandle.
import { Evbuffer } from 'evbuffer';
import { FileSegment } from 'evbuffer/file';

export async function use(): Promise<Evbuffer> {
  const segment = await FileSegment.open('package.json', { length: 1 });
  const buffer = new Evbuffer();
  buffer.addFileSegment(segment);
  segment.close();
  return buffer;
}
