// @ts-check
// Ten thousand connections that do nothing, held by one of two: `idle.mjs bare|bufferevent memory|net`. Wants --expose-gc.
// `bare` is the port of the backend alone, with a receive in flight for every connection, as a bufferevent would have.
// Told by messages: `{ open }` connects so many (memory only; sockets are connected from another process), `{ until }`
// answers `{ heapUsed }` when so many stand, `{ idleMs }` answers `{ cpuMicroseconds }` after that time.
import { EventBase, listen } from 'bufferevent';
import { Operation } from 'bufferevent-backend';
import { createMemoryBackend } from 'bufferevent-backend/memory';
import { netBackend } from 'bufferevent-net';

const [holder = '', backendName = ''] = process.argv.slice(2);
const backend = backendName === 'memory' ? createMemoryBackend() : netBackend;
const address = { ip: '127.0.0.1', port: 0 };
const collectGarbage = /** @type {() => void} */ (globalThis.gc);

/** Time-outs that no run is long enough for. */
const timeouts = { connectMs: 600_000, readMs: 600_000, writeMs: 600_000, idleMs: 600_000, closeMs: 600_000 };

let count = 0;
/** @type {unknown[]} */
const kept = [];

/** @type {Record<string, () => Promise<number>>} Each answers with the port that it listens on. */
const holders = {
  async bufferevent() {
    const listener = await listen(
      address,
      {
        onConnection(bev) {
          bev.setTimeouts(timeouts);
          count += 1;
        },
        onRead() {},
        onWrite() {},
        onEvent() {},
      },
      { base: new EventBase({ backend }), backlog: 1024 },
    );
    kept.push(listener);
    return portOf(listener.address);
  },
  bare() {
    return new Promise((resolve) => {
      const port = backend.createPort((batch) => {
        for (let index = 0; index < batch.length; index++) {
          if (batch.operation(index) === Operation.listen) {
            port.accept(batch.handle(index), Number.MAX_SAFE_INTEGER);
            resolve(portOf(port.address(batch.handle(index)).local));
          } else if (batch.operation(index) === Operation.accept) {
            port.recv(batch.result(index), 262_144);
            count += 1;
          }
        }
      });
      port.listen(address, { backlog: 1024 });
      kept.push(port);
    });
  },
};

/** @param {import('bufferevent').Address | null} bound */
function portOf(bound) {
  if (bound === null || !('ip' in bound)) throw new Error('no address');
  return bound.port;
}

function turn() {
  return new Promise((resolve) => setImmediate(resolve));
}

async function heapUsed() {
  for (let times = 0; times < 5; times++) {
    await turn();
    collectGarbage();
  }
  return process.memoryUsage().heapUsed;
}

const start = holders[holder];
if (start === undefined) throw new Error(`nothing called "${holder}" holds connections`);
const listening = await start();

const clients = backend === netBackend ? null : backend.createPort(() => {});
process.on('message', async (/** @type {{ open?: number, until?: number, idleMs?: number }} */ message) => {
  if (message.open !== undefined) {
    for (let left = message.open; left > 0; left--) {
      clients?.connect({ ip: '127.0.0.1', port: listening });
      if (left % 100 === 0) await turn();
    }
  } else if (message.until !== undefined) {
    while (count < message.until) await new Promise((resolve) => setTimeout(resolve, 10));
    process.send?.({ heapUsed: await heapUsed() });
  } else {
    const before = process.cpuUsage();
    await new Promise((resolve) => setTimeout(resolve, message.idleMs));
    const { user, system } = process.cpuUsage(before);
    process.send?.({ cpuMicroseconds: user + system });
  }
});
process.send?.({ listening });
process.once('disconnect', () => process.exit());
