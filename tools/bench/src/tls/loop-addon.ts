import { existsSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { build, buildFolder, nativeSource } from '../native-program.js';

/** Compiles `native/tls-loop.cc` with the headers that came with this Node; the reason why not. */
export function buildLoopAddon(): string | null {
  const headers = join(dirname(process.execPath), '../include/node');
  if (!existsSync(join(headers, 'openssl/ssl.h'))) return `no headers of Node in ${headers}`;
  const words = ['-std=c++20', '-O2', '-Wall', '-Wextra', '-shared', '-fPIC', '-DOPENSSL_API_COMPAT=30000'];
  return build('g++', [
    ...words,
    `-I${headers}`,
    '-o',
    join(buildFolder, 'tls-loop.node'),
    nativeSource('tls-loop.cc'),
  ]);
}
