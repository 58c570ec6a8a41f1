import { isMainThread, parentPort, workerData } from 'node:worker_threads';
import { type Backend, type CompletionSink, type Handle, Operation, type Port } from 'bufferevent-backend';
import type { Harness } from './harness.js';

/*
 * The program of the cases about processes and workers (C16): `node child.js <scenario> <module>`, or a worker with
 * `{ scenario, module }`. A scenario says what it saw on standard output (a worker: by message); whether the process
 * then ends by itself is the point.
 */

type Taken = (handle: Handle, operation: Operation) => Promise<number>;

interface Scene {
  readonly harness: Harness;
  readonly port: Port;
  readonly taken: Taken;
}

const scenarios: Readonly<Record<string, (scene: Scene) => Promise<void>>> = {
  async idlePort() {
    say('done');
  },
  async idleHandles(scene) {
    await connectedPair(scene);
    say('done');
  },
  async disposed(scene) {
    const { right } = await connectedPair(scene);
    scene.port.recv(right, 10);
    await scene.port[Symbol.asyncDispose]();
    say('done');
  },
  async pendingAccept(scene) {
    const { listener } = await listening(scene);
    scene.port.accept(listener, 1);
    sayIfKeptAlive();
  },
  async pendingRecv(scene) {
    const { right } = await connectedPair(scene);
    scene.port.recv(right, 10);
    sayIfKeptAlive();
  },
  async unreferencedPort(scene) {
    const { right, listener } = await connectedPair(scene);
    scene.port.recv(right, 10);
    scene.port.accept(listener, 1);
    scene.port.unref();
    say('done');
  },
  async unreferencedHandles(scene) {
    const { right, listener } = await connectedPair(scene);
    scene.port.recv(right, 10);
    scene.port.accept(listener, 1);
    scene.port.unref(right);
    scene.port.unref(listener);
    say('done');
  },
  async referencedAgain(scene) {
    const { right } = await connectedPair(scene);
    scene.port.unref();
    scene.port.recv(right, 10);
    scene.port.ref();
    sayIfKeptAlive();
  },
  async oneReferencedHandle(scene) {
    const { right, listener } = await connectedPair(scene);
    scene.port.accept(listener, 1);
    scene.port.unref(listener);
    scene.port.recv(right, 10);
    sayIfKeptAlive();
  },
  async exitWhilePending(scene) {
    await busy(scene);
    say('done');
    process.exit(0);
  },
  async exitWhileDisposing(scene) {
    await busy(scene);
    void scene.port[Symbol.asyncDispose]();
    say('done');
    process.exit(0);
  },
  async stayPending(scene) {
    await busy(scene);
    say('done');
  },
  async unreferencedBusy(scene) {
    await busy(scene);
    scene.port.unref();
    say('done');
  },
};

function say(text: string): void {
  if (isMainThread) process.stdout.write(`${text}\n`);
  else parentPort?.postMessage(text);
}

/** An unreferenced timer: it fires only in a process that something else keeps alive. Then everything is let go. */
function sayIfKeptAlive(): void {
  setTimeout(() => {
    say('kept alive');
    process.exit(0);
  }, 150).unref();
}

async function listening({ harness, port, taken }: Scene): Promise<{ listener: Handle }> {
  const listener = port.listen(harness.listenAddress());
  await taken(listener, Operation.listen);
  return { listener };
}

async function connectedPair(scene: Scene): Promise<{ listener: Handle; left: Handle; right: Handle }> {
  const { port, taken } = scene;
  const { listener } = await listening(scene);
  const { local } = port.address(listener);
  if (local === null) throw new Error('a listener has no address');
  port.accept(listener, 1);
  const left = port.connect(local);
  const [, right] = await Promise.all([taken(left, Operation.connect), taken(listener, Operation.accept)]);
  return { listener, left, right };
}

/** Something of each kind in flight, and memory lent in both directions. */
async function busy(scene: Scene): Promise<void> {
  const { port, taken } = scene;
  const { listener, left, right } = await connectedPair(scene);
  const memory = new Uint8Array(16 * 1024 * 1024);
  port.send(left, [{ memory, start: 0, end: 1000 }]);
  await taken(left, Operation.send);
  port.recv(right, 10);
  await taken(right, Operation.recv);
  port.send(left, [{ memory, start: 0, end: memory.length }]);
  port.recv(left, 10);
  port.accept(listener, 5);
}

/** Keeps completions until they are asked for. Leases stay out on purpose. */
function open(backend: Backend): { port: Port; taken: Taken } {
  const arrived = new Map<string, number[]>();
  const waiting = new Map<string, (result: number) => void>();
  const sink: CompletionSink = (batch) => {
    for (let index = 0; index < batch.length; index++) {
      const key = `${batch.handle(index)}:${batch.operation(index)}`;
      const waiter = waiting.get(key);
      waiting.delete(key);
      if (waiter !== undefined) waiter(batch.result(index));
      else arrived.set(key, [...(arrived.get(key) ?? []), batch.result(index)]);
    }
  };
  const taken: Taken = (handle, operation) => {
    const key = `${handle}:${operation}`;
    const result = arrived.get(key)?.shift();
    return result !== undefined ? Promise.resolve(result) : new Promise((resolve) => waiting.set(key, resolve));
  };
  return { port: backend.createPort(sink), taken };
}

const { scenario, module } = isMainThread
  ? { scenario: process.argv[2], module: process.argv[3] }
  : (workerData as { scenario: string; module: string });
const { createHarness } = (await import(String(module))) as { createHarness(): Harness | Promise<Harness> };
const harness = await createHarness();
await scenarios[String(scenario)]?.({ harness, ...open(harness.backend) });
