import { spawn, spawnSync } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { once } from 'node:events';
import { BackendError, Errno, type Handle, Operation, type Port } from 'bufferevent-backend';
import { epollBackend } from 'bufferevent-epoll';
import { afterEach, expect } from 'vitest';
import { itOnEpoll } from './available.js';
import { Stage } from './stage.mjs';

const stages: Stage[] = [];

function opened(): Stage {
  const stage = new Stage();
  stages.push(stage);
  return stage;
}

afterEach(async () => {
  for (const { port, received } of stages.splice(0)) {
    await port[Symbol.asyncDispose]();
    for (const { lease } of received) port.release(lease);
    expect(port.stats()).toMatchObject({ streams: 0, listeners: 0, pending: 0, leases: 0 });
  }
});

async function receivedText(stage: Stage, handle: Handle): Promise<string> {
  stage.port.recv(handle, 1000);
  await stage.taken(handle, Operation.recv);
  const { memory, start, end } = stage.received.at(-1) as Stage['received'][number];
  return Buffer.from(memory.subarray(start, end)).toString();
}

function sendText(port: Port, handle: Handle, text: string): void {
  const memory = Buffer.from(text);
  port.send(handle, [{ memory, start: 0, end: memory.length }]);
}

itOnEpoll('two ports in one thread talk to each other, and either may go first', async () => {
  for (const goesFirst of [0, 1] as const) {
    const [server, client] = [opened(), opened()];
    const listener = await server.listening();
    server.port.accept(listener, 1);
    const left = client.port.connect(server.port.address(listener).local as { ip: string; port: number });
    await client.taken(left, Operation.connect);
    const right = await server.taken(listener, Operation.accept);
    sendText(client.port, left, 'question');
    expect(await receivedText(server, right)).toBe('question');
    sendText(server.port, right, 'answer');
    expect(await receivedText(client, left)).toBe('answer');
    const [first, other, handle] = goesFirst === 0 ? [server, client, left] : [client, server, right];
    await first.port[Symbol.asyncDispose]();
    other.port.recv(handle, 10);
    expect(await other.taken(handle, Operation.recv)).toBe(0);
  }
});

itOnEpoll(
  'C5: bytes stay as they were received after their port is gone, and their lease is given back once',
  async () => {
    const stage = opened();
    const { left, right } = await stage.pair();
    const text = randomBytes(100).toString('hex');
    sendText(stage.port, left, text);
    await receivedText(stage, right);
    await stage.port[Symbol.asyncDispose]();
    const { memory, start, end, lease } = stage.received.pop() as Stage['received'][number];
    for (let count = 0; count < 20; count++) await opened().turn();
    expect(Buffer.from(memory.subarray(start, end)).toString()).toBe(text);
    stage.port.release(lease);
    expect(() => stage.port.release(lease)).toThrow(BackendError);
  },
);

itOnEpoll(
  'C2: a port disposed of in its sink, once more in a microtask and once more outside settles each time',
  async () => {
    const stage = opened();
    const { left, right } = await stage.pair();
    stage.port.recv(left, 10);
    stage.port.recv(right, 10);
    const settled = new Promise<readonly unknown[]>((resolve) => {
      stage.inSink(() => {
        const inSink = stage.port[Symbol.asyncDispose]();
        queueMicrotask(() => resolve(Promise.all([inSink, stage.port[Symbol.asyncDispose]()])));
      });
    });
    await settled;
    await stage.port[Symbol.asyncDispose]();
    expect(await stage.taken(left, Operation.recv)).toBeLessThan(0);
    expect(await stage.taken(right, Operation.recv)).toBeLessThan(0);
  },
);

