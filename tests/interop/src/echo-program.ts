import { createRequire } from 'node:module';
import { dirname, join } from 'node:path';

/** The echo server and client of the workspace, for `node`. */
export const echoProgram: string = join(
  dirname(createRequire(import.meta.url).resolve('echo/package.json')),
  'dist/main.js',
);
