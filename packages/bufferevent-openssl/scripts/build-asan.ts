// Builds the addon with AddressSanitizer and UndefinedBehaviorSanitizer, from the sources and flags of binding.gyp, and
// says where it is. Every report ends the process that made it.
import { execFileSync } from 'node:child_process';
import { existsSync, mkdirSync, readFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';

interface Target {
  readonly sources: readonly string[];
  readonly defines: readonly string[];
  readonly cflags_cc: readonly string[];
}

const folder = fileURLToPath(new URL('..', import.meta.url));
const sanitizers = ['-fsanitize=address,undefined', '-fno-sanitize-recover=all', '-fno-omit-frame-pointer', '-g'];

/** Beside the executable, or where Debian has them. */
function nodeHeaders(): string {
  const candidates = [join(dirname(process.execPath), '../include/node'), '/usr/include/node'];
  const found = candidates.find((path) => existsSync(join(path, 'node_api.h')));
  if (found === undefined) throw new Error(`node_api.h is in none of ${candidates.join(', ')}`);
  return found;
}

/** What a process has to load first. */
export function sanitizerLibraries(): string[] {
  return ['libasan.so', 'libubsan.so'].map((name) =>
    execFileSync('gcc', [`-print-file-name=${name}`], { encoding: 'utf8' }).trim(),
  );
}

/** Returns the path of the addon. */
export function buildAsanAddon(): string {
  const gyp = JSON.parse(readFileSync(join(folder, 'binding.gyp'), 'utf8')) as { targets: readonly [Target] };
  const { sources, defines, cflags_cc } = gyp.targets[0];
  
  const addon = join(folder, 'build/asan/bufferevent_openssl.node');
  mkdirSync(dirname(addon), { recursive: true });
  const words = [
    ...['-shared', '-fPIC', ...cflags_cc, ...sanitizers, '-O1'],
    ...[...defines, 'NODE_GYP_MODULE_NAME=bufferevent_openssl'].map((define) => `-D${define}`),
    ...[nodeHeaders()].flatMap((path) => ['-I', path]),
    ...[...sources, '-o', addon],
  ];
  execFileSync('g++', words, { cwd: folder, stdio: 'inherit' });
  return addon;
}
