// pnpm --filter checks ring-header [--write]: compares the header of native backends with its source, or makes it anew.
import { parseArgs } from 'node:util';
import { ensureBuilt, root } from './workspace.js';

const { values } = parseArgs({ options: { write: { type: 'boolean', default: false } } });

await ensureBuilt();
const { checkRingHeader, writeRingHeader } = await import('./ring-header.js');
if (values.write) writeRingHeader(root);
else checkRingHeader(root);
