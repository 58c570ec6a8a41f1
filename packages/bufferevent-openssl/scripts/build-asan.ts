// Builds the addon with AddressSanitizer and UndefinedBehaviorSanitizer. Every report ends the process that made it.
import { execFileSync } from 'node:child_process';
import { join } from 'node:path';
import { compileAddon, folder, nodeHeaders } from './compile.js';

const sanitizers = ['-fsanitize=address,undefined', '-fno-sanitize-recover=all', '-fno-omit-frame-pointer', '-g'];

/** What a process has to load first. */
export function sanitizerLibraries(): string[] {
  return ['libasan.so', 'libubsan.so'].map((name) =>
    execFileSync('gcc', [`-print-file-name=${name}`], { encoding: 'utf8' }).trim(),
  );
}

/** Returns the path of the addon. */
export function buildAsanAddon(): string {
  const addon = join(folder, 'build/asan/bufferevent_openssl.node');
  compileAddon(addon, nodeHeaders(), [...sanitizers, '-O1']);
  return addon;
}
