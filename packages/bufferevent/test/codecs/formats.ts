// The compressed formats, with what zlib makes of them at once, and the programs of the system that know them.
import { spawnSync } from 'node:child_process';
import * as zlib from 'node:zlib';
import type { Layer } from 'bufferevent';
import { brotliLayer, type CompressionOptions, deflateLayer, gzipLayer, rawDeflateLayer } from 'bufferevent/codecs';

export interface Format {
  readonly name: string;
  layer(options?: CompressionOptions<object>): Layer;
  compress(bytes: Uint8Array): Buffer;
  decompress(bytes: Uint8Array): Buffer;
}

export const formats: readonly Format[] = [
  { name: 'deflate', layer: deflateLayer, compress: zlib.deflateSync, decompress: zlib.inflateSync },
  { name: 'raw deflate', layer: rawDeflateLayer, compress: zlib.deflateRawSync, decompress: zlib.inflateRawSync },
  { name: 'gzip', layer: gzipLayer, compress: zlib.gzipSync, decompress: zlib.gunzipSync },
  { name: 'brotli', layer: brotliLayer, compress: zlib.brotliCompressSync, decompress: zlib.brotliDecompressSync },
];

export interface ForeignTool {
  readonly name: string;
  readonly format: Format;
  readonly isHere: boolean;
  compress(bytes: Uint8Array): Buffer;
  decompress(bytes: Uint8Array): Buffer;
}

function run(command: string, args: readonly string[], input: Uint8Array): Buffer {
  const { status, stdout, stderr, error } = spawnSync(command, args, { input, maxBuffer: 2 ** 28 });
  if (status !== 0) throw new Error(`${command}: ${error?.message ?? stderr.toString()}`);
  return stdout;
}

function works(command: string, args: readonly string[]): boolean {
  return spawnSync(command, args).status === 0;
}

const hasGzip = works('gzip', ['--version']);
const hasPython = works('python3', ['-c', 'import zlib']);

function python(windowBits: number): Pick<ForeignTool, 'isHere' | 'compress' | 'decompress'> {
  const script = (body: string): string[] => ['-c', `import sys, zlib\ndata = sys.stdin.buffer.read()\n${body}`];
  const inflate = `
d = zlib.decompressobj(${windowBits})
sys.stdout.buffer.write(d.decompress(data) + d.flush())
assert d.eof and not d.unused_data`;
  const deflate = `
c = zlib.compressobj(6, zlib.DEFLATED, ${windowBits})
sys.stdout.buffer.write(c.compress(data) + c.flush())`;
  return {
    isHere: hasPython,
    compress: (bytes) => run('python3', script(deflate), bytes),
    decompress: (bytes) => run('python3', script(inflate), bytes),
  };
}

const [deflate, raw, gzip] = formats as [Format, Format, Format];

export const foreignTools: readonly ForeignTool[] = [
  {
    name: 'gzip',
    format: gzip,
    isHere: hasGzip,
    compress: (bytes) => run('gzip', ['-c'], bytes),
    decompress: (bytes) => run('gzip', ['-dc'], bytes),
  },
  { name: 'zlib of Python (gzip)', format: gzip, ...python(31) },
  { name: 'zlib of Python (deflate)', format: deflate, ...python(15) },
  { name: 'zlib of Python (raw deflate)', format: raw, ...python(-15) },
];
