import { Operation } from 'bufferevent-backend';
import { createMemoryBackend, MemoryNetwork, withTrace } from 'bufferevent-backend/memory';
import { describe, expect, it } from 'vitest';
import { counting, Recorder, text, whole } from './support/recorder.js';
import { runScript } from './support/script.js';
import { bench, connected, listening } from './support/world.js';

describe('stepping by hand', () => {
  it('nothing happens without a step, however often the loop turns', async () => {
    const on = bench();
    const handle = on.right.port.listen({ ip: '127.0.0.1', port: 0 });
    for (let turn = 0; turn < 5; turn++) await new Promise(setImmediate);
    expect(on.right.seen).toEqual([]);
    expect(on.network.step()).toBe(true);
    expect(on.right.results(Operation.listen, handle)).toEqual([0]);
    expect(on.network.step()).toBe(false);
  });

  it('C1: what a sink submits completes in a later step', () => {
    const on = bench();
    const { left, right } = connected(on);
    const batches: number[] = [];
    on.right.on = (seen) => {
      batches.push(seen.batch);
      if (batches.length < 3) on.right.port.recv(right, 1);
    };
    on.right.port.recv(right, 1);
    on.left.port.send(left, text('abc'));
    on.network.settle();
    expect(batches).toEqual([1, 2, 3]);
  });

  it('bytes sent in one step arrive in the next', () => {
    const on = bench();
    const { left, right } = connected(on);
    on.right.port.recv(right, 10);
    on.network.settle();
    on.left.port.send(left, text('abc'));
    on.network.step();
    expect(on.left.results(Operation.send, left)).toEqual([3]);
    expect(on.right.seen).toEqual([]);
    on.network.step();
    expect(on.right.results(Operation.recv, right)).toEqual([3]);
  });

  it('one step hands each port everything in one batch', () => {
    const on = bench();
    const pairs = [connected(on), connected(on), connected(on)];
    for (const { left } of pairs) on.left.port.send(left, text('x'));
    on.network.step();
    expect(on.left.seen.map((seen) => seen.batch)).toEqual([1, 1, 1]);
    expect(on.left.port.stats()).toMatchObject({ batches: 1, completions: 3 });
  });

  it('settling throws when two sinks answer each other for ever', () => {
    const on = bench();
    const { left, right } = connected(on);
    on.right.on = (seen) => {
      if (seen.operation === Operation.recv) on.right.port.recv(right, 10);
    };
    on.left.on = () => on.left.port.send(left, text('x'));
    on.right.port.recv(right, 10);
    on.left.port.send(left, text('x'));
    expect(() => on.network.settle(1000)).toThrow('did not come to rest within 1000 steps');
  });

  it('a sink may not step', () => {
    const on = bench();
    const { left } = connected(on);
    let thrown: unknown;
    on.left.on = () => {
      try {
        on.network.step();
      } catch (error) {
        thrown = error;
      }
    };
    on.left.port.send(left, text('x'));
    on.network.settle();
    expect(String(thrown)).toContain('sinks may not step');
  });

  it('two runs of one script give the same trace, line by line', () => {
    const [first, second] = [script(), script()];
    expect(first.length).toBeGreaterThan(500);
    expect(second).toEqual(first);
  });

  it.each([
    [{ scheduling: 'sometimes' as 'auto' }, TypeError],
    [{ capacity: 0 }, RangeError],
    [{ capacity: '1' as unknown as number }, TypeError],
    [{ descriptorLimit: -1 }, RangeError],
    [{ hosts: ['localhost'] }, TypeError],
  ])('malformed options are refused: %o', (options, kind) => {
    expect(() => new MemoryNetwork(options)).toThrow(kind);
  });
});

/** Twenty clients that send through a small pipe, some of which leave half way. */
function script(): string[] {
  const network = new MemoryNetwork({ scheduling: 'manual', capacity: 100 });
  const backend = withTrace(createMemoryBackend(network), { capacity: 100_000 });
  const server = new Recorder(backend);
  const clients = new Recorder(backend);
  server.on = ({ operation, handle, result }) => {
    if (operation === Operation.accept && result > 0) server.port.recv(result, 64);
    if (operation === Operation.recv) result > 0 ? server.port.recv(handle, 64) : server.port.close(handle);
  };
  const left = new Map<number, number>();
  clients.on = ({ operation, handle, result }) => {
    if (result < 0 || operation === Operation.close || operation === Operation.reset) return;
    const rest = (left.get(handle) as number) - (operation === Operation.send ? result : 0);
    left.set(handle, rest);
    if (operation === Operation.shutdown) clients.port.close(handle);
    else if (rest > 0) clients.port.send(handle, whole(counting(rest)));
    else if (handle % 3 === 0) clients.port.reset(handle);
    else clients.port.shutdown(handle);
  };
  const listener = server.port.listen({ ip: '::', port: 7 });
  server.port.accept(listener, 15);
  for (let index = 0; index < 20; index++) {
    left.set(clients.port.connect({ ip: index % 2 === 0 ? '127.0.0.1' : '::1', port: 7 }), 50 * index + 1);
  }
  network.settle();
  return backend.lines();
}

