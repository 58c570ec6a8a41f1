import { expect, it } from 'vitest';
import { codeBlocks } from '../src/docs-code.js';

it('takes the ts blocks of a document, with the line of their first line of code', () => {
  const markdown = ['# Title', '```ts', 'one();', '', 'two();', '```', '```sh', 'npm start', '```', '```ts no-run'];
  markdown.push('three();', '```', '```tsx', 'four();', '```');
  expect(codeBlocks(markdown.join('\n'))).toEqual([
    { line: 3, code: 'one();\n\ntwo();\n', runs: true },
    { line: 11, code: 'three();\n', runs: false },
  ]);
});
