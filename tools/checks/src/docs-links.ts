// Every relative link of the documentation must lead to a file.
import { existsSync, readFileSync } from 'node:fs';
import { dirname, join, relative } from 'node:path';
import { documents } from './documents.js';

/** Targets of the links and images of a Markdown text that are files, without their anchors; code is left out. */
export function linkedFiles(markdown: string): string[] {
  const text = markdown.replace(/^```.*?^```$/gms, '').replace(/`[^`\n]*`/g, '');
  return [...text.matchAll(/\]\(([^)\s#]+)(?:#[^)]*)?\)/g)]
    .map(([, target = '']) => target)
    .filter((target) => !/^[a-z]+:/.test(target));
}

export function checkDocsLinks(root: string): void {
  const broken = documents(root).flatMap((document) =>
    linkedFiles(readFileSync(document, 'utf8'))
      .filter((target) => !existsSync(join(dirname(document), target)))
      .map((target) => `${relative(root, document)}: ${target}`),
  );
  if (broken.length > 0) throw new Error(`links that lead nowhere:\n${broken.join('\n')}`);
}
