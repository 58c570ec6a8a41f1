// The binaries in the tarballs load on old systems: what they need of others is what `objdump -p` lists.
import { spawnSync } from 'node:child_process';
import { existsSync, readdirSync, readFileSync, statSync } from 'node:fs';
import { join } from 'node:path';

/** What RHEL 8, Debian 10 and Node 20's own binaries ask for. */
const NEWEST_GLIBC = { major: 2, minor: 28 };
const MAX_BYTES = 300 * 1024;

/** Packages that carry an addon for a system, as their manifests say it. */
export function packagesWithAddon(root: string, system: 'linux' | 'win32'): string[] {
  const folder = join(root, 'packages');
  return readdirSync(folder).filter((name) => {
    const manifest = join(folder, name, 'package.json');
    if (!existsSync(manifest)) return false;
    const { addonSystems = [] } = JSON.parse(readFileSync(manifest, 'utf8')) as { addonSystems?: string[] };
    return addonSystems.includes(system);
  });
}

export function checkAddonBinary(root: string, name: string, arch: string, objdump: string): void {
  const file = `packages/${name}/prebuilds/linux-${arch}/${name}.glibc.node`;
  const { status, stdout, stderr } = spawnSync(objdump, ['-p', join(root, file)], { encoding: 'utf8' });
  if (status !== 0) throw new Error(`${objdump} -p ${file}: ${stderr}`);
  const { size } = statSync(join(root, file));
  const problems = binaryProblems(stdout, size);
  if (problems.length > 0) throw new Error(`${file}\n  ${problems.join('\n  ')}`);
  console.log(`${file}: ${size} bytes, loads with glibc ${NEWEST_GLIBC.major}.${NEWEST_GLIBC.minor}`);
}

/** What is wrong with a stripped addon of that size of which `objdump -p` prints `headers`. */
export function binaryProblems(headers: string, size: number): string[] {
  const problems: string[] = [];
  const versions = new Set(
    [...headers.matchAll(/\bGLIBC_(\d+)\.(\d+)/g)].map(([, major, minor]) => `${major}.${minor}`),
  );
  if (versions.size === 0) problems.push('names no version of glibc: is it an addon at all?');
  for (const version of versions) {
    const [major, minor] = version.split('.').map(Number) as [number, number];
    if (major > NEWEST_GLIBC.major || (major === NEWEST_GLIBC.major && minor > NEWEST_GLIBC.minor)) {
      problems.push(`needs glibc ${version}; native/runtime.cc says how that is avoided`);
    }
  }
  for (const [, library] of headers.matchAll(/\bNEEDED\s+(lib(?:stdc\+\+|gcc_s)\S*)/g)) {
    problems.push(`is linked with ${library}, which the system need not have`);
  }
  if (size > MAX_BYTES) problems.push(`has ${size} bytes, more than ${MAX_BYTES}`);
  return problems;
}
