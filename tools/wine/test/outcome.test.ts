import { expect, it } from 'vitest';
import { failuresIn, faultOf, passedIn } from '../src/outcome.js';

const summary = '✔ is fine (1 ms)\nℹ tests 3\nℹ pass 3\nℹ fail 0\n';

it('a run is fine when it says so at its end', () => {
  expect(faultOf(0, summary)).toBeNull();
  expect(passedIn(summary)).toBe(3);
});

it('a run that ends in the middle is not, whatever its exit code', () => {
  expect(faultOf(0, '✔ is fine (1 ms)\n')).toBe('ended before it was done');
  expect(faultOf(0, '')).toBe('ended before it was done');
});

it('a run without tests is not', () => {
  expect(faultOf(0, 'ℹ tests 0\nℹ pass 0\nℹ fail 0\n')).toBe('has no tests');
});

it('a run that fails or takes too long is not', () => {
  expect(faultOf(1, summary)).toBe('failed with 1');
  expect(faultOf(null, summary)).toBe('was ended, after more time than it has');
});

it('what failed is named, with its message but not its stack', () => {
  const output = `✖ ends (8 ms)\n  noise\n${summary}\n✖ failing tests:\n\ntest at a.js:1:9\n✖ ends (8 ms)\n  Error: no end\n      at a.js:1:9\n`;
  expect(failuresIn(output)).toBe('test at a.js:1:9\n✖ ends (8 ms)\n  Error: no end');
  expect(failuresIn(summary)).toBe('');
});
