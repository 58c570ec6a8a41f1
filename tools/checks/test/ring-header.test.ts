import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { ControlWord, LARGE_SLAB_BYTES, Verb } from 'bufferevent-backend/ring';
import { afterAll, describe, expect, it } from 'vitest';
import { checkRingHeader, ringHeader, writeRingHeader } from '../src/ring-header.js';

const root = mkdtempSync(join(tmpdir(), 'ring-header-'));
const native = join(root, 'packages/bufferevent-backend/native');
const header = join(native, 'ring.h');
mkdirSync(native, { recursive: true });
afterAll(() => rmSync(root, { recursive: true, force: true }));

describe('the header of the rings', () => {
  it('holds the numbers of the source', () => {
    const text = ringHeader();
    expect(text).toContain(`  kCloseSilently = ${Verb.closeSilently},\n`);
    expect(text).toContain(`  kFreeLargeSlabs = ${ControlWord.freeLargeSlabs},\n`);
    expect(text).toContain(`constexpr uint32_t kLargeSlabBytes = ${LARGE_SLAB_BYTES};\n`);
  });

  it('is refused when a number in it is another one, and right again when it was made anew', () => {
    writeFileSync(header, ringHeader().replace('kRecv = 4', 'kRecv = 5'));
    expect(() => checkRingHeader(root)).toThrow('ring-header --write');
    writeRingHeader(root);
    expect(readFileSync(header, 'utf8')).toBe(ringHeader());
    expect(() => checkRingHeader(root)).not.toThrow();
  });
});
