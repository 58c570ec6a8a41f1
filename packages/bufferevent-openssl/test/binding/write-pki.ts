// write-pki.ts FILE: certificates for run.mjs.
import { writeFileSync } from 'node:fs';
import { makePki } from './pki.js';

writeFileSync(process.argv[2] as string, JSON.stringify(await makePki()), { mode: 0o600 });