describe('running by itself', () => {
  it('C16: a pending operation on a referenced handle keeps the process alive', async () => {
    const { stdout, code } = await runScript(`
      import { createMemoryBackend } from 'bufferevent-backend/memory';
      const port = createMemoryBackend().createPort(() => {});
      const listener = port.listen({ ip: '127.0.0.1', port: 0 });
      port.accept(listener, 1);
      // Nothing else is pending, so only the port can have kept the loop turning for this unreferenced timer.
      setTimeout(() => { console.log('alive'); port[Symbol.asyncDispose]().then(() => console.log('disposed')); }, 50).unref();
    `);
    expect({ stdout, code }).toEqual({ stdout: 'alive\ndisposed\n', code: 0 });
  });

  it('C16: an unreferenced handle or port does not', async () => {
    const { stdout, code } = await runScript(`
      import { createMemoryBackend } from 'bufferevent-backend/memory';
      const backend = createMemoryBackend();
      const [one, other] = [backend.createPort(() => {}), backend.createPort(() => {})];
      const listener = one.listen({ ip: '127.0.0.1', port: 0 });
      one.accept(listener, 1);
      one.unref(listener);
      other.accept(other.listen({ ip: '127.0.0.1', port: 0 }), 1);
      other.unref();
      setTimeout(() => console.log('alive'), 1000).unref();
    `);
    expect({ stdout, code }).toEqual({ stdout: '', code: 0 });
  });

  it('C16: an unreferenced port goes on working while something else keeps the process alive', async () => {
    const backend = createMemoryBackend();
    const port = new Recorder(backend);
    port.port.unref();
    const done = new Promise((resolve) => {
      port.on = resolve;
    });
    port.port.listen({ ip: '127.0.0.1', port: 0 });
    await done;
    await port.port[Symbol.asyncDispose]();
  });

  it('C19: a throwing sink surfaces once as uncaught, and the rest is delivered', async () => {
    const { stdout, code } = await runScript(`
      import { createMemoryBackend, MemoryNetwork } from 'bufferevent-backend/memory';
      const network = new MemoryNetwork();
      let uncaught = 0;
      process.on('uncaughtException', (error) => { uncaught++; console.log('uncaught', error.message); });
      const seen = [];
      const port = createMemoryBackend(network).createPort((batch) => {
        for (let i = 0; i < batch.length; i++) {
          seen.push(batch.handle(i));
          if (seen.length === 2) throw new Error('from the sink');
        }
      });
      const streams = [];
      for (let pair = 0; pair < 2; pair++) for (const fd of network.socketPair()) streams.push(port.adopt(fd));
      for (const stream of streams) port.send(stream, [{ memory: Uint8Array.of(1), start: 0, end: 1 }]);
      for (let turn = 0; turn < 20; turn++) await new Promise(setImmediate);
      console.log(uncaught, streams.every((stream, i) => seen[i] === stream), seen.length, JSON.stringify(port.stats()));
    `);
    expect(code).toBe(0);
    expect(stdout).toContain('uncaught from the sink\n1 true 4 ');
    expect(stdout).toContain('"pending":0');
    expect(stdout).toContain('"completions":4');
  });

  it('C19: a sink that throws before it looks at anything is not asked the same for ever', async () => {
    const { stdout } = await runScript(`
      import { createMemoryBackend } from 'bufferevent-backend/memory';
      let calls = 0;
      process.on('uncaughtException', () => {});
      const port = createMemoryBackend().createPort(() => { calls++; throw new Error('always'); });
      for (let i = 0; i < 3; i++) port.listen({ ip: '127.0.0.1', port: 0 });
      for (let turn = 0; turn < 20; turn++) await new Promise(setImmediate);
      console.log(calls);
    `);
    expect(stdout).toBe('3\n');
  });
});

describe('disposal', () => {
  it('C2: completes what is owed, closes every descriptor, and delivers no close that nobody asked for', async () => {
    const on = bench();
    const { handle, address } = listening(on);
    const { left } = connected(on);
    on.right.port.accept(handle, 5);
    const connecting = on.left.port.connect(address);
    on.left.port.recv(left, 10);
    on.left.port.watchPeer(left);
    const disposed = on.left.port[Symbol.asyncDispose]();
    expect(on.left.port[Symbol.asyncDispose]()).toBe(disposed);
    on.network.settle();
    await disposed;
    expect(on.left.seen.map(({ operation, handle: on }) => [operation, on])).toEqual([
      [Operation.recv, left],
      [Operation.watchPeer, left],
      [Operation.connect, connecting],
    ]);
    expect(on.left.port.stats()).toMatchObject({ streams: 0, listeners: 0, pending: 0, leases: 0 });
    expect(() => on.left.port.recv(left, 1)).toThrow(expect.objectContaining({ code: 'ERR_BACKEND_CLOSED' }));
    const other = on.right.port[Symbol.asyncDispose]();
    on.network.settle();
    await other;
    expect(on.network.openDescriptors).toBe(0);
  });

  it('C5: leases outlive their port', async () => {
    const on = bench();
    const { left, right } = connected(on);
    on.right.keep = true;
    on.right.port.recv(right, 10);
    on.left.port.send(left, text('abc'));
    on.network.settle();
    const { lease } = on.right.take(Operation.recv, right);
    const disposed = on.right.port[Symbol.asyncDispose]();
    on.network.settle();
    await disposed;
    expect(on.right.port.stats().leases).toBe(1);
    on.right.port.release(lease);
    expect(on.right.port.stats().leases).toBe(0);
  });
});
