export { FileSegment, type FileSegmentOptions } from './file-segment.js';
export type { FileRange, FileSource } from './file-source.js';
