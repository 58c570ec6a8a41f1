// What an addon for Windows is linked with in place of node.exe: a library made from that executable's own list of exports.
import { execFileSync } from 'node:child_process';
import { existsSync, mkdtempSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';

/** The folder of `libnode.a`, made once beside `nodeExe`. */
export function importLibrary(nodeExe: string, toolPrefix: string): string {
  const folder = join(dirname(nodeExe), 'import-library');
  if (existsSync(join(folder, 'libnode.a'))) return folder;
  const headers = execFileSync(`${toolPrefix}objdump`, ['-p', nodeExe], { encoding: 'utf8', maxBuffer: 2 ** 28 });
  const unfinished = mkdtempSync(`${folder}-`);
  writeFileSync(join(unfinished, 'node.def'), definitionOf(exportedNames(headers)));
  // Delayed: Node is looked for at the first call, by the hook beside this file.
  execFileSync(`${toolPrefix}dlltool`, ['-d', 'node.def', '-y', 'libnode.a'], { cwd: unfinished });
  try {
    renameSync(unfinished, folder);
  } catch (error) {
    rmSync(unfinished, { recursive: true });
    if (!existsSync(join(folder, 'libnode.a'))) throw error;
  }
  return folder;
}

/** The functions of C among the exports that `objdump -p` lists: those of C++ are for another compiler. */
export function exportedNames(headers: string): string[] {
  const table = /^\[Ordinal\/Name Pointer\] Table\n((?:\t.*\n)*)/m.exec(headers)?.[1] ?? '';
  const names = [...table.matchAll(/^\t\[ *\d+\] ([A-Za-z_]\w*)$/gm)].map(([, name]) => name as string);
  if (names.length === 0) throw new Error('the executable exports nothing');
  return names;
}

function definitionOf(names: readonly string[]): string {
  return ['LIBRARY node.exe', 'EXPORTS', ...names, ''].join('\n');
}
