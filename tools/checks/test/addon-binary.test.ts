import { describe, expect, it } from 'vitest';
import { binaryProblems } from '../src/addon-binary.js';

const headers = `
Dynamic Section:
  NEEDED               libc.so.6
  SONAME               bufferevent_epoll.node

Version References:
  required from libc.so.6:
    0x06969188 0x00 07 GLIBC_2.28
    0x09691972 0x00 04 GLIBC_2.3.2
`;

describe('the binary in the tarball', () => {
  it('is fine with symbols up to glibc 2.28 and no library of the compiler', () => {
    expect(binaryProblems(headers, 50_000)).toEqual([]);
  });

  it('is refused when it needs a newer glibc', () => {
    expect(binaryProblems(headers.replace('GLIBC_2.28', 'GLIBC_2.33'), 50_000)).toEqual([
      expect.stringContaining('needs glibc 2.33'),
    ]);
  });

  it('is refused when the C++ library or that of gcc is linked dynamically', () => {
    const linked = headers.replace('libc.so.6', 'libstdc++.so.6\n  NEEDED               libgcc_s.so.1');
    expect(binaryProblems(linked, 50_000)).toEqual([
      expect.stringContaining('libstdc++.so.6'),
      expect.stringContaining('libgcc_s.so.1'),
    ]);
  });

  it('is refused when it is too large, or no binary', () => {
    expect(binaryProblems(headers, 400_000)).toEqual([expect.stringContaining('400000 bytes')]);
    expect(binaryProblems('', 50_000)).toEqual([expect.stringContaining('names no version')]);
  });
});
