import { describe, expect, it } from 'vitest';
import { win32BinaryProblems } from '../src/win32-binary.js';

const headers = `
bufferevent-openssl.node:     file format pei-x86-64

The Import Tables (interpreted .idata section contents)
	DLL Name: KERNEL32.dll
	vma:  Hint/Ord Member-Name Bound-To
	1d2a8	  280  DeleteCriticalSection

	DLL Name: api-ms-win-crt-heap-l1-1-0.dll
	DLL Name: WS2_32.dll

[Ordinal/Name Pointer] Table
	[   0] napi_register_module_v1
`;
const binary = Buffer.from('MZ … node.exe\0 …');

describe('the binary for Windows in the tarball', () => {
  it('is fine with libraries that every Windows has, and node.exe when it is used', () => {
    expect(win32BinaryProblems(headers, binary)).toEqual([]);
  });

  it('is refused when it needs libraries of the compiler', () => {
    const linked = headers.replace('KERNEL32.dll', 'libstdc++-6.dll\n	DLL Name: libgcc_s_seh-1.dll');
    expect(win32BinaryProblems(linked, binary)).toEqual([
      'imports libstdc++-6.dll, which is no part of Windows',
      'imports libgcc_s_seh-1.dll, which is no part of Windows',
    ]);
  });

  it('is refused when only an executable of that name could load it', () => {
    expect(win32BinaryProblems(headers.replace('KERNEL32.dll', 'node.exe'), binary)).toEqual([
      expect.stringContaining('imports node.exe at once'),
    ]);
    expect(win32BinaryProblems(headers, Buffer.from('MZ'))).toEqual(['never asks for node.exe']);
  });

  it('is refused when it is for another system, no addon, or too large', () => {
    expect(win32BinaryProblems(headers.replace('pei-x86-64', 'pei-i386'), binary)).toEqual([
      'is no library for x64 Windows',
    ]);
    expect(win32BinaryProblems(headers.replace('napi_register_module_v1', 'main'), binary)).toEqual([
      expect.stringContaining('is it an addon at all?'),
    ]);
    const large = Buffer.concat([binary, Buffer.alloc(400 * 1024)]);
    expect(win32BinaryProblems(headers, large)).toEqual([expect.stringMatching(/^has \d+ bytes, more than/)]);
  });
});
