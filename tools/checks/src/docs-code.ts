// Type-checks and runs the ```ts blocks of the documentation. A block tagged `ts no-run` is only type-checked.
import { mkdirSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { basename, join, relative } from 'node:path';
import { filesUnder, run } from './workspace.js';

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

/** Documents whose blocks are checked. */
function documents(root: string): string[] {
  const readmes = readdirSync(join(root, 'packages')).flatMap((name) =>
    filesUnder(join(root, 'packages', name), 'README.md').filter((path) => !path.includes('node_modules')),
  );
  return [join(root, 'README.md'), ...readmes, ...filesUnder(join(root, 'docs'), '.md')];
}

export async function checkDocsCode(root: string): Promise<void> {
  // Inside this package, because it has every package of the workspace among its dependencies.
  const folder = join(root, 'tools/checks/.docs-code');
  rmSync(folder, { recursive: true, force: true });
  mkdirSync(folder, { recursive: true });

  const scripts: string[] = [];
  let count = 0;
  for (const document of documents(root)) {
    for (const { line, code, runs } of codeBlocks(readFileSync(document, 'utf8'))) {
      const title = relative(root, document).replaceAll('/', '.');
      const file = join(folder, `${title}-${line}.ts`);
      // Empty lines first, so that a message about line 42 means line 42 of the document. `export {}`: a module of its own.
      writeFileSync(file, `${'\n'.repeat(line - 1)}${code}export {};\n`);
      count += 1;
      if (runs) scripts.push(file);
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
  for (const script of scripts) {
    console.log(`running ${basename(script)}`);
    await run('tsx', [script], { NODE_OPTIONS: '' });
  }
  rmSync(folder, { recursive: true });
  console.log(`${count} code blocks hold, ${scripts.length} of them were run`);
}