itOnEpoll('a connection that a child process has inherited keeps nothing busy after it is closed here', async () => {
  const stage = opened();
  const { left, right } = await stage.pair();
  stage.port.recv(right, 10);
  await stage.turn();
  const child = spawn('cat', { stdio: ['pipe', 'ignore', 'ignore', stage.port.descriptor(right)] });
  await once(child, 'spawn');
  stage.port.close(right);
  // Readable from now on, in the child.
  sendText(stage.port, left, 'unread');
  await stage.taken(left, Operation.send);
  const before = stage.port.stats().systemCalls.waits;
  for (let turn = 0; turn < 100; turn++) await new Promise((resolve) => setImmediate(resolve));
  expect(stage.port.stats().systemCalls.waits - before).toBeLessThan(10);
  child.stdin?.end();
  await once(child, 'exit');
});

itOnEpoll('counts how often its two halves call each other, which is not once for each operation', async () => {
  const stage = opened();
  const pairs: { left: Handle; right: Handle }[] = [];
  for (let count = 0; count < 32; count++) pairs.push(await stage.pair());
  const memory = new Uint8Array(10);
  const exchange = (): Promise<unknown> => {
    for (const { left, right } of pairs) {
      stage.port.recv(right, memory.length);
      stage.port.send(left, [{ memory, start: 0, end: memory.length }]);
    }
    return Promise.all(
      pairs.flatMap(({ left, right }) => [stage.taken(left, Operation.send), stage.taken(right, Operation.recv)]),
    );
  };
  // Makes the memory known, once.
  await exchange();
  // What is submitted in a call of the native half needs none of its own.
  await new Promise((resolve) => setImmediate(resolve));
  const before = stage.port.stats();
  await exchange();
  const after = stage.port.stats();
  expect(after.nativeCalls - before.nativeCalls).toBe(1);
  expect(after.calls - before.calls).toBeGreaterThan(0);
  expect(after.calls - before.calls).toBeLessThan(pairs.length);
});

itOnEpoll('the loop has its turn every few milliseconds, however much there is to do', async () => {
  const stage = opened();
  const message = new Uint8Array(1);
  let batchesOfTurn = 0;
  let most = 0;
  const port = epollBackend.createPort((batch) => {
    most = Math.max(most, ++batchesOfTurn);
    const until = performance.now() + 1;
    while (performance.now() < until);
    for (let index = 0; index < batch.length; index++) {
      if (batch.operation(index) !== Operation.recv || batch.result(index) <= 0) continue;
      const handle = batch.handle(index);
      port.release(batch.lease(index));
      port.send(handle, [{ memory: message, start: 0, end: 1 }]);
      port.recv(handle, 1);
    }
  });
  for (let count = 0; count < 10; count++) {
    for (const handle of Object.values(await stage.pair())) {
      stage.port.detach(handle);
      const stream = port.adopt(await stage.taken(handle, Operation.detach));
      port.recv(stream, 1);
      // Both ends answer each other for ever.
      port.send(stream, [{ memory: message, start: 0, end: 1 }]);
    }
  }
  most = 0;
  for (let turns = 0; turns < 20; turns++) {
    batchesOfTurn = 0;
    await stage.turn();
  }
  await port[Symbol.asyncDispose]();
  expect(most).toBeGreaterThan(0);
  expect(most).toBeLessThanOrEqual(5);
});

itOnEpoll(
  'a message a little larger than 16 KiB takes one read, from many streams at once, when it comes again',
  async () => {
    const stage = opened();
    stage.keepsReceived = false;
    const pairs: { left: Handle; right: Handle }[] = [];
    for (let count = 0; count < 64; count++) pairs.push(await stage.pair());
    const memory = new Uint8Array(16 * 1024 + 22);
    const exchange = async (): Promise<void> => {
      for (const { left } of pairs) stage.port.send(left, [{ memory, start: 0, end: memory.length }]);
      for (const { left } of pairs) await stage.taken(left, Operation.send);
      for (const { right } of pairs) stage.port.recv(right, 64 * 1024);
      for (const { right } of pairs) {
        for (let missing = memory.length; missing > 0; ) {
          missing -= await stage.taken(right, Operation.recv);
          if (missing > 0) stage.port.recv(right, 64 * 1024);
        }
      }
    };
    // How much is read at once grows with what comes.
    for (let round = 0; round < 8; round++) await exchange();
    const before = stage.port.stats().systemCalls.reads;
    for (let round = 0; round < 5; round++) await exchange();
    expect(stage.port.stats().systemCalls.reads - before).toBe(5 * pairs.length);
  },
);

