// Type-checks and runs the ```ts blocks of the documentation, and compares what they print with their comments. A block
// tagged `ts no-run` is only type-checked.
import { execFile } from 'node:child_process';
import { mkdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { availableParallelism } from 'node:os';
import { join, relative } from 'node:path';
import { promisify } from 'node:util';
import { documents } from './documents.js';
import { run } from './workspace.js';

const execute = promisify(execFile);

export interface CodeBlock {
  /** Number of the first line of code in the document, counted from 1. */
  readonly line: number;
  readonly code: string;
  readonly runs: boolean;
}

/** The ```ts blocks of a Markdown text. */
export function codeBlocks(markdown: string): CodeBlock[] {
  return [...markdown.matchAll(/^```ts(?!\S)([^\n]*)\n(.*?)^```$/gms)].map(({ index, 1: tags = '', 2: code = '' }) => ({
    line: markdown.slice(0, index).split('\n').length + 1,
    code,
    runs: !tags.split(/\s+/).includes('no-run'),
  }));
}

/**
 * The first line of a block's output that no comment foretells, or null. Comments that begin with what is printed come in
 * the order of the output; other comments may stand between them. A block without any comment foretells nothing.
 */
export function unforetold(code: string, output: string): string | null {
  const comments = [...code.matchAll(/(?:^|\s)\/\/ +(.*)$/gm)].map(([, text = '']) => text);
  if (comments.length === 0) return null;
  let at = 0;
  for (const line of output.split('\n').map((text) => text.trim())) {
    if (line === '') continue;
    while (at < comments.length && !comments[at]!.startsWith(line)) at++;
    if (at === comments.length) return line;
    at++;
  }
  return null;
}

export async function checkDocsCode(root: string): Promise<void> {
  // Inside this package, because it has every package of the workspace among its dependencies.
  const folder = join(root, 'tools/checks/.docs-code');
  rmSync(folder, { recursive: true, force: true });
  mkdirSync(folder, { recursive: true });

  const scripts: { readonly place: string; readonly file: string; readonly code: string }[] = [];
  let count = 0;
  for (const document of documents(root)) {
    for (const { line, code, runs } of codeBlocks(readFileSync(document, 'utf8'))) {
      const title = relative(root, document).replaceAll('/', '.');
      const file = join(folder, `${title}-${line}.ts`);
      // Empty lines first, so that a message about line 42 means line 42 of the document. `export {}`: a module of its own.
      writeFileSync(file, `${'\n'.repeat(line - 1)}${code}export {};\n`);
      count += 1;
      if (runs) scripts.push({ place: `${relative(root, document)}:${line}`, file, code });
    }
  }
  if (count === 0) return;

  const config = {
    extends: relative(folder, join(root, 'tsconfig.base.json')),
    compilerOptions: {
      ...{ composite: false, declaration: false, declarationMap: false, isolatedDeclarations: false, noEmit: true },
      ...{ noUnusedLocals: false, types: ['node'] },
    },
    include: ['*.ts'],
  };
  writeFileSync(join(folder, 'tsconfig.json'), JSON.stringify(config));
  await run('tsc', ['-p', folder]);
  // An addon that could not be built here is no fault of the documentation.
  const { unavailabilityReason } = await import('bufferevent-openssl');
  const withoutTls = unavailabilityReason();
  let skipped = 0;
  const queue = scripts.values();
  async function runScripts(): Promise<void> {
    for (const { place, file, code } of queue) {
      if (withoutTls !== null && code.includes("from 'bufferevent-openssl'")) {
        if (process.env['REQUIRE_TOOLS'] === '1') throw new Error(`${place} needs TLS: ${withoutTls}`);
        skipped += 1;
        continue;
      }
      console.log(`running ${place}`);
      const { stdout } = await execute('tsx', [file], { cwd: root, env: { ...process.env, NODE_OPTIONS: '' } });
      const wrong = unforetold(code, stdout);
      if (wrong !== null) throw new Error(`${place} prints "${wrong}", which no comment there says (in this order)`);
    }
  }
  await Promise.all(Array.from({ length: availableParallelism() }, runScripts));
  rmSync(folder, { recursive: true });
  if (skipped > 0) console.log(`skipped: ${skipped} blocks that need TLS: ${withoutTls}`);
  console.log(`${count} code blocks hold, ${scripts.length - skipped} of them were run`);
}
