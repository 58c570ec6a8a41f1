import { InvalidArgumentError } from 'commander';

/** A parser for decimal integers from `low` to `high`. */
export function integerBetween(low: number, high: number): (text: string) => number {
  return (text) => {
    const value = Number(text);
    if (!/^\d+$/.test(text) || value < low || value > high) {
      throw new InvalidArgumentError(`A whole number from ${low} to ${high} is needed.`);
    }
    return value;
  };
}

/** A parser that takes one of `words` and nothing else. */
export function oneOf<Word extends string>(words: readonly Word[]): (text: string) => Word {
  return (text) => {
    const word = words.find((candidate) => candidate === text);
    if (word === undefined) throw new InvalidArgumentError(`Known are ${words.join(', ')}.`);
    return word;
  };
}