/** None of its pages is there before it is touched; `null` where the system has no room for it all the same. */
function largeBuffer(bytes: number): ArrayBuffer | null {
  try {
    return new ArrayBuffer(bytes);
  } catch {
    return null;
  }
}

itOnEpoll(
  'C4: memory that begins behind the first 4 GiB of its buffer is sent, and none before it',
  async ({ skip }) => {
    const buffer = largeBuffer(5 * 2 ** 30);
    if (buffer === null) return skip('no room for a buffer of 5 GiB');
    const at = 4.25 * 2 ** 30;
    new Uint8Array(buffer, at - 2 ** 32, 6).set(Buffer.from('SECRET'));
    new Uint8Array(buffer, at, 6).set(Buffer.from('public'));
    const stage = opened();
    const { left, right } = await stage.pair();
    const own = new Uint8Array(buffer, at, 6);
    const before = new Uint8Array(buffer, 3.5 * 2 ** 30);
    const start = at - before.byteOffset;
    for (const segments of [
      [{ memory: own, start: 0, end: 6 }],
      [{ memory: before, start, end: start + 6 }],
      [
        { memory: before, start, end: start + 2 },
        { memory: own, start: 2, end: 6 },
      ],
    ]) {
      stage.port.send(left, segments);
      expect(await receivedText(stage, right)).toBe('public');
      expect(await stage.taken(left, Operation.send)).toBe(6);
    }
  },
);

itOnEpoll('C8: a reset that comes after the end of the stream leaves the end, also for who looked at it', async () => {
  const stage = opened();
  for (const watches of [false, true]) {
    const { left, right } = await stage.pair();
    sendText(stage.port, left, 'all');
    stage.port.shutdown(left);
    await stage.taken(left, Operation.shutdown);
    stage.port.reset(left);
    await stage.taken(left, Operation.reset);
    if (watches) {
      stage.port.watchPeer(right);
      expect(await stage.taken(right, Operation.watchPeer)).toBe(0);
    }
    expect(await receivedText(stage, right)).toBe('all');
    stage.port.recv(right, 10);
    expect(await stage.taken(right, Operation.recv)).toBe(0);
  }
});

itOnEpoll('C11: detaching a stream that has no descriptor completes with ENOTCONN', async () => {
  const stage = opened();
  const connecting = stage.port.connect(stage.addressOf(await stage.listening()));
  stage.port.detach(connecting);
  expect(await stage.taken(connecting, Operation.connect)).toBe(-Errno.ECANCELED);
  expect(await stage.taken(connecting, Operation.detach)).toBe(-Errno.ENOTCONN);
  const nowhere = stage.port.connect({ path: `/${'x'.repeat(200)}` });
  expect(await stage.taken(nowhere, Operation.connect)).toBe(-Errno.ENAMETOOLONG);
  stage.port.detach(nowhere);
  expect(await stage.taken(nowhere, Operation.detach)).toBe(-Errno.ENOTCONN);
});

itOnEpoll(
  'C13: a connection that the system has given up is no end for recv, when a send was told of it first',
  async ({ skip }) => {
    const stage = opened();
    const { port } = stage;
    const { left, right } = await stage.pair();
    const { local } = port.address(left);
    if (local === null || !('port' in local)) throw new Error('the address is not known');
    const { stdout } = spawnSync('ss', ['-HK', 'state', 'established', 'sport', '=', `:${local.port}`], {
      encoding: 'utf8',
    });
    if (!stdout) skip('a connection can be given up by the system only as root, with ss');
    sendText(port, left, 'anybody there?');
    expect(await stage.taken(left, Operation.send)).toBe(-Errno.ECONNABORTED);
    port.recv(left, 100);
    expect(await stage.taken(left, Operation.recv)).toBe(-Errno.ECONNABORTED);
    for (const handle of [left, right]) port.close(handle);
  },
);
