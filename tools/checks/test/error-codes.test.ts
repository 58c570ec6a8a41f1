import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, describe, expect, it } from 'vitest';
import { checkErrorCodes, errorCodesIn } from '../src/error-codes.js';

const root = mkdtempSync(join(tmpdir(), 'error-codes-'));
afterEach(() => rmSync(root, { recursive: true, force: true }));

function workspace(source: string, table: string): void {
  mkdirSync(join(root, 'packages/evbuffer/src'), { recursive: true });
  mkdirSync(join(root, 'docs'), { recursive: true });
  writeFileSync(join(root, 'packages/evbuffer/src/errors.ts'), source);
  writeFileSync(join(root, 'docs/error-codes.md'), table);
}

describe('error codes', () => {
  it('reads whole codes and skips a bare prefix', () => {
    expect([
      ...errorCodesIn("'ERR_EVBUFFER_FROZEN' | `ERR_BACKEND_*` | 'ERR_SOCKET_CLOSED' | 'ERR_OPENSSL_KEY'"),
    ]).toEqual(['ERR_EVBUFFER_FROZEN', 'ERR_OPENSSL_KEY']);
  });

  it('are documented when thrown and thrown when documented', () => {
    workspace("throw coded('ERR_EVBUFFER_FROZEN')", '| `ERR_EVBUFFER_FROZEN` | … |');
    expect(() => checkErrorCodes(root)).not.toThrow();
    workspace("throw coded('ERR_EVBUFFER_FROZEN')", '');
    expect(() => checkErrorCodes(root)).toThrow('ERR_EVBUFFER_FROZEN is missing');
    workspace('', '| `ERR_EVBUFFER_FROZEN` | … |');
    expect(() => checkErrorCodes(root)).toThrow('ERR_EVBUFFER_FROZEN in docs/error-codes.md is thrown nowhere');
  });
});
