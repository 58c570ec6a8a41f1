// @ts-check
// A hundred thousand connections with a time-out each, held by one of two: `timers.mjs bufferevent|node COUNT ROUNDS`.
// Sends `{ armNs, progressNs }`: CPU time for arming one time-out, and for one progress that moves it, with all that the
// queues behind them do meanwhile. Nothing ever fires. Wants --expose-gc.
import { Socket } from 'node:net';
import { EventBase, listen } from 'bufferevent';
import { createMemoryBackend } from 'bufferevent-backend/memory';

const [holder = '', countWord = '', roundsWord = ''] = process.argv.slice(2);
const count = Number(countWord);
const rounds = Number(roundsWord);
/** Passes during a run, so that what comes due in vain and is queued again is counted, too. */
const timeoutMs = 2_000;
/** Connections that make progress in one turn of the loop. */
const PER_TURN = 64;
const collectGarbage = /** @type {() => void} */ (globalThis.gc);

function turn() {
  return new Promise((resolve) => setImmediate(resolve));
}

function cpuNs() {
  const { user, system } = process.cpuUsage();
  return (user + system) * 1000;
}

/**
 * @typedef {object} Holder
 * @property {(index: number) => void} arm
 * @property {(from: number, to: number) => void} progress
 */

/** @type {Record<string, () => Promise<Holder>>} */
const holders = {
  /** What Node's own `net` does: `socket.setTimeout`, moved by each activity. */
  async node() {
    const sockets = Array.from({ length: count }, () => new Socket());
    return {
      arm(index) {
        sockets[index]?.setTimeout(timeoutMs);
      },
      progress(from, to) {
        for (let index = from; index < to; index++) {
          // What `net` itself calls when bytes have moved.
          /** @type {any} */ (sockets[index])._unrefTimer();
        }
      },
    };
  },
  async bufferevent() {
    const backend = createMemoryBackend();
    const base = new EventBase({ backend });
    /** @type {any[]} The members that are used below are not public. */
    const bevs = [];
    const turnsOf = /** @type {any} */ (base);
    const handlers = { onConnection: (/** @type {unknown} */ bev) => void bevs.push(bev), onRead() {} };
    // A path, because an address has no more than 65,535 ports.
    const address = { path: '/timers' };
    await listen(address, handlers, { base, backlog: 1024 });
    const clients = backend.createPort(() => {});
    for (let opened = 0; opened < count; opened++) {
      clients.connect(address);
      if (opened % 256 === 0) await turn();
    }
    while (bevs.length < count) await turn();
    return {
      arm(index) {
        bevs[index].setTimeouts({ readMs: timeoutMs });
      },
      progress(from, to) {
        turnsOf.inTurn(() => {
          for (let index = from; index < to; index++) bevs[index].timeouts.progress('read');
        });
      },
    };
  },
};

const start = holders[holder];
if (start === undefined) throw new Error(`nothing called "${holder}" has time-outs`);
const { arm, progress } = await start();
collectGarbage();
await turn();

const before = cpuNs();
for (let index = 0; index < count; index++) {
  arm(index);
  if (index % PER_TURN === 0) await turn();
}
await turn();
const armed = cpuNs();
for (let round = 0; round < rounds; round++) {
  for (let from = 0; from < count; from += PER_TURN) progress(from, Math.min(from + PER_TURN, count));
  await turn();
}
const over = cpuNs();
process.send?.({ armNs: (armed - before) / count, progressNs: (over - armed) / count / rounds }, () => process.exit());
