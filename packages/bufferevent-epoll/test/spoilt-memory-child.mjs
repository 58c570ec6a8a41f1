// Memory that is detached or resized while the port uses it: `node spoilt-memory-child.mjs <case>`, under any version of
// Node. Ends with 0 when the port did right; without a case, prints those that this version can play, a line each.
import assert from 'node:assert/strict';
import { Errno, Operation } from 'bufferevent-backend';
import { epollBackend } from 'bufferevent-epoll';
import { Stage } from './stage.mjs';

const pieceBytes = 64 * 1024;

/** Ways to spoil a buffer; all of them but `grow` take away bytes that were lent. */
const spoilers = {
  cloneAway: (buffer) => structuredClone(buffer, { transfer: [buffer] }),
  shrink: (buffer) => buffer.resize(100),
  grow: (buffer) => buffer.resize(2 * pieceBytes),
  ...('transfer' in ArrayBuffer.prototype ? { transfer: (buffer) => buffer.transfer() } : {}),
};

/** What byte `at` of all that is sent in a case must be. */
const patternAt = (at) => (at * 7 + (at >> 8)) & 0xff;

/** Bytes of the pattern from `at` on, in a buffer of their own; one that can be resized lies elsewhere than others. */
function pattern(at, options = {}) {
  const memory = new Uint8Array(new ArrayBuffer(pieceBytes, options), 0, pieceBytes);
  for (let index = 0; index < pieceBytes; index++) memory[index] = patternAt(at + index);
  return memory;
}

const segment = (memory) => ({ memory, start: 0, end: pieceBytes });

/** Sees to it that what arrives is the pattern, whatever the sender is told. */
class Reader {
  count = 0;

  constructor(stage, handle) {
    this.stage = stage;
    this.handle = handle;
  }

  /** Reads at least that far. */
  async readUntil(count) {
    while (this.count < count) {
      this.stage.port.recv(this.handle, 2 ** 20);
      assert.ok((await this.stage.taken(this.handle, Operation.recv)) > 0);
      for (const { memory, start, end, lease } of this.stage.received.splice(0)) {
        for (let index = start; index < end; index++) assert.equal(memory[index], patternAt(this.count++));
        this.stage.port.release(lease);
      }
    }
  }

  /** Reads the rest of `count` bytes, and that nothing comes behind them. */
  async readToEnd(count) {
    await this.readUntil(count);
    assert.equal(this.count, count);
    this.stage.port.recv(this.handle, 10);
    assert.equal(await this.stage.taken(this.handle, Operation.recv), 0);
  }
}

function checkRefused(spoiler, result) {
  if (spoiler === 'grow') assert.equal(result, pieceBytes);
  else assert.equal(result, -Errno.EFAULT);
}

/** Goes on after `sent` bytes: what is sent next arrives right behind them, and then the end. */
async function finish(stage, { left, right }, sent) {
  const reader = new Reader(stage, right);
  const last = pattern(sent);
  stage.port.send(left, [segment(last)]);
  const more = await stage.taken(left, Operation.send);
  assert.ok(more > 0);
  stage.port.shutdown(left);
  await reader.readToEnd(sent + more);
}

/** Sends the pattern until a send stays blocked; says how much was taken, and what is lent. */
async function block(stage, left, makePieces) {
  let sent = 0;
  for (;;) {
    const pieces = makePieces(sent);
    stage.port.send(left, pieces.map(segment));
    const result = await Promise.race([stage.taken(left, Operation.send), stage.turn()]);
    if (result === undefined) return { sent, pieces };
    sent += result;
  }
}

