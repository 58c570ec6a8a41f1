import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { packageFolders, root } from '../../run/workspace.mjs';

export interface Manifest {
  readonly name: string;
  readonly version: string;
  readonly private?: boolean;
  /** Where its addon is built. */
  readonly addonSystems?: readonly string[];
  readonly dependencies?: Readonly<Record<string, string>>;
  readonly optionalDependencies?: Readonly<Record<string, string>>;
  readonly devDependencies?: Readonly<Record<string, string>>;
}

export function readManifest(folder: string): Manifest {
  return JSON.parse(readFileSync(join(folder, 'package.json'), 'utf8')) as Manifest;
}

/** The folders of the workspace's packages by their names. */
export const workspacePackages: ReadonlyMap<string, string> = new Map(
  packageFolders().map((relative) => {
    const folder = join(root, relative);
    return [readManifest(folder).name, folder];
  }),
);
