// @ts-check
// one-after-another.mjs COUNT: as many workers, each of which loads the addon, makes a connection, and ends. Says how many
// of them could; to a process that has forked this, too, for which it stays until it is told anything.
import { fileURLToPath } from 'node:url';
import { isMainThread, parentPort, Worker } from 'node:worker_threads';

if (isMainThread) {
  const count = Number(process.argv[2]);
  let made = 0;
  for (let round = 0; round < count; round++) {
    const worker = new Worker(fileURLToPath(import.meta.url));
    worker.on('message', (isMade) => {
      if (isMade) made++;
    });
    await new Promise((resolve) => worker.on('exit', resolve));
  }
  console.log(`${made} of ${count}`);
  process.on('message', () => process.disconnect());
  process.send?.(made);
} else {
  const { findBinding } = await import('../../dist/binding.js');
  const found = findBinding();
  if ('reason' in found) throw new Error(found.reason);
  const { binding } = found;
  binding.start(new Int32Array(8));
  parentPort?.postMessage(binding.sslNew(binding.contextNew(0x303, 0x304), true) !== 0);
}
