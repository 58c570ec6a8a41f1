import { argumentRangeError, argumentTypeError, checkOptionNames, type OptionNames } from 'bufferevent-backend';
import type { EolStyle, Evbuffer } from 'evbuffer';
import { checkEncoding, checkLimit, checkObject } from '../arguments.js';
import { defaultLimits } from '../limits.js';
import { isTooLong, lineTooLong, type ReadLineOptions } from '../pull.js';
import type { MessageCodec } from './message-codec.js';

export interface LineCodecOptions extends Omit<ReadLineOptions, 'signal'> {
  /** What ends a line. Lines are sent with LF for `lf`, NUL for `nul`, else CR LF. Default `crlf`: LF, or CR LF. */
  readonly style?: LineStyle;
}

/** Not `any`: what its lines are depends on how the bytes arrive, as soon as CR and LF arrive apart. */
export type LineStyle = Exclude<EolStyle, 'any'>;

/**
 * Lines as strings, without their terminators; text is copied both ways. Decoding throws `ERR_BUFFEREVENT_LINE_LIMIT` for
 * a line of more than `maxBytes` (default 64 KiB). Encoding throws `TypeError` for what would arrive as something else
 * (no string; one with a CR or LF, or what ends a line of the style; in latin1, one with other characters; in utf8, one
 * with half of a surrogate pair), `RangeError` for more than `maxBytes`.
 */
export function lineCodec(options: LineCodecOptions = {}): MessageCodec<string> {
  checkObject('options', options);
  checkOptionNames('options', options, optionNames);
  const { style = 'crlf', encoding = 'utf8', maxBytes = defaultLimits.lineMaxBytes } = options;
  if (!Object.hasOwn(endings, style)) {
    throw argumentTypeError('style', `one of ${Object.keys(endings).join(', ')}`, style);
  }
  checkEncoding(encoding);
  checkLimit('maxBytes', maxBytes, 1);
  return new LineCodec(style, encoding, maxBytes);
}

const optionNames: OptionNames<LineCodecOptions> = { style: true, encoding: true, maxBytes: true };

/** Characters that no line holds: inside a regular expression. */
const endings: Readonly<Record<LineStyle, string>> = {
  crlf: '\\r\\n',
  'crlf-strict': '\\r\\n',
  lf: '\\n',
  nul: '\\0',
};

/** Inside a regular expression of whole characters (`u`), in which only a lone surrogate is one. */
const unencodable: Readonly<Record<'utf8' | 'latin1', string>> = {
  utf8: '\\ud800-\\udfff',
  latin1: '\\u{100}-\\u{10ffff}',
};

class LineCodec implements MessageCodec<string> {
  readonly maxEncodedBytes: number;
  readonly #style: LineStyle;
  readonly #encoding: 'utf8' | 'latin1';
  readonly #maxBytes: number;
  readonly #terminator: string;
  readonly #forbidden: RegExp;

  constructor(style: LineStyle, encoding: 'utf8' | 'latin1', maxBytes: number) {
    this.#style = style;
    this.#encoding = encoding;
    this.#maxBytes = maxBytes;
    this.#terminator = style === 'nul' ? '\0' : style === 'lf' ? '\n' : '\r\n';
    this.#forbidden = new RegExp(`[${endings[style]}${unencodable[encoding]}]`, 'u');
    // One byte more than a line and its terminator, so that too long a line is seen to be one.
    this.maxEncodedBytes = maxBytes + 3;
  }

  decode(source: Evbuffer): string | null {
    // Only a buffer of more than `maxBytes` can begin with too long a line.
    if (source.length > this.#maxBytes && isTooLong(source, source.indexOfEol(this.#style), this.#maxBytes)) {
      throw lineTooLong(this.#maxBytes);
    }
    return source.readLine(this.#style, this.#encoding);
  }

  encode(message: string, target: Evbuffer): void {
    if (typeof message !== 'string' || this.#forbidden.test(message)) {
      throw argumentTypeError('message', `one line of ${this.#encoding} text`, message);
    }
    const bytes = Buffer.byteLength(message, this.#encoding);
    if (bytes > this.#maxBytes) throw argumentRangeError('message', `at most ${this.#maxBytes} bytes`, bytes);
    target.add(message + this.#terminator, this.#encoding);
  }
}
