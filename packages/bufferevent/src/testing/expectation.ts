import { AssertionError } from 'node:assert';
import { argumentTypeError } from 'bufferevent-backend';
import { type Deferred, withResolvers } from '../deferred-promise.js';
import { firstDifference, showBytes, showDifference, showText } from './difference.js';

/** @internal What has come, for an expectation to look at. */
export interface Arrived {
  /** What no expectation has consumed yet. */
  readonly bytes: Uint8Array;
  /** How many bytes were consumed before. */
  readonly before: number;
  readonly ended: boolean;
  readonly failure: (Error & { code: string }) | null;
}

/** @internal Something that a script waits for. */
export abstract class Expectation<Value = unknown> {
  readonly #deferred: Deferred<Value> = withResolvers();
  #guard: NodeJS.Timeout | null = null;

  get promise(): Promise<Value> {
    return this.#deferred.promise;
  }

  guard(ms: number, onTime: () => void): void {
    if (ms !== Infinity) this.#guard = setTimeout(onTime, ms);
  }

  /** Settles when what has come decides it, and says how many bytes that consumes; `null` while it is open. */
  abstract look(arrived: Arrived): number | null;

  /** What was expected, as it is shown. */
  protected abstract get shown(): string;

  /** The two sides, one above the other. */
  protected sides({ bytes }: Arrived): string {
    return `  expected  ${this.shown}\n  received  ${showText(bytes)}`;
  }

  /** The error for what has come instead. */
  failed(arrived: Arrived, what: string): AssertionError {
    const message = `${what}, after ${arrived.before} bytes as expected\n${this.sides(arrived)}`;
    return new AssertionError({ message, actual: arrived.bytes, expected: this.wanted, operator: 'expect' });
  }

  protected abstract get wanted(): unknown;

  reject(error: AssertionError): null {
    this.#stopGuard();
    this.#deferred.reject(error);
    return null;
  }

  protected meet(value: Value, consumed: number): number {
    this.#stopGuard();
    this.#deferred.resolve(value);
    return consumed;
  }

  /** Fails, which consumes nothing. */
  protected miss(arrived: Arrived, what: string): number {
    this.reject(this.failed(arrived, what));
    return 0;
  }

  /** Fails if nothing can come any more. */
  protected missIfOver(arrived: Arrived): number | null {
    if (arrived.failure !== null) return this.miss(arrived, `the connection failed with ${arrived.failure.code}`);
    return arrived.ended ? this.miss(arrived, 'the stream ended') : null;
  }

  #stopGuard(): void {
    if (this.#guard !== null) clearTimeout(this.#guard);
  }
}

/** @internal Exactly these bytes come next. */
export class ExactExpectation extends Expectation<void> {
  protected readonly wanted: string | Uint8Array;
  readonly #bytes: Uint8Array;

  constructor(wanted: string | Uint8Array) {
    super();
    if (typeof wanted !== 'string' && !(wanted instanceof Uint8Array)) {
      throw argumentTypeError('wanted', 'a string, a Uint8Array or a RegExp', wanted);
    }
    this.wanted = wanted;
    this.#bytes = typeof wanted === 'string' ? Buffer.from(wanted, 'utf8') : wanted;
  }

  protected get shown(): string {
    return showText(this.#bytes);
  }

  look(arrived: Arrived): number | null {
    const { bytes } = arrived;
    const at = firstDifference(this.#bytes, bytes);
    if (at === this.#bytes.length) return this.meet(undefined, at);
    if (at < bytes.length) return this.miss(arrived, `byte ${at} differs`);
    return this.missIfOver(arrived);
  }

  protected override sides({ bytes }: Arrived): string {
    return showDifference(this.#bytes, bytes, typeof this.wanted === 'string' ? showText : showBytes);
  }
}

/** @internal Something that matches is among the text that comes next. */
export class PatternExpectation extends Expectation<RegExpExecArray> {
  protected readonly wanted: RegExp;

  constructor(wanted: RegExp) {
    super();
    this.wanted = wanted;
  }

  protected get shown(): string {
    return String(this.wanted);
  }

  look(arrived: Arrived): number | null {
    this.wanted.lastIndex = 0;
    const text = Buffer.from(arrived.bytes).toString('utf8');
    const match = this.wanted.exec(text);
    if (match === null) return this.missIfOver(arrived);
    return this.meet(match, Buffer.byteLength(text.slice(0, match.index + match[0].length)));
  }
}

/** @internal The end comes next. */
export class EndExpectation extends Expectation<void> {
  protected readonly wanted = 'the end of the stream';

  protected get shown(): string {
    return this.wanted;
  }

  look(arrived: Arrived): number | null {
    if (arrived.bytes.length > 0) return this.miss(arrived, 'bytes came instead of the end');
    if (arrived.ended) return this.meet(undefined, 0);
    return this.missIfOver(arrived);
  }
}

/** @internal A reset comes next. */
export class ResetExpectation extends Expectation<void> {
  protected readonly wanted = 'a reset';

  protected get shown(): string {
    return this.wanted;
  }

  look(arrived: Arrived): number | null {
    if (arrived.bytes.length > 0) return this.miss(arrived, 'bytes came instead of a reset');
    const { failure } = arrived;
    if (failure !== null && failure.code !== 'ECONNREFUSED') return this.meet(undefined, 0);
    return this.missIfOver(arrived);
  }
}
