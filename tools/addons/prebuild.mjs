// @ts-check
// prebuild.mjs PACKAGE [x64|arm64]: the binary that goes into the tarball, in `prebuilds/`, with Debian's cross compiler
// for another processor. Built in a folder of its own, so that the addon of the checkout stays as it is.
import { cpSync, existsSync, mkdirSync, rmSync } from 'node:fs';
import { createRequire } from 'node:module';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { localHeaders } from 'bufferevent-addon';
import { isFresh, markFresh } from './freshness.mjs';
import { PackageFolder } from './package-folder.mjs';

/** Without types of its own. */
const prebuildify = createRequire(import.meta.url)('prebuildify');
const of = new PackageFolder(process.argv[2]);
const arch = process.argv[3] ?? process.arch;
/** @type {Record<string, string>} */
const crossPrefixes = { x64: 'x86_64-linux-gnu-', arm64: 'aarch64-linux-gnu-' };
const prefix = arch === process.arch ? '' : crossPrefixes[arch];
if (prefix === undefined) throw new RangeError(`${arch} is none of ${Object.keys(crossPrefixes).join(', ')}`);

const binary = of.path(`prebuilds/linux-${arch}/${of.name}.glibc.node`);
const stamp = `linux-${arch}`;
if (!existsSync(binary) || !isFresh(of, stamp)) {
  const workFolder = of.path(`build/${stamp}`);
  rmSync(workFolder, { recursive: true, force: true });
  mkdirSync(workFolder, { recursive: true });
  for (const name of ['binding.gyp', 'native', 'package.json']) {
    cpSync(of.path(name), join(workFolder, name), { recursive: true });
  }
  Object.assign(process.env, { CC: `${prefix}gcc`, CXX: `${prefix}g++` });
  for (const word of localHeaders()) process.env['npm_config_nodedir'] = word.replace('--nodedir=', '');
  await promisify(prebuildify)({
    cwd: workFolder,
    out: of.folder,
    arch,
    platform: 'linux',
    targets: [process.versions.node],
    napi: true,
    strip: true,
    stripBin: `${prefix}strip`,
    libc: 'glibc',
    tagLibc: true,
    quiet: process.env['CI'] === undefined,
  });
  markFresh(of, stamp);
}
