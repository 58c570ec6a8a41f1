// @ts-check
// npm start [-- words]: the echo server, installed and built first where needed.
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';
import { ensureBuilt, root } from './workspace.mjs';

const words = process.argv.slice(2);

try {
  await ensureBuilt();
} catch (error) {
  console.error(`npm start: ${error instanceof Error ? error.message : error}`);
  process.exit(1);
}

// The server runs in this process, so that signals and the exit code need nobody to pass them on.
dropRepeatedInterrupts();
const main = join(root, 'apps/echo/dist/main.js');
process.argv = [
  process.execPath,
  main,
  ...(words.length > 0 ? words : ['serve', '--host', '127.0.0.1', '--port', '7007']),
];
await import(pathToFileURL(main).href);

/**
 * Ctrl-C reaches this process twice, from the terminal and again from npm, which passes it on; the server would take
 * the second for impatience and skip draining. Two that come within 100 ms are one.
 */
function dropRepeatedInterrupts() {
  const emit = process.emit;
  let last = Number.NEGATIVE_INFINITY;
  /** @type {(event: string, ...values: unknown[]) => boolean} */
  const filtered = (event, ...values) => {
    if (event === 'SIGINT') {
      const sinceLast = performance.now() - last;
      last = performance.now();
      if (sinceLast < 100) return true;
    }
    return Reflect.apply(emit, process, [event, ...values]);
  };
  process.emit = /** @type {typeof process.emit} */ (filtered);
}
