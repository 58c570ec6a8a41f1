import { argumentTypeError, checkOptionNames, type OptionNames } from 'bufferevent-backend';
import { checkObject } from './arguments.js';

export interface InsertLayerOptions {
  /**
   * What becomes of bytes that arrived before the layer and were not taken: `refuse` throws (the default: after an
   * agreement to go on under a layer they may be somebody else's), `decode` gives them to the layer, `keep` leaves them
   * in the input, in front of what it decodes.
   */
  readonly surplus?: 'refuse' | 'decode' | 'keep';
}

const optionNames: OptionNames<InsertLayerOptions> = { surplus: true };
const surpluses: readonly string[] = ['refuse', 'decode', 'keep'];

/** @internal Throws `TypeError` for what is none of them, `RangeError` for other options. */
export function surplusOf(options: InsertLayerOptions): InsertLayerOptions['surplus'] {
  checkObject('options', options);
  checkOptionNames('options', options, optionNames);
  const { surplus = 'refuse' } = options;
  if (!surpluses.includes(surplus)) throw argumentTypeError('surplus', `one of ${surpluses.join(', ')}`, surplus);
  return surplus;
}
