import { argumentTypeError } from 'bufferevent-backend';
import type { Layer } from './layer.js';

/**
 * @internal What becomes of an answer that none of the calls of a layer has, most likely the promise of an asynchronous
 * function: an error for {@link Layer} to be given up with, as if it had thrown.
 */
export function noAnswerError({ name }: Layer, call: 'handshake' | 'decode' | 'encode', answer: unknown): TypeError {
  // What becomes of the promise later concerns nobody any more.
  Promise.resolve(answer).catch(() => {});
  return argumentTypeError(`result of ${name}.${call}`, 'one of those of a Layer, at once', answer);
}
