/** Pseudo-random choices, the same for the same seed. */
export class Random {
  #state;

  /** @param {number} seed */
  constructor(seed) {
    this.#state = seed >>> 0;
  }

  /**
   * A whole number from 0 to `bound` − 1.
   * @param {number} bound
   * @returns {number}
   */
  below(bound) {
    this.#state = (Math.imul(this.#state, 1_664_525) + 1_013_904_223) >>> 0;
    return Math.floor((this.#state / 2 ** 32) * bound);
  }

  /**
   * True once in `count` times.
   * @param {number} count
   * @returns {boolean}
   */
  oneIn(count) {
    return this.below(count) === 0;
  }

  /**
   * @template T
   * @param {readonly T[]} choices
   * @returns {T}
   */
  pick(choices) {
    return /** @type {T} */ (choices[this.below(choices.length)]);
  }
}
