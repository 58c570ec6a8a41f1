import { expect, it } from 'vitest';
import { codeBlocks, unforetold } from '../src/docs-code.js';

it('takes the ts blocks of a document, with the line of their first line of code', () => {
  const markdown = ['# Title', '```ts', 'one();', '', 'two();', '```', '```sh', 'npm start', '```', '```ts no-run'];
  markdown.push('three();', '```', '```tsx', 'four();', '```');
  expect(codeBlocks(markdown.join('\n'))).toEqual([
    { line: 3, code: 'one();\n\ntwo();\n', runs: true },
    { line: 11, code: 'three();\n', runs: false },
  ]);
});

it('wants every printed line in a comment, in order, and lets other comments be', () => {
  const code = "console.log(1); // 1: one\n// why\nconsole.log('a//b'); // a//b\nf(); // 1";
  expect(unforetold(code, '1\na//b\n1\n')).toBeNull();
  expect(unforetold(code, '1\n1\n')).toBeNull();
  expect(unforetold(code, '1\n2\n')).toBe('2');
  expect(unforetold(code, 'a//b\n1\n1\n')).toBe('1');
  expect(unforetold(code, '')).toBeNull();
  expect(unforetold('console.log(1);', '1\n')).toBeNull();
});
