import { execFileSync } from 'node:child_process';
import { mkdirSync } from 'node:fs';
import { fileURLToPath } from 'node:url';

/** Where programs and files of the benches are made. Ignored by git. */
export const buildFolder: string = fileURLToPath(new URL('../build/', import.meta.url));

export function nativeSource(name: string): string {
  return fileURLToPath(new URL(`../native/${name}`, import.meta.url));
}

/** Compiles `native/NAME.c`; the reason why not, where there is no compiler or a library is missing. */
export function compileC(name: string, libraries: readonly string[] = []): string | null {
  const words = ['-std=c11', '-D_POSIX_C_SOURCE=200809L', '-O2', '-Wall', '-Wextra'];
  return build('gcc', [
    ...words,
    '-o',
    `${buildFolder}${name}`,
    nativeSource(`${name}.c`),
    ...libraries.map((library) => `-l${library}`),
  ]);
}

/** Runs a compiler; the reason why it fails. */
export function build(compiler: string, words: readonly string[]): string | null {
  mkdirSync(buildFolder, { recursive: true });
  try {
    execFileSync(compiler, words, { stdio: ['ignore', 'ignore', 'pipe'] });
    return null;
  } catch (error) {
    return error instanceof Error ? error.message : String(error);
  }
}