const cases = {};
for (const [spoiler, spoil] of Object.entries(spoilers)) {
  const isResized = spoiler === 'shrink' || spoiler === 'grow';
  const lent = (at) => pattern(at, isResized ? { maxByteLength: 4 * pieceBytes } : {});
  cases[`${spoiler} before the call`] = async (stage) => {
    const pair = await stage.pair();
    const memory = lent(0);
    stage.port.send(pair.left, [segment(memory)]);
    spoil(memory.buffer);
    const result = await stage.taken(pair.left, Operation.send);
    checkRefused(spoiler, result);
    await finish(stage, pair, Math.max(0, result));
  };
  cases[`${spoiler} of registered memory before the call`] = async (stage) => {
    const pair = await stage.pair();
    const memory = lent(0);
    stage.port.registerMemory(memory.buffer);
    stage.port.send(pair.left, [segment(memory)]);
    spoil(memory.buffer);
    const result = await stage.taken(pair.left, Operation.send);
    checkRefused(spoiler, result);
    await finish(stage, pair, Math.max(0, result));
    stage.port.unregisterMemory(memory.buffer);
    assert.equal(stage.port.stats().registeredBytes, 0);
  };
  cases[`${spoiler} of the second piece before the call`] = async (stage) => {
    const pair = await stage.pair();
    const pieces = [lent(0), lent(pieceBytes), lent(2 * pieceBytes)];
    stage.port.send(pair.left, pieces.map(segment));
    spoil(pieces[1].buffer);
    const result = await stage.taken(pair.left, Operation.send);
    if (spoiler === 'grow') assert.ok(result > 0);
    else assert.equal(result, -Errno.EFAULT);
    await finish(stage, pair, Math.max(0, result));
  };
  for (const [what, makePieces] of Object.entries({
    'a blocked send': (sent) => [lent(sent)],
    'a piece of a blocked send': (sent) => [0, 1, 2].map((index) => lent(sent + index * pieceBytes)),
  })) {
    cases[`${spoiler} of ${what}`] = async (stage) => {
      const pair = await stage.pair();
      const { sent, pieces } = await block(stage, pair.left, makePieces);
      spoil(pieces.at(-1).buffer);
      globalThis.gc?.();
      const reader = new Reader(stage, pair.right);
      const ended = stage.taken(pair.left, Operation.send);
      await reader.readUntil(sent);
      const result = await ended;
      if (spoiler === 'grow') assert.ok(result > 0);
      else assert.equal(result, -Errno.EFAULT);
      stage.port.shutdown(pair.left);
      await reader.readToEnd(sent + Math.max(0, result));
    };
  }
  if (isResized) {
    cases[`${spoiler} between two sends`] = async (stage) => {
      const { left, right } = await stage.pair();
      const memory = lent(0);
      const send = async (end) => {
        stage.port.send(left, [{ memory: new Uint8Array(memory.buffer), start: 0, end }]);
        assert.equal(await stage.taken(left, Operation.send), end);
      };
      await send(50);
      await new Reader(stage, right).readUntil(50);
      spoil(memory.buffer);
      await send(100);
      await new Reader(stage, right).readUntil(100);
    };
    continue;
  }
  cases[`${spoiler} of every slab`] = async (stage) => {
    const { left, right } = await stage.pair();
    const reader = new Reader(stage, right);
    let sent = 0;
    const passBytes = async () => {
      const memory = pattern(sent);
      for (const size of [100, 5000, pieceBytes - 5100]) {
        stage.port.send(left, [{ memory, start: sent % pieceBytes, end: (sent % pieceBytes) + size }]);
        assert.equal(await stage.taken(left, Operation.send), size);
        sent += size;
        while (reader.count < sent) {
          stage.port.recv(right, 2 ** 20);
          const count = await stage.taken(right, Operation.recv);
          const [{ memory: slab, start, lease }] = stage.received.splice(0);
          const kept = new Uint8Array(spoil(slab.buffer), start, count);
          for (const byte of kept) assert.equal(byte, patternAt(reader.count++));
          stage.port.release(lease);
        }
      }
    };
    for (let round = 0; round < 50; round++) await passBytes();
    assert.equal(stage.port.stats().leases, 0);
  };
}

/**
 * Leases are given back in the sink, so that no other slabs are made; a wake-up in which many small pieces and some large
 * ones arrive fills all that there are.
 */
cases['cloneAway of all slabs that a port has'] = async () => {
  const [large, small] = [
    { count: 6, bytes: 20_000 },
    { count: 60, bytes: 2000 },
  ];
  const buffers = new Set();
  const accepted = [];
  const completed = new Map();
  let received = 0;
  let onBatch = () => undefined;
  const port = epollBackend.createPort((batch) => {
    for (let index = 0; index < batch.length; index++) {
      const operation = batch.operation(index);
      const result = batch.result(index);
      completed.set(operation, (completed.get(operation) ?? 0) + 1);
      if (operation === Operation.accept) accepted.push(result);
      if (operation !== Operation.recv || result <= 0) continue;
      received += result;
      buffers.add(batch.memory(index).buffer);
      port.release(batch.lease(index));
      port.recv(batch.handle(index), 2 ** 20);
    }
    onBatch();
  });
  const until = async (isDone) => {
    while (!isDone()) {
      await new Promise((resolve) => {
        onBatch = resolve;
      });
    }
  };
  const times = (operation, count) => until(() => (completed.get(operation) ?? 0) >= count);

  const listener = port.listen({ ip: '127.0.0.1', port: 0 });
  await times(Operation.listen, 1);
  port.accept(listener, large.count + small.count);
  const connected = [];
  while (connected.length < large.count + small.count) {
    connected.push(port.connect(port.address(listener).local));
    await times(Operation.accept, connected.length);
    await times(Operation.connect, connected.length);
  }
  const memory = new Uint8Array(2 ** 17);
  let [sends, sent] = [0, 0];
  const send = (index, bytes) => {
    sends++;
    sent += bytes;
    port.send(connected[index], [{ memory, start: 0, end: bytes }]);
  };
  // Reads become larger while they are filled.
  for (let index = 0; index < large.count; index++) {
    port.recv(accepted[index], 2 ** 20);
    for (const bytes of [2048, 8192, 32_768, 65_536]) {
      send(index, bytes);
      await until(() => received === sent);
    }
    const before = completed.get(Operation.recv);
    port.cancel(accepted[index], Operation.recv);
    await times(Operation.recv, before + 1);
  }
  for (let index = 0; index < connected.length; index++) send(index, index < large.count ? large.bytes : small.bytes);
  await times(Operation.send, sends);
  for (const stream of accepted) port.recv(stream, 2 ** 20);
  await until(() => received === sent);
  for (const buffer of buffers) if (buffer.byteLength > 0) spoilers.cloneAway(buffer);
  send(connected.length - 1, 10);
  await until(() => received === sent);
  await port[Symbol.asyncDispose]();
};

const name = process.argv[2];
if (name === undefined) console.log(Object.keys(cases).join('\n'));
else {
  const stage = new Stage();
  await cases[name](stage);
  await stage.port[Symbol.asyncDispose]();
}
