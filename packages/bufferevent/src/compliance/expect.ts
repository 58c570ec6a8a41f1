import assert from 'node:assert/strict';

/** Compares bytes without printing megabytes of them. */
export function expectBytes(actual: Uint8Array, expected: Uint8Array): void {
  if (Buffer.compare(actual, expected) === 0) return;
  const at = actual.findIndex((byte, index) => byte !== expected[index]);
  const where = at < 0 ? Math.min(actual.length, expected.length) : at;
  assert.fail(`bytes differ from offset ${where}: got ${actual.length} bytes, expected ${expected.length}`);
}

/** Fails unless `actual` is the beginning of `whole`. */
export function expectPrefix(actual: Uint8Array, whole: Uint8Array): void {
  assert.ok(actual.length <= whole.length, `got ${actual.length} bytes of ${whole.length}`);
  expectBytes(actual, whole.subarray(0, actual.length));
}

/** Asserts that a call throws an error with this code. */
export function expectCode(code: string, body: () => unknown): void {
  assert.throws(body, { code });
}

/** Asserts that a malformed argument is refused with a `TypeError` or `RangeError` that carries a code. */
export function expectArgumentError(what: string, body: () => unknown): void {
  let thrown: unknown;
  try {
    body();
  } catch (error) {
    thrown = error;
  }
  assert.ok(thrown instanceof TypeError || thrown instanceof RangeError, `${what} answered with ${String(thrown)}`);
  const { code } = thrown as { code?: unknown };
  assert.ok(typeof code === 'string' && code.startsWith('ERR_'), `${what} threw an error with code ${String(code)}`);
}

/** Hands a value of a wrong type to a typed parameter: what callers without types do. */
export function untyped<Expected>(value: unknown): Expected {
  return value as Expected;
}
