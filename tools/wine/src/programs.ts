// Where Wine is: Debian's package `wine64` puts its programs beside the search path.
import { accessSync, constants } from 'node:fs';
import { delimiter, join } from 'node:path';

const DEBIAN_FOLDER = '/usr/lib/wine';

const found = { wine: programNamed('wine64'), server: programNamed('wineserver') };

/** What is not there, for a line that says so. Empty where Wine can be used. */
export const missingPrograms: readonly string[] = Object.values(found).flatMap(({ name, path }) =>
  path === null ? [name] : [],
);

export function winePath(): string {
  return demand(found.wine);
}

export function wineServerPath(): string {
  return demand(found.server);
}

interface Program {
  readonly name: string;
  readonly path: string | null;
}

function programNamed(name: string): Program {
  const folders = [...(process.env['PATH'] ?? '').split(delimiter), DEBIAN_FOLDER];
  return { name, path: folders.map((folder) => join(folder, name)).find(isExecutable) ?? null };
}

function demand({ name, path }: Program): string {
  if (path === null) throw new Error(`${name} was not found (Debian: apt-get install --no-install-recommends wine64)`);
  return path;
}

function isExecutable(path: string): boolean {
  try {
    accessSync(path, constants.X_OK);
    return true;
  } catch {
    return false;
  }
}
