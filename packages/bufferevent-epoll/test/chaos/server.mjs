// An echo server on a port, which frees connections at random: `node --expose-gc server.mjs <seed>`, with a channel to its
// parent. Says { port }, obeys `exhaust` and `restore`, and after `finish` says what it went through and what is left.
import { closeSync, openSync, readdirSync } from 'node:fs';
import { Errno, Operation } from 'bufferevent-backend';
import { epollBackend } from 'bufferevent-epoll';
import { Random } from './random.mjs';

const random = new Random(Number(process.argv[2]));
const sampleMs = 250;
/** Completions between two acts of violence, on average. */
const patience = 100;

const descriptors = () => readdirSync('/proc/self/fd').length;

async function arrayBufferBytes() {
  for (let round = 0; round < 3; round++) {
    await new Promise((resolve) => setImmediate(resolve));
    globalThis.gc();
  }
  return process.memoryUsage().arrayBuffers;
}

const counts = { accepted: 0, freed: 0, starved: 0, bytes: 0 };

/** Connections by handle: what of a received piece is still to be echoed. */
const connections = new Map();
let onGone = () => undefined;

const frees = {
  close: (handle) => port.close(handle),
  reset: (handle) => port.reset(handle),
  detach: (handle) => port.detach(handle),
};

/** The handle is stale from now on; the lease goes with the send that borrows it, when there is one. */
function free(handle, how) {
  const connection = connections.get(handle);
  if (connection.freed) return;
  connection.freed = true;
  counts.freed++;
  frees[how](handle);
}

function receive(handle) {
  port.recv(handle, 1 + random.below(64 * 1024));
  if (random.oneIn(patience)) port.lowerRecvMax(handle, 1 + random.below(100));
  if (random.oneIn(patience)) port.cancel(handle, Operation.recv);
}

function echo(handle, { piece }) {
  port.send(handle, [piece]);
  if (random.oneIn(patience)) port.shutdown(handle);
  if (random.oneIn(patience)) port.cancel(handle, Operation.send);
}

const on = {
  [Operation.listen](handle) {
    port.accept(handle, Number.MAX_SAFE_INTEGER);
    process.send({ port: port.address(handle).local.port });
  },
  [Operation.accept](_, result) {
    if (result === -Errno.EMFILE || result === -Errno.ENFILE) counts.starved++;
    if (result < 0) return;
    counts.accepted++;
    connections.set(result, { freed: false, piece: null, lease: null });
    receive(result);
    if (random.oneIn(10)) port.watchPeer(result);
  },
  [Operation.recv](handle, result, batch, index) {
    const connection = connections.get(handle);
    if (result > 0) {
      counts.bytes += result;
      const start = batch.start(index);
      connection.piece = { memory: batch.memory(index), start, end: start + result };
      connection.lease = batch.lease(index);
      if (connection.freed) settle(connection);
      else echo(handle, connection);
    } else if (connection.freed) return;
    else if (result === -Errno.ECANCELED) receive(handle);
    else free(handle, result === 0 ? 'close' : random.pick(['close', 'reset']));
  },
  [Operation.send](handle, result) {
    const connection = connections.get(handle);
    if (result > 0) connection.piece.start += result;
    if (connection.freed || connection.piece.start === connection.piece.end) {
      settle(connection);
      if (!connection.freed) receive(handle);
    } else if (result > 0 || result === -Errno.ECANCELED) echo(handle, connection);
    else {
      settle(connection);
      free(handle, 'close');
    }
  },
  [Operation.watchPeer](handle, result) {
    const connection = connections.get(handle);
    if (result !== -Errno.ECANCELED && !connection.freed && random.oneIn(2)) free(handle, 'reset');
  },
  [Operation.close]: gone,
  [Operation.reset]: gone,
  [Operation.detach](handle, descriptor) {
    if (descriptor >= 0) closeSync(descriptor);
    gone(handle);
  },
};

function settle(connection) {
  port.release(connection.lease);
  connection.piece = null;
  connection.lease = null;
}

function gone(handle) {
  connections.delete(handle);
  onGone();
}

const baseline = { descriptors: descriptors(), arrayBuffers: await arrayBufferBytes() };

let port = epollBackend.createPort((batch) => {
  for (let index = 0; index < batch.length; index++) {
    const handle = batch.handle(index);
    on[batch.operation(index)]?.(handle, batch.result(index), batch, index);
    if (connections.has(handle) && random.oneIn(patience)) free(handle, random.pick(Object.keys(frees)));
  }
});
port.listen({ ip: '127.0.0.1', port: 0 }, { backlog: 128 });

/** Descriptors that are taken away from the port. */
const taken = [];
const rss = [];
const sampling = setInterval(() => {
  globalThis.gc();
  // Asking needs a descriptor.
  if (taken.length === 0) rss.push(residentBytes());
}, sampleMs);

function residentBytes() {
  try {
    return process.memoryUsage.rss();
  } catch {
    return rss.at(-1);
  }
}

const commands = {
  exhaust() {
    try {
      for (;;) taken.push(openSync('/dev/null', 'r'));
    } catch {
      // As far as it goes.
    }
  },
  restore() {
    for (const descriptor of taken.splice(0)) closeSync(descriptor);
  },
  /** Connections that the clients have left end by themselves. */
  async finish() {
    clearInterval(sampling);
    while (connections.size > 0) {
      await new Promise((resolve) => {
        onGone = resolve;
      });
    }
    const { streams, leases, pending } = port.stats();
    await port[Symbol.asyncDispose]();
    // Its rings and slabs go with it.
    port = null;
    const left = {
      streams,
      leases,
      // The accept is pending for ever.
      pending: pending - 1,
      descriptors: descriptors() - baseline.descriptors,
      arrayBuffers: (await arrayBufferBytes()) - baseline.arrayBuffers,
    };
    process.send({ counts, rss, left }, () => process.disconnect());
  },
};
process.on('message', (command) => commands[command]());
