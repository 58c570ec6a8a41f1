import { execFileSync } from 'node:child_process';
import { writeFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';

export function docsFile(name: string): string {
  return fileURLToPath(new URL(`../../../docs/${name}`, import.meta.url));
}

/** Four digits are more than the rounds agree on. Formatted as everything else here is, or `npm run lint` would refuse it. */
export function writeJson(file: string, results: object): void {
  const rounded = JSON.stringify(results, (_, value: unknown) =>
    typeof value === 'number' && !Number.isInteger(value) ? Number(value.toPrecision(4)) : value,
  );
  writeFileSync(file, rounded);
  const biome = fileURLToPath(new URL('../../../node_modules/.bin/biome', import.meta.url));
  execFileSync(biome, ['format', '--write', file], { stdio: ['ignore', 'ignore', 'inherit'] });
}
