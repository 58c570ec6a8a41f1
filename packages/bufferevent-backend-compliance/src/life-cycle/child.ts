// Brings a port into a state and ends there in one of many ways: `node child.js <child module> <state> <ending>`, or a
// worker with `{ childModule, state, ending }`. Says `reached` when the state is reached; what the process or worker does
// next is the point.
import { ftruncateSync, openSync, unlinkSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { isMainThread, parentPort, threadId, workerData } from 'node:worker_threads';
import { type Handle, Operation } from 'bufferevent-backend';
import type { Harness } from '../harness.js';
import type { Ending, State } from './scenes.js';
import { Stage } from './stage.js';

const mebibytes = new Uint8Array(16 * 2 ** 20);

/** Sends until a send stays in flight. */
async function sendUntilBlocked(stage: Stage, stream: Handle, operation: Operation, send: () => void): Promise<void> {
  do {
    send();
    await stage.turn();
  } while ((await Promise.race([stage.taken(stream, operation), stage.turn()])) !== undefined);
}

const states: Readonly<Record<State, (stage: Stage) => Promise<void>>> = {
  async fresh() {},
  async connecting(stage) {
    const listener = await stage.listening({ backlog: 1 });
    // Those that the backlog has no room for stay half open.
    for (let count = 0; count < 8; count++) stage.port.connect(stage.addressOf(listener));
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
    // A stream on which a short message has come may wait for the next in another way than one that is fresh.
    stage.port.send(right, [{ memory: mebibytes, start: 0, end: 10 }]);
    stage.port.recv(left, 65_536);
    await stage.taken(left, Operation.recv);
    stage.port.recv(left, 65_536);
    if (stage.port.backend.supports.peerClose) stage.port.watchPeer(left);
    await stage.turn();
  },
  async blockedSend(stage) {
    const { left, right } = await stage.pair();
    const segments = [{ memory: mebibytes, start: 0, end: mebibytes.length }];
    await sendUntilBlocked(stage, left, Operation.send, () => stage.port.send(left, segments));
    stage.port.shutdown(left);
    stage.port.recv(right, 1000);
    await stage.turn();
  },
  async blockedFile(stage) {
    const { left } = await stage.pair();
    if (!stage.port.backend.supports.sendFile) return;
    const path = join(tmpdir(), `bufferevent-life-cycle-${process.pid}-${threadId}`);
    const file = openSync(path, 'w+');
    unlinkSync(path);
    ftruncateSync(file, 2 ** 30);
    await sendUntilBlocked(stage, left, Operation.sendFile, () => stage.port.sendFile(left, file, 0, 2 ** 30));
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

const thrown = (): never => {
  throw new Error('thrown on purpose');
};

const endings: Readonly<Record<Ending | 'stay' | 'stayInSink', (stage: Stage) => unknown>> = {
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
      parentPort?.postMessage('reached');
      for (;;);
    }),
};

interface Words {
  readonly childModule: string;
  readonly state: State;
  readonly ending: Ending | 'stay' | 'stayInSink';
}

const { childModule, state, ending } = isMainThread
  ? ({ childModule: process.argv[2], state: process.argv[3], ending: process.argv[4] } as Words)
  : (workerData as Words);
const { createHarness } = (await import(childModule)) as { createHarness(): Harness | Promise<Harness> };
const { backend } = await createHarness();
const stage = new Stage((sink) => backend.createPort(sink));
await states[state](stage);
if (ending !== 'stayInSink') {
  if (isMainThread) console.log('reached');
  else parentPort?.postMessage('reached');
}
await endings[ending](stage);
