// @ts-check
// Ours: `ours.mjs BACKEND context|no-context echo|lines|sink`, `… source BYTES`, `… file PATH`. Plain JavaScript, as
// users get it. Told `count`, `start` and `stop` by messages, it answers with the counters of its port; the last one also with
// what was allocated since `start`.
import { EventBase, listen } from 'bufferevent';
import { epollBackend } from 'bufferevent-epoll';
import { netBackend } from 'bufferevent-net';
import { FileSegment } from 'evbuffer/file';
import { AllocationCount } from './allocation.mjs';
import { collectGarbageOnDemand } from './garbage-on-demand.mjs';

const [backendName = '', context = '', name = '', detail = ''] = process.argv.slice(2);

/** @type {Record<string, import('bufferevent').Backend>} */
const backends = { net: netBackend, epoll: epollBackend };
const backend = backends[backendName];
if (backend === undefined) throw new Error(`no backend called "${backendName}"`);

const piece = new Uint8Array(64 * 1024);
const segment = name === 'file' ? await FileSegment.open(detail) : null;

/** @type {Record<string, import('bufferevent').ListenHandlers>} */
const servers = {
  echo: {
    onRead: (bev) => void bev.write(bev.input),
    onEvent: (bev) => void bev.end(),
  },
  lines: {
    onRead(bev) {
      for (const line of bev.input.readLines()) bev.write(`${line}\r\n`);
    },
    onEvent: (bev) => void bev.end(),
  },
  sink: {
    onConnection(bev) {
      bev.context = 0;
    },
    onRead(bev) {
      bev.context = /** @type {number} */ (bev.context) + bev.input.length;
      bev.input.drain(bev.input.length);
    },
    onEvent(bev) {
      bev.write(String(bev.context));
      void bev.end();
    },
  },
  source: {
    onConnection(bev) {
      bev.context = Number(detail);
      fill(bev);
    },
    onWrite: fill,
  },
  file: {
    onConnection(bev) {
      if (segment !== null) bev.output.addFileSegment(segment);
      void bev.end();
    },
  },
};

/** @param {import('bufferevent').Bufferevent} bev */
function fill(bev) {
  let left = /** @type {number} */ (bev.context);
  for (let queued = 0; queued < piece.length * 4 && left > 0; queued += piece.length) {
    const part = left < piece.length ? piece.subarray(0, left) : piece;
    bev.output.addReference(part);
    left -= part.length;
  }
  bev.context = left;
  if (left === 0) void bev.end();
}

const handlers = servers[name];
if (handlers === undefined) throw new Error(`no server called "${name}"`);

const base = new EventBase({ backend, asyncContext: context === 'context' });
const listener = await listen({ ip: '127.0.0.1', port: 0 }, handlers, { base, backlog: 1024 });
if (!('ip' in listener.address)) throw new Error('no address');
console.log(`listening on ${listener.address.ip}:${listener.address.port} (ours ${name})`);

const allocation = new AllocationCount();
process.on('message', async (message) => {
  const { port } = base.stats();
  if (message === 'count') process.send?.({ port });
  else if (message === 'start') {
    allocation.start();
    process.send?.({ port: base.stats().port });
  } else process.send?.({ port, allocatedBytes: await allocation.stop() });
});
process.channel?.unref();
collectGarbageOnDemand();
process.once('SIGTERM', () => void listener.close());
process.once('disconnect', () => process.exit());
