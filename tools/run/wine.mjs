// @ts-check
// npm run test:wine [-- words]: installs, builds, and runs tests with Node for Windows; tools/wine/src/main.ts knows the words.
import { ensureBuilt, pnpm } from './workspace.mjs';

try {
  await ensureBuilt();
} catch (error) {
  console.error(`npm run test:wine: ${error instanceof Error ? error.message : error}`);
  process.exit(1);
}

await pnpm('exec', 'tsx', 'tools/wine/src/main.ts', ...process.argv.slice(2)).catch(() => process.exit(1));
