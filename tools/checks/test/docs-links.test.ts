import { expect, it } from 'vitest';
import { linkedFiles } from '../src/docs-links.js';

it('finds links and images to files, and leaves out code, anchors and other sites', () => {
  const markdown = [
    '[a](a.md) and ![chart](b/c.svg), [part](d.md#part), [here](#here), [site](https://example.org/x.md)',
    '`[code](no.md)`',
    '```ts',
    'const x = list[0](no.md);',
    '```',
  ];
  expect(linkedFiles(markdown.join('\n'))).toEqual(['a.md', 'b/c.svg', 'd.md']);
});
