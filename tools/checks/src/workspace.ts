import { readdirSync } from 'node:fs';
import { join } from 'node:path';

export { build, ensureBuilt, packageFolders, root, run } from '../../run/workspace.mjs';

/** Files under a folder, deepest included, in a stable order. Nothing when the folder does not exist. */
export function filesUnder(folder: string, extension: string): string[] {
  try {
    return readdirSync(folder, { withFileTypes: true, recursive: true })
      .filter((entry) => entry.isFile() && entry.name.endsWith(extension))
      .map((entry) => join(entry.parentPath, entry.name))
      .sort();
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return [];
    throw error;
  }
}
