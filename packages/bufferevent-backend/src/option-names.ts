import { argumentRangeError } from './errors.js';

/** Every name of `Options` but those of `Excluded`: what is added to the type has to be added to the list. */
export type OptionNames<Options, Excluded = never> = Readonly<Record<Exclude<keyof Options, Excluded>, true>>;

/**
 * Throws `RangeError` for an option whose name is not among those of `known`, whatever its value, and for one that is inherited,
 * or not enumerable, and would get lost on the way: a limit that is misspelt would not hold, and nobody would know.
 */
export function checkOptionNames(argument: string, options: object, known: object): void {
  for (const name of Object.keys(options)) {
    if (Object.hasOwn(known, name)) continue;
    throw argumentRangeError(argument, `made of ${Object.keys(known).join(', ')}`, name);
  }
  checkOwnOptions(argument, options, known);
}

/** Throws `RangeError` for an option of those in `known` that is inherited or not enumerable. */
export function checkOwnOptions(argument: string, options: object, known: object): void {
  if (Object.getPrototypeOf(options) === Object.prototype) return;
  for (const name of Object.keys(known)) {
    if (!(name in options) || Object.prototype.propertyIsEnumerable.call(options, name)) continue;
    throw argumentRangeError(argument, 'an object whose options are enumerable properties of its own', name);
  }
}
