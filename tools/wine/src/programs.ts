// Where Wine is: Debian's package `wine64` puts its programs beside the search path.
import { accessSync, constants } from 'node:fs';
import { delimiter, join } from 'node:path';

const DEBIAN_FOLDER = '/usr/lib/wine';

export const wine: string = find('wine64');
export const wineServer: string = find('wineserver');
/** Builds the addons. */
const compiler = find('x86_64-w64-mingw32-g++-posix');

/** All that is needed, with the paths of those that were found. */
export const neededPrograms: readonly string[] = [wine, wineServer, compiler];

export const missingPrograms: readonly string[] = neededPrograms.filter((program) => !program.includes('/'));

/** The path of a program, or its name where there is none. */
function find(name: string): string {
  const folders = [...(process.env['PATH'] ?? '').split(delimiter), DEBIAN_FOLDER].filter((folder) => folder !== '');
  return folders.map((folder) => join(folder, name)).find(isExecutable) ?? name;
}

function isExecutable(path: string): boolean {
  try {
    accessSync(path, constants.X_OK);
    return true;
  } catch {
    return false;
  }
}
