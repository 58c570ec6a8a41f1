import type { Transform } from 'node:stream';
import * as zlib from 'node:zlib';
import { argumentTypeError, checkOptionNames, type OptionNames } from 'bufferevent-backend';
import type { Evbuffer } from 'evbuffer';
import { checkBoolean, checkObject } from '../arguments.js';
import { BuffereventError } from '../errors.js';
import type { FlushMode, Layer, LayerHost, LayerResult } from '../layer.js';
import { passThrough } from '../pass-through.js';
import { ZlibStream } from './zlib-stream.js';

/** Options of a compressing layer; `Options` are those of `node:zlib` for the format, handed on unchanged. */
export interface CompressionOptions<Options> {
  /** How what is written is compressed; `false`: it is not. */
  readonly compress?: Options | false;
  /** How what arrives is decompressed; `false`: it is not. */
  readonly decompress?: Options | false;
  /**
   * Flush whenever all that was written is compressed, so that the peer gets it now. Default false, which compresses
   * best: bytes may stay in the compressor until `bev.flush('write', 'flush')`, or the end.
   */
  readonly autoFlush?: boolean;
}

const optionNames: OptionNames<CompressionOptions<unknown>> = { compress: true, decompress: true, autoFlush: true };

/** A stream in the zlib format (RFC 1950), which HTTP calls `deflate`. See {@link gzipLayer}. */
export function deflateLayer(options: CompressionOptions<zlib.ZlibOptions> = {}): Layer {
  return new ZlibLayer('deflate', options, zlib.createDeflate, zlib.createInflate, zlib.constants.Z_SYNC_FLUSH);
}

/** A stream in the bare deflate format (RFC 1951), without header and checksum. See {@link gzipLayer}. */
export function rawDeflateLayer(options: CompressionOptions<zlib.ZlibOptions> = {}): Layer {
  const { Z_SYNC_FLUSH } = zlib.constants;
  return new ZlibLayer('raw-deflate', options, zlib.createDeflateRaw, zlib.createInflateRaw, Z_SYNC_FLUSH);
}

/**
 * A layer for `insertLayer` or `FilterBufferevent`: what is written leaves as one gzip file (RFC 1952), what arrives is
 * read as one, of one member or several. Each direction can be left as it is.
 *
 * `flush('write', 'flush')` sends all that was written until then; `flush('write', 'finished')` ends the file, and the
 * end of the connection does, too. Writing afterwards fails the connection with `ERR_BUFFEREVENT_WRITE_AFTER_END`.
 * Broken input fails it with `ERR_BUFFEREVENT_MALFORMED_INPUT`, an end in the middle with `ERR_BUFFEREVENT_UNEXPECTED_END`;
 * `cause` is zlib's error. What was decompressed before arrives first.
 *
 * zlib works in other threads, on one chunk of 16 KiB each way at a time. However much a few bytes decompress to, only what
 * the high mark of the input has room for is, and some 32 KiB ahead.
 *
 * @throws `RangeError`, `TypeError` for options that zlib refuses
 */
export function gzipLayer(options: CompressionOptions<zlib.ZlibOptions> = {}): Layer {
  return new ZlibLayer('gzip', options, zlib.createGzip, zlib.createGunzip, zlib.constants.Z_SYNC_FLUSH);
}

/** A brotli stream (RFC 7932). See {@link gzipLayer}. */
export function brotliLayer(options: CompressionOptions<zlib.BrotliOptions> = {}): Layer {
  const { BROTLI_OPERATION_FLUSH } = zlib.constants;
  return new ZlibLayer(
    'brotli',
    options,
    zlib.createBrotliCompress,
    zlib.createBrotliDecompress,
    BROTLI_OPERATION_FLUSH,
  );
}

type Create<Options> = (options?: Options) => Transform & zlib.Zlib;

class ZlibLayer<Options extends object> implements Layer {
  readonly name: string;
  readonly #compressor: ZlibStream | null;
  readonly #decompressor: ZlibStream | null;
  #attached = false;

  constructor(
    name: string,
    options: CompressionOptions<Options>,
    createCompressor: Create<Options>,
    createDecompressor: Create<Options>,
    flushOperation: number,
  ) {
    checkObject('options', options);
    checkOptionNames('options', options, optionNames);
    const { compress, decompress, autoFlush = false } = options;
    checkBoolean('autoFlush', autoFlush);
    this.name = name;
    const open = (create: Create<Options>, given: Options | false | undefined, key: string): ZlibStream | null => {
      if (given === false) return null;
      if (given !== undefined) checkObject(key, given);
      return new ZlibStream(create(given), flushOperation, autoFlush);
    };
    this.#compressor = open(createCompressor, compress, 'compress');
    this.#decompressor = open(createDecompressor, decompress, 'decompress');
  }

  attach(host: LayerHost): void {
    if (this.#attached) throw argumentTypeError('layer', 'one that is under no other connection', this.name);
    this.#attached = true;
    this.#compressor?.attach(host);
    this.#decompressor?.attach(host);
  }

  encode(source: Evbuffer, target: Evbuffer, limit: number, mode: FlushMode): LayerResult {
    return this.#compressor === null
      ? passThrough(source, target, limit)
      : this.#compressor.move(source, target, limit, mode);
  }

  decode(source: Evbuffer, target: Evbuffer, limit: number, mode: FlushMode): LayerResult {
    if (this.#decompressor === null) return passThrough(source, target, limit);
    try {
      return this.#decompressor.move(source, target, limit, mode);
    } catch (error) {
      throw decodingError(this.name, error as Error);
    }
  }

  free(): void {
    this.#compressor?.free();
    this.#decompressor?.free();
  }
}

function decodingError(format: string, cause: Error & { code?: string }): Error {
  if (cause instanceof BuffereventError) return cause;
  if (cause.code === 'Z_BUF_ERROR') {
    return new BuffereventError('ERR_BUFFEREVENT_UNEXPECTED_END', `the stream ended inside ${format} data`, { cause });
  }
  const message = `what the peer sent is no ${format} data: ${cause.message}`;
  return new BuffereventError('ERR_BUFFEREVENT_MALFORMED_INPUT', message, { cause });
}
