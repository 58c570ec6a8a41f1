// docs/error-codes.md lists exactly the codes that the packages throw.
import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { filesUnder } from './workspace.js';

const codesDoc = 'docs/error-codes.md';

export function errorCodesIn(text: string): Set<string> {
  return new Set(text.match(/\bERR_(?:EVBUFFER|BUFFEREVENT|BACKEND|OPENSSL)_[A-Z0-9_]*[A-Z0-9]\b/g));
}

export function checkErrorCodes(root: string): void {
  const folders = readdirSync(join(root, 'packages')).map((name) => join(root, 'packages', name, 'src'));
  const sources = folders.flatMap((folder) => filesUnder(folder, '.ts')).map((file) => readFileSync(file, 'utf8'));
  const thrown = errorCodesIn(sources.join('\n'));
  const documented = errorCodesIn(readFileSync(join(root, codesDoc), 'utf8'));
  const problems = [
    ...[...thrown].filter((code) => !documented.has(code)).map((code) => `${code} is missing in ${codesDoc}`),
    ...[...documented].filter((code) => !thrown.has(code)).map((code) => `${code} in ${codesDoc} is thrown nowhere`),
  ];
  if (problems.length > 0) throw new Error(`\n  ${problems.sort().join('\n  ')}`);
  console.log(`${thrown.size} error codes are documented`);
}
