/** A small generator of numbers that look random and are the same for the same seed (xorshift32). */
export class Xorshift {
  #state: number;

  /** @param seed any integer; 0 is replaced, because it would only give zeros */
  constructor(seed: number) {
    // Spread the seed, so that neighbours start far apart.
    this.#state = Math.imul(seed | 0, 0x9e3779b1) ^ 0x5bd1e995 || 1;
  }

  /** An integer from 0 to `limit - 1`. */
  below(limit: number): number {
    let x = this.#state;
    x ^= x << 13;
    x ^= x >>> 17;
    x ^= x << 5;
    this.#state = x;
    return (x >>> 0) % limit;
  }

  /** True once in `n` times. */
  oneIn(n: number): boolean {
    return this.below(n) === 0;
  }
}
