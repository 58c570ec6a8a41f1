// The binaries for Windows in the tarballs load everywhere: what they import is what `objdump -p` lists.
import { spawnSync } from 'node:child_process';
import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';

const TOOL_PREFIX = 'x86_64-w64-mingw32-';
export const WIN32_TOOLS: readonly string[] = ['g++-posix', 'objdump', 'dlltool'].map(
  (tool) => `${TOOL_PREFIX}${tool}`,
);

/** Parts of every Windows since 10, in lower case. */
const SYSTEM = new Set([
  'advapi32.dll',
  'bcrypt.dll',
  'kernel32.dll',
  'mswsock.dll',
  'msvcrt.dll',
  'ntdll.dll',
  'ws2_32.dll',
]);
/** The newer C library, which is one as well. */
const SYSTEM_C = /^(ucrtbase|api-ms-win-crt-[a-z0-9-]+)\.dll$/;
const MAX_BYTES = 300 * 1024;

export function checkWin32Binary(root: string, name: string): void {
  const file = `packages/${name}/prebuilds/win32-x64/${name}.node`;
  if (!existsSync(join(root, file))) throw new Error(`${file} was not built`);
  const { status, stdout, stderr } = spawnSync(`${TOOL_PREFIX}objdump`, ['-p', join(root, file)], { encoding: 'utf8' });
  if (status !== 0) throw new Error(`objdump -p ${file}: ${stderr}`);
  const binary = readFileSync(join(root, file));
  const problems = win32BinaryProblems(stdout, binary);
  if (problems.length > 0) throw new Error(`${file}\n  ${problems.join('\n  ')}`);
  console.log(`${file}: ${binary.length} bytes, imports ${imported(stdout).join(', ')} and, when it is used, node.exe`);
}

/** What is wrong with an addon of which `objdump -p` prints `headers`. */
export function win32BinaryProblems(headers: string, binary: Uint8Array): string[] {
  const problems: string[] = [];
  if (!/file format pei-x86-64$/m.test(headers)) problems.push('is no library for x64 Windows');
  if (!/^\t\[ *\d+\] (?:\+base\[ *\d+\] +(?:[0-9a-f]+ )?)?napi_register_module_v1$/m.test(headers)) {
    problems.push('does not export napi_register_module_v1: is it an addon at all?');
  }
  for (const library of imported(headers)) {
    const name = library.toLowerCase();
    if (name === 'node.exe')
      problems.push('imports node.exe at once, and so does not load where that has another name');
    else if (!SYSTEM.has(name) && !SYSTEM_C.test(name))
      problems.push(`imports ${library}, which is no part of Windows`);
  }
  if (!Buffer.from(binary.buffer, binary.byteOffset, binary.length).includes('node.exe\0')) {
    problems.push('never asks for node.exe');
  }
  if (binary.length > MAX_BYTES) problems.push(`has ${binary.length} bytes, more than ${MAX_BYTES}`);
  return problems;
}

function imported(headers: string): string[] {
  return [...headers.matchAll(/^\tDLL Name: (\S+)$/gm)].map(([, library]) => library as string);
}
