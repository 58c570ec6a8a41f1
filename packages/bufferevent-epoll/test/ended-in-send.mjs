// Ends workers in the middle of a send: `node ended-in-send.mjs`. Each worker stops for ever at one look at a segment, the next
// one at a later look, until there is none. Ends with 0 when this process outlives all of them.
import { once } from 'node:events';
import { isMainThread, parentPort, Worker, workerData } from 'node:worker_threads';
import { Operation } from 'bufferevent-backend';
import { epollBackend } from 'bufferevent-epoll';

async function endWorkerAtLook(lookToStopAt) {
  const worker = new Worker(new URL(import.meta.url), { workerData: lookToStopAt });
  const [said] = await once(worker, 'message');
  await worker.terminate();
  return said;
}

/** The worker: sends in the sink, so that the native half reads the ring when JavaScript has been unwound. */
function sendAndStop(lookToStopAt) {
  const memory = new Uint8Array(4 << 20);
  const far = { memory, start: 3_000_000, end: 3_000_001 };
  let looks = 0;
  const stopping = {
    memory,
    end: 1,
    get start() {
      if (looks++ < lookToStopAt) return 0;
      parentPort.postMessage('stopped');
      for (;;);
    },
  };
  let sends = 0;
  const port = epollBackend.createPort((batch) => {
    for (let index = 0; index < batch.length; index++) {
      const operation = batch.operation(index);
      if (batch.handle(index) !== client || (operation !== Operation.connect && operation !== Operation.send)) continue;
      sends++;
      // Leaves words in the ring that are neither verbs nor slots where the next one but one begins.
      if (sends === 1) port.send(client, new Array(8).fill(far));
      else if (sends === 2) {
        port.recv(client, 10);
        port.send(client, [stopping, far, far]);
      } else parentPort.postMessage('sent');
    }
  });
  // Memory has the next free id: that of what is sent is to be no verb that looks at nothing, as cancelling nothing does.
  port.registerMemory(new ArrayBuffer(8));
  const listener = port.listen({ ip: '127.0.0.1', port: 0 });
  port.accept(listener, 1);
  const client = port.connect(port.address(listener).local);
}

if (!isMainThread) sendAndStop(workerData);
else {
  let look = 0;
  while ((await endWorkerAtLook(look)) === 'stopped') look++;
  if (look === 0) throw new Error('nobody has looked at a segment');
}
