// @ts-check
// npm test, npm run lint, …: installs where needed, then runs the named stages (all without a name).
import { ensureInstalled, pnpm } from './workspace.mjs';

try {
  await ensureInstalled();
} catch (error) {
  console.error(`installation failed: ${error instanceof Error ? error.message : error}`);
  process.exit(1);
}

// The stages speak for themselves; their last line stays the last line.
await pnpm('exec', 'tsx', 'tools/checks/src/pipeline.ts', ...process.argv.slice(2)).catch(() => process.exit(1));
