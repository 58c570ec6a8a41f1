// Brings a port into a state and ends there in one of many ways: `node life-cycle-child.mjs <state> <ending>`, or a worker
// with `{ state, ending }`. Says `reached` when the state is reached; what the process or worker does next is the point.
import { ftruncateSync, openSync, unlinkSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { isMainThread, parentPort, threadId, workerData } from 'node:worker_threads';
import { Operation } from 'bufferevent-backend';
import { Stage } from './stage.mjs';

const mebibytes = new Uint8Array(16 * 2 ** 20);

const states = {
  async fresh() {},
  async connecting(stage) {
    const listener = await stage.listening({ backlog: 1 });
    // Those that the backlog has no room for stay half open.
    for (let count = 0; count < 8; count++) stage.port.connect(stage.port.address(listener).local);
    await stage.turn();
  },
  async accepting(stage) {
    stage.port.accept(await stage.listening(), 5);
    await stage.turn();
  },
  async receiving(stage) {
    const { left, right } = await stage.pair();
    stage.port.send(left, [{ memory: mebibytes, start: 0, end: 1000 }]);
    stage.port.recv(right, 10);
    await stage.taken(right, Operation.recv);
    stage.port.recv(left, 10);
    stage.port.watchPeer(left);
    await stage.turn();
  },
  async blockedSend(stage) {
    const { left, right } = await stage.pair();
    do {
      stage.port.send(left, [{ memory: mebibytes, start: 0, end: mebibytes.length }]);
      await stage.turn();
    } while ((await Promise.race([stage.taken(left, Operation.send), stage.turn()])) !== undefined);
    stage.port.shutdown(left);
    stage.port.recv(right, 1000);
    await stage.turn();
  },
  async blockedFile(stage) {
    const { left } = await stage.pair();
    const path = `${tmpdir()}/bufferevent-epoll-${process.pid}-${threadId}`;
    const file = openSync(path, 'w+');
    unlinkSync(path);
    ftruncateSync(file, 2 ** 30);
    do {
      stage.port.sendFile(left, file, 0, 2 ** 30);
      await stage.turn();
    } while ((await Promise.race([stage.taken(left, Operation.sendFile), stage.turn()])) !== undefined);
  },
  async closing(stage) {
    const { left, right } = await stage.pair();
    stage.port.recv(left, 10);
    stage.port.close(left);
    stage.port.reset(right);
  },
  async disposing(stage) {
    const { left } = await stage.pair();
    stage.port.recv(left, 10);
    void stage.port[Symbol.asyncDispose]();
  },
};

const thrown = () => {
  throw new Error('thrown on purpose');
};

const endings = {
  exit: () => process.exit(7),
  exitInSink: (stage) => stage.inSink(() => process.exit(7)),
  exitInMicrotask: (stage) => stage.inSink(() => queueMicrotask(() => process.exit(7))),
  throwInSink: (stage) => stage.inSink(thrown),
  throwInMicrotask: (stage) => stage.inSink(() => queueMicrotask(thrown)),
  throwInTick: (stage) => stage.inSink(() => process.nextTick(thrown)),
  rejectInSink: (stage) => stage.inSink(() => void Promise.reject(new Error('thrown on purpose'))),
  unref: (stage) => stage.port.unref(),
  dispose: (stage) => stage.port[Symbol.asyncDispose](),
  disposeInSink: (stage) => stage.inSink(() => void stage.port[Symbol.asyncDispose]()),
  async disposeTwice(stage) {
    await Promise.all([stage.port[Symbol.asyncDispose](), stage.port[Symbol.asyncDispose]()]);
    await stage.port[Symbol.asyncDispose]();
    for (const { lease } of stage.received) stage.port.release(lease);
  },
  stay: () => setInterval(() => undefined, 1000),
  stayInSink: (stage) =>
    stage.inSink(() => {
      parentPort.postMessage('reached');
      for (;;);
    }),
};

const { state, ending } = isMainThread ? { state: process.argv[2], ending: process.argv[3] } : workerData;
const stage = new Stage();
await states[state](stage);
if (ending !== 'stayInSink') {
  if (isMainThread) console.log('reached');
  else parentPort.postMessage('reached');
}
await endings[ending](stage);
