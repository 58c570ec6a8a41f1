// @ts-check
// Installs and builds what is missing or out of date. Runs on a bare clone: plain JavaScript, Node builtins only.
import { spawn } from 'node:child_process';
import { createHash } from 'node:crypto';
import { existsSync, readdirSync, readFileSync, statSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';

export const root = fileURLToPath(new URL('../..', import.meta.url));

/**
 * What `node_modules` and every `dist/` were made from and what came out, as fingerprints. Contents are compared, not
 * times of modification: a `git checkout` moves those either way.
 * @typedef {{ installed?: string, built?: string }} Stamps
 */
const stampFile = join(root, 'node_modules', '.workspace-stamps.json');

/** @returns {Stamps} */
function readStamps() {
  try {
    return JSON.parse(readFileSync(stampFile, 'utf8'));
  } catch {
    return {};
  }
}

/** @param {Stamps} stamps */
function writeStamps(stamps) {
  writeFileSync(stampFile, JSON.stringify({ ...readStamps(), ...stamps }));
}

/** Folders of the workspace that hold a package, relative to the root. */
export function packageFolders() {
  return ['packages', 'apps', 'examples', 'tools', 'tests'].flatMap((parent) =>
    readdirSync(join(root, parent))
      .map((name) => join(parent, name))
      .filter((folder) => existsSync(join(root, folder, 'package.json'))),
  );
}

/**
 * Runs a program with our standard streams and waits for it; throws unless it ends with 0.
 * @param {string} command
 * @param {readonly string[]} words
 * @param {NodeJS.ProcessEnv} [env] variables beside our own
 * @returns {Promise<void>}
 */
export function run(command, words, env = {}) {
  return new Promise((resolve, reject) => {
    const child = spawn(command, words, {
      cwd: root,
      env: { ...process.env, TURBO_TELEMETRY_DISABLED: '1', ...env },
      stdio: 'inherit',
      shell: process.platform === 'win32',
    });
    child.once('error', reject);
    child.once('close', (code, signal) => {
      if (code === 0) resolve();
      else reject(new Error(`"${command} ${words.join(' ')}" ended with ${signal ?? `code ${code}`}`));
    });
  });
}

/**
 * Runs the pinned pnpm. Programs started by it find it, and everything installed at the root, on their PATH.
 * @param {...string} words
 */
export function pnpm(...words) {
  const { packageManager } = JSON.parse(readFileSync(join(root, 'package.json'), 'utf8'));
  return run('npx', ['-y', packageManager, ...words]);
}

export async function ensureInstalled() {
  if (readStamps().installed === installFingerprint()) return;
  await pnpm('install', '--frozen-lockfile', '--config.confirm-modules-purge=false');
  writeStamps({ installed: installFingerprint() });
}

/** Installs and builds when needed. */
export async function ensureBuilt() {
  await ensureInstalled();
  if (readStamps().built === sourceFingerprint() + distFingerprint()) return;
  await build();
}

/** Builds every package; turborepo skips those that did not change. */
export async function build() {
  const sources = sourceFingerprint(); // Before the build: a source edited meanwhile makes the stamp stale, as it should.
  await pnpm('exec', 'turbo', 'run', 'build', '--output-logs=errors-only');
  // Said again where an addon is missing, because turborepo keeps it to itself; and turborepo would take "nothing could be
  // built" out of its cache when there is a compiler at last.
  for (const folder of packageFolders()) {
    const script = join(folder, 'scripts/build-addon.mjs');
    if (existsSync(join(root, script))) await run(process.execPath, [script]);
  }
  writeStamps({ built: sources + distFingerprint() });
}

/** The wanted lock file, pnpm's record of what is installed, and a `node_modules` in every package. */
function installFingerprint() {
  const hash = createHash('sha256');
  hash.update(`${process.platform} ${process.arch}\n`);
  for (const file of ['pnpm-lock.yaml', 'pnpm-workspace.yaml', 'node_modules/.pnpm/lock.yaml']) addFile(hash, file);
  for (const folder of packageFolders()) hash.update(`${folder} ${existsSync(join(root, folder, 'node_modules'))}\n`);
  return hash.digest('hex');
}

/** Everything a build reads, by content. */
function sourceFingerprint() {
  const hash = createHash('sha256');
  for (const file of ['tsconfig.base.json', 'turbo.json', 'pnpm-lock.yaml']) addFile(hash, file);
  for (const folder of packageFolders()) {
    for (const file of ['package.json', 'tsconfig.json', 'binding.gyp']) addFile(hash, join(folder, file));
    for (const part of ['src', 'native', 'scripts']) {
      for (const file of filesUnder(join(folder, part))) addFile(hash, file);
    }
  }
  return hash.digest('hex');
}

/** Everything a build writes, by name, size and time: enough to see that somebody else wrote or removed it. */
function distFingerprint() {
  const hash = createHash('sha256');
  for (const folder of packageFolders()) {
    const addons = filesUnder(join(folder, 'build/Release')).filter((file) => file.endsWith('.node'));
    for (const file of [...filesUnder(join(folder, 'dist')), ...addons]) {
      const { size, mtimeMs } = statSync(join(root, file));
      hash.update(`${file} ${size} ${mtimeMs}\n`);
    }
  }
  return hash.digest('hex');
}

/**
 * @param {import('node:crypto').Hash} hash
 * @param {string} file relative to the root
 */
function addFile(hash, file) {
  const path = join(root, file);
  const content = existsSync(path) ? readFileSync(path) : null;
  hash.update(`${file} ${content?.length ?? 'absent'}\n`).update(content ?? '');
}

/**
 * All files under a folder, in a stable order, relative to the root.
 * @param {string} folder relative to the root
 * @returns {string[]}
 */
function filesUnder(folder) {
  if (!existsSync(join(root, folder))) return [];
  return readdirSync(join(root, folder), { withFileTypes: true, recursive: true })
    .filter((entry) => entry.isFile())
    .map((entry) => join(entry.parentPath, entry.name).slice(root.length))
    .sort();
}
