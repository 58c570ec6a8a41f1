import assert from 'node:assert/strict';
import { BackendError, type BackendErrorCode } from 'bufferevent-backend';

/** Asserts that a verb is refused with this code. */
export function expectBackendError(code: BackendErrorCode, body: () => unknown): void {
  assert.throws(body, (error: unknown) => {
    assert.ok(error instanceof BackendError, `threw ${String(error)}, not a BackendError`);
    assert.equal(error.code, code);
    return true;
  });
}

/** Asserts that a malformed argument is refused with a `TypeError` or `RangeError` that carries a code. */
export function expectArgumentError(body: () => unknown, what: string): void {
  let thrown: unknown;
  try {
    body();
  } catch (error) {
    thrown = error;
  }
  assert.ok(thrown !== undefined, `${what} was accepted`);
  assert.ok(thrown instanceof TypeError || thrown instanceof RangeError, `${what} threw ${String(thrown)}`);
  const code = (thrown as { code?: unknown }).code;
  assert.ok(
    typeof code === 'string' && code.startsWith('ERR_'),
    `${what} threw an error whose code is ${String(code)}`,
  );
}

/** Hands a value of a wrong type to a typed parameter: what callers without types do. */
export function untyped<Expected>(value: unknown): Expected {
  return value as Expected;
}

/** Compares bytes without printing megabytes of them. */
export function expectBytes(actual: Uint8Array, expected: Uint8Array): void {
  if (Buffer.compare(actual, expected) === 0) return;
  const at = actual.findIndex((byte, index) => byte !== expected[index]);
  const where = at < 0 ? Math.min(actual.length, expected.length) : at;
  assert.fail(`bytes differ from offset ${where}: got ${actual.length} bytes, expected ${expected.length}`);
}
