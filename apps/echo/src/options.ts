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

/** A parser for SHA-256 of certificates, which gives what `fingerprint256` of Node's certificates has. */
export function fingerprint(text: string): string {
  const digits = text.replaceAll(':', '').toUpperCase();
  if (!/^[0-9A-F]{64}$/.test(digits)) {
    throw new InvalidArgumentError('64 hexadecimal digits are needed, with colons or without.');
  }
  return (digits.match(/../g) as string[]).join(':');
}
