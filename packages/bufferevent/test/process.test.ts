// What happens to the process: the table at the end of docs/bufferevent-contract.md, each case in a process of its own.
import { createServer, connect as dial, type Socket } from 'node:net';
import { describe, expect, it } from 'vitest';
import { Program, run } from './support/program.js';
import { importOfBackend, type SystemBackendName, sockets as systemBackendNames } from './support/system-backends.js';

/** `connect` and `listen` for a program, on a base over that backend. */
const over = (name: SystemBackendName): string => `
  import { connect as connectTo, EventBase, listen as listenOn } from 'bufferevent';
  ${importOfBackend(name)}
  const base = new EventBase({ backend });
  const connect = (target, handlers, options) => connectTo(target, handlers, { base, ...options });
  const listen = (target, handlers, options) => listenOn(target, handlers, { base, ...options });
`;

describe.each(systemBackendNames)('over %s', (name) => {
  /** A server whose first connection is reset by its peer, in every state that `body` puts it in. */
  const resetPeer = (body: string): string => `
  import { connect as dial } from 'node:net';
  ${over(name)}
  process.on('warning', ({ name }) => console.log('warning', name));
  let first = true;
  const listener = await listen({ ip: '127.0.0.1', port: 0 }, {
    onConnection(bev) {
      if (!first) return bev.enable('read');
      first = false;
      ${body}
    },
    onRead(bev) { bev.write(bev.input); },
  });
  const { port } = listener.address;
  const victim = dial(port, '127.0.0.1');
  victim.on('error', () => {});
  await new Promise((resolve) => victim.once('connect', resolve));
  await new Promise((resolve) => setImmediate(resolve));
  victim.resetAndDestroy();
  // Somebody else is served several times over before this is over.
  const other = dial(port, '127.0.0.1');
  let echoed = 0;
  other.write('x');
  other.on('data', () => {
    if (++echoed < 20) return other.write('x');
    console.log('served');
    process.exitCode = 0;
    other.destroy();
    void listener.base[Symbol.asyncDispose]();
  });
`;

  it('B64: a reset that nobody observes does nothing to the process', async () => {
    for (const body of [
      `bev.enable('read');`,
      `bev.write(new Uint8Array(8_000_000));`,
      `bev.setHandlers(null);`,
      `bev.closed;`,
    ]) {
      expect(await run(resetPeer(body)), body).toEqual({ code: 0, signal: null, stdout: 'served\n', stderr: '' });
    }
  });

  it('B75: a rejected pull nobody awaits is one unhandled rejection, that of the promise of the caller', async () => {
    for (const pull of ['bev.read(10)', 'bev.readLine()', 'bev.read()']) {
      const outcome = await run(
        `process.on('unhandledRejection', (reason, promise) => {
         console.log('unhandled', reason.code, promise === globalThis.pull);
       });
       process.on('rejectionHandled', () => console.log('handled late'));
       ${resetPeer(`globalThis.pull = ${pull};`)}`,
      );
      expect(outcome, pull).toEqual({
        code: 0,
        signal: null,
        stdout: expect.stringMatching(/^(served\n)?unhandled ECONNRESET true\n(served\n)?$/),
        stderr: '',
      });
    }
  });

  it('B75: a rejected pull that is awaited is no unhandled rejection, also when a time-out or free() rejects it', async () => {
    const outcome = await run(`
    ${over(name)}
    process.on('warning', ({ name }) => console.log('warning', name));
    const listener = await listen({ ip: '127.0.0.1', port: 0 }, {});
    const bev = await connect(listener.address);
    bev.setTimeouts({ readMs: 20 });
    await bev.read(5).catch(({ code }) => console.log(code));
    const pending = [bev.readLine(), bev.read(3), bev.drained()];
    bev.free();
    for (const { reason } of await Promise.allSettled(pending)) console.log(reason?.code ?? 'drained');
    await bev.end();
    await listener.close();
    await listener.base[Symbol.asyncDispose]();
  `);
    expect(outcome).toMatchObject({ code: 0, stderr: '' });
    expect(outcome.stdout.split('\n').slice(0, 3)).toEqual([
      'ERR_BUFFEREVENT_TIMEOUT',
      'ERR_BUFFEREVENT_FREED',
      'ERR_BUFFEREVENT_FREED',
    ]);
  });

  const throwing = (extra: string): string => `
  ${over(name)}
  let uncaught = 0;
  ${extra}
  const listener = await listen({ ip: '127.0.0.1', port: 0 }, {
    onRead(bev) {
      const text = String.fromCharCode(...bev.input.remove(bev.input.length));
      if (text === 'throw') throw new Error('thrown by a handler');
      bev.write(text);
    },
  });
  const bad = await connect(listener.address);
  const good = await connect(listener.address);
  bad.write('throw');
  good.write('hello');
  console.log(new TextDecoder().decode(await good.read(5)));
  bad.write('again');
  console.log(new TextDecoder().decode(await bad.read(5)));
  console.log('uncaught', uncaught);
  await listener.base[Symbol.asyncDispose]();
`;

  it('B10: a handler that throws is one uncaught exception, and every connection is served', async () => {
    const outcome = await run(
      throwing(`process.on('uncaughtException', ({ message }) => { uncaught += 1; console.log(message); });`),
    );
    expect(outcome).toMatchObject({ code: 0, stderr: '' });
    expect(outcome.stdout.split('\n').filter(Boolean).sort()).toEqual([
      'again',
      'hello',
      'thrown by a handler',
      'uncaught 1',
    ]);
  });

  it('B10: without a handler for uncaught exceptions it ends the process as any exception does', async () => {
    const outcome = await run(throwing(''));
    expect(outcome.code).toBe(1);
    expect(outcome.stderr.match(/Error: thrown by a handler/g)).toHaveLength(1);
  });

  it('B65: disposal at the end of a program ends the connection cleanly, then the process ends by itself', async () => {
    const received: Buffer[] = [];
    let ended = false;
    let failed = false;
    const server = createServer({ allowHalfOpen: true }, (socket: Socket) => {
      socket.on('data', (chunk: Buffer) => void received.push(chunk));
      socket.on('error', () => {
        failed = true;
      });
      socket.on('end', () => {
        ended = true;
        socket.end('bye');
      });
    });
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
    const { port } = server.address() as { port: number };
    const outcome = await run(`
    ${over(name)}
    const bev = await connect({ host: '127.0.0.1', port: ${port} });
    try {
      bev.write(new Uint8Array(3_000_000));
    } finally {
      await bev[Symbol.asyncDispose]();
    }
    console.log((await bev.closed).kind);
  `);
    expect(outcome).toEqual({ code: 0, signal: null, stdout: 'clean\n', stderr: '' });
    expect(Buffer.concat(received).length).toBe(3_000_000);
    expect({ ended, failed }).toEqual({ ended: true, failed: false });
    await new Promise((resolve) => server.close(resolve));
  });

  it('B65: nothing of a freed connection keeps the process alive, whatever its time-outs', async () => {
    const outcome = await run(`
    ${over(name)}
    const listener = await listen({ ip: '127.0.0.1', port: 0 }, { onConnection: (bev) => bev.free() });
    const bev = await connect(listener.address);
    bev.setTimeouts({ readMs: 60_000, writeMs: 60_000, idleMs: 60_000 });
    await bev.read().catch(() => {});
    bev.free();
    await listener.close();
    console.log('done');
  `);
    expect(outcome).toEqual({ code: 0, signal: null, stdout: 'done\n', stderr: '' });
  });

  it('C16: a listener keeps the process alive; unref() gives that up', async () => {
    const serve = `
    ${over(name)}
    const listener = await listen({ ip: '127.0.0.1', port: 0 }, { onRead: (bev) => bev.write(bev.input) });
    console.log('port', listener.address.port, 'ready');
  `;
    expect(await run(`${serve} listener.unref();`)).toMatchObject({ code: 0, signal: null });
    expect(await run(`${serve} listener.base.unref();`)).toMatchObject({ code: 0, signal: null });
    const program = new Program(serve);
    const port = Number(/port (\d+)/.exec(await program.says('ready'))?.[1]);
    const socket = dial(port, '127.0.0.1');
    socket.write('alive');
    const [answer] = await new Promise<Buffer[]>((resolve) => socket.once('data', (chunk: Buffer) => resolve([chunk])));
    expect(String(answer)).toBe('alive');
    socket.destroy();
    expect(await program.kill()).toMatchObject({ signal: 'SIGKILL', stderr: '' });
  });

  it('C16: a pending pull keeps the process alive; a connection with unref() does not', async () => {
    const server = createServer((socket) => {
      socket.on('error', () => {});
      socket.on('data', (chunk: Buffer) => void socket.write(chunk));
    });
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
    const { port } = server.address() as { port: number };
    const client = (body: string): string => `
    ${over(name)}
    const bev = await connect({ host: '127.0.0.1', port: ${port} });
    ${body}
  `;
    const echoed = await run(client(`bev.write('echo\\n'); console.log(await bev.readLine()); bev.free();`));
    expect(echoed).toEqual({ code: 0, signal: null, stdout: 'echo\n', stderr: '' });
    const left = await run(client(`bev.unref(); void bev.read(5); console.log('left');`));
    expect(left).toEqual({ code: 0, signal: null, stdout: 'left\n', stderr: '' });
    server.close();
  });

  it('C16: an idle connection that wants nothing does not keep the process alive; one that reads does', async () => {
    const sockets: Socket[] = [];
    const server = createServer((socket) => {
      socket.on('error', () => {});
      sockets.push(socket);
    });
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
    const { port } = server.address() as { port: number };
    const client = (body: string): string => `
    ${over(name)}
    const bev = await connect({ ip: '127.0.0.1', port: ${port} }, { onRead() { console.log('read'); bev.free(); } },
      { enable: ['write'] });
    bev.setTimeouts({ readMs: 60_000, idleMs: 60_000 });
    await new Promise((resolve) => setImmediate(resolve));
    ${body}
  `;
    const idle = await run(client(`console.log('idle', bev.freed);`));
    expect(idle).toEqual({ code: 0, signal: null, stdout: 'idle false\n', stderr: '' });
    sockets.length = 0;
    const reading = new Program(client(`bev.enable('read'); console.log('reading');`));
    await reading.says('reading');
    sockets[0]?.write('x');
    expect(await reading.outcome).toEqual({ code: 0, signal: null, stdout: 'reading\nread\n', stderr: '' });
    server.close();
  });

  it('B131, C16: what waits for its rate keeps the process alive until it has moved, in both directions', async () => {
    let received = 0;
    const server = createServer((socket) => {
      socket.on('error', () => {});
      socket.on('data', (chunk: Buffer) => {
        received += chunk.length;
      });
      socket.end(Buffer.alloc(500));
    });
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
    const { port } = server.address() as { port: number };
    const client = (body: string): string => `
    import { RateLimitGroup, TokenBucketConfig } from 'bufferevent';
    ${over(name)}
    const bev = await connect({ ip: '127.0.0.1', port: ${port} });
    const config = new TokenBucketConfig({ readRate: 100, writeRate: 100, tickMs: 10 });
    ${body}
    console.log('done');
  `;
    const write = `bev.write(new Uint8Array(500)); await bev.drained();`;
    const read = `for await (const chunk of bev);`;
    const end = `bev.enable('read'); bev.setHandlers({ onRead: ({ input }) => input.drain() }); await bev.end();`;
    const join = `new RateLimitGroup(base, config).add(bev);`;
    for (const limit of [`bev.setRateLimit(config);`, join]) {
      for (const use of [write, read, end]) {
        const outcome = await run(client(`${limit} ${use}`));
        expect(outcome, limit + use).toEqual({ code: 0, signal: null, stdout: 'done\n', stderr: '' });
      }
    }
    await new Promise((resolve) => server.close(resolve));
    expect(received).toBe(1000);
  });
});

it('C16: waiting for a rate holds the process only for what is wanted and referenced', async () => {
  const limited = (body: string): string => `
    import { createPair, EventBase, FilterBufferevent, RateLimitGroup, SocketBufferevent, TokenBucketConfig } from 'bufferevent';
    import { fromDuplex } from 'bufferevent/duplex';
    import { ManualClock } from 'bufferevent/testing';
    import { createMemoryBackend, MemoryNetwork } from 'bufferevent-backend/memory';
    import { Duplex } from 'node:stream';
    const turn = () => new Promise((resolve) => setImmediate(resolve));
    const network = new MemoryNetwork();
    const clock = new ManualClock();
    const base = new EventBase({ clock, backend: createMemoryBackend(network) });
    const config = new TokenBucketConfig({ readRate: 1, writeRate: 1 });
    const exhausted = (limit) => {
      limit.debitRead(1);
      limit.debitWrite(1);
      return limit;
    };
    const limit = (bev) => {
      bev.setRateLimit(config);
      return exhausted(bev);
    };
    const socket = new SocketBufferevent(base);
    void socket.setDescriptor(network.socketPair()[0]);
    ${body}
    for (let left = 5; left > 0; left--) await turn();
    console.log(process.getActiveResourcesInfo().includes('Timeout'));
    process.exit();
  `;
  const group = `exhausted(new RateLimitGroup(base, config)).add(socket);`;
  const filter = `const filter = limit(new FilterBufferevent(socket));`;
  const outcomes: Record<string, boolean> = {
    [`limit(socket);`]: false,
    [`limit(socket).write('x');`]: true,
    [`limit(socket).enable('read');`]: true,
    [`void limit(socket).read();`]: true,
    [`void limit(socket).end(); await turn(); await turn();`]: true,
    [`limit(socket).write('x'); socket.disable('write');`]: false,
    [`limit(socket).write('x'); await turn(); socket.disable('write');`]: false,
    [`limit(socket).enable('read'); await turn(); socket.disable('read');`]: false,
    [`limit(socket).write('x'); await turn(); socket.setRateLimit(null); await turn(); await turn();`]: false,
    [`limit(socket).write('x'); await turn(); clock.advance(1000);`]: false,
    [`limit(socket).write('x'); await turn(); socket.free();`]: false,
    [`limit(socket).write('x'); await turn(); await base[Symbol.asyncDispose]();`]: false,
    [`limit(socket).write('x'); await turn(); socket.unref();`]: false,
    [`socket.unref(); limit(socket).write('x'); await turn();`]: false,
    [`socket.unref(); limit(socket).write('x'); await turn(); socket.ref();`]: true,
    [`limit(socket).write('x'); await turn(); base.unref();`]: false,
    [`base.unref(); limit(socket).write('x'); await turn(); base.ref();`]: true,
    [`${group}`]: false,
    [`${group} socket.write('x');`]: true,
    [`${group} socket.write('x'); await turn(); socket.unref();`]: false,
    [`${filter} filter.write('x');`]: true,
    [`${filter} filter.write('x'); await turn(); socket.unref();`]: false,
    [`${filter} filter.write('x'); await turn(); filter.unref(); filter.ref();`]: true,
    [`${filter} filter.write('x'); await turn(); filter.free();`]: false,
    [`const [pair] = createPair(base); limit(pair).write('x');`]: false,
    [`limit(fromDuplex(new Duplex({ read() {}, write() {} }), base)).write('x');`]: true,
  };
  const bodies = Object.keys(outcomes);
  const said = await Promise.all(bodies.map((body) => run(limited(body), 20_000)));
  expect(Object.fromEntries(bodies.map((body, index) => [body, said[index]?.stdout || said[index]]))).toEqual(
    Object.fromEntries(bodies.map((body) => [body, `${outcomes[body]}\n`])),
  );
});

it('C16: unref() before connect() lets the process end while the attempt is pending', async () => {
  const attempt = (body: string): string => `
    import { EventBase, SocketBufferevent } from 'bufferevent';
    import { createMemoryBackend, MemoryNetwork } from 'bufferevent-backend/memory';
    const network = new MemoryNetwork();
    network.blackhole({ ip: '127.0.0.9', port: 0 });
    const bev = new SocketBufferevent(new EventBase({ backend: createMemoryBackend(network) }));
    ${body}
    await new Promise((resolve) => setImmediate(resolve));
    console.log('attempting');
  `;
  const target = `{ ip: '127.0.0.9', port: 80 }`;
  const before = await run(attempt(`bev.unref(); bev.connect(${target});`));
  expect(before).toEqual({ code: 0, signal: null, stdout: 'attempting\n', stderr: '' });
  const during = await run(attempt(`bev.connect(${target}); bev.unref();`));
  expect(during).toEqual(before);
  const referenced = new Program(
    attempt(`bev.unref(); bev.connect(${target}); bev.ref();
    process.on('beforeExit', () => console.log('about to exit'));`),
  );
  await referenced.says('attempting');
  expect(await referenced.kill()).toMatchObject({ signal: 'SIGKILL', stdout: 'attempting\n' });
});

it('C16: unref() and ref() reach every attempt of a race, those that begin later too, and the connection', async () => {
  const racing = (body: string): string => `
    import { EventBase, listen, SocketBufferevent } from 'bufferevent';
    import { ManualClock } from 'bufferevent/testing';
    import { createMemoryBackend, MemoryNetwork } from 'bufferevent-backend/memory';
    const turn = () => new Promise((resolve) => setImmediate(resolve));
    const streams = async (count) => { while (base.stats().port.streams !== count) await turn(); };
    const network = new MemoryNetwork();
    for (const ip of ['127.0.0.7', '127.0.0.8', '127.0.0.9']) network.blackhole({ ip, port: 0 });
    const clock = new ManualClock();
    const base = new EventBase({ clock, backend: createMemoryBackend(network) });
    const listener = await listen({ ip: '127.0.0.9', port: 80 }, {}, { base });
    listener.unref();
    const bev = new SocketBufferevent(base, { handlers: { onRead() {}, onEvent: (_, { kind }) => console.log(kind) } });
    bev.enable('read');
    bev.connect({ addresses: [7, 8, 9].map((last) => ({ ip: '127.0.0.' + last, port: 80 })) });
    ${body}
    await turn();
    console.log(base.stats().port.streams, 'streams');
  `;
  const next = `clock.advance(250); await turn();`;
  const ended = async (body: string) => {
    const outcome = await run(racing(body));
    expect(outcome, body).toMatchObject({ code: 0, signal: null, stderr: '' });
    return outcome.stdout;
  };
  expect(await ended(`bev.unref();`)).toBe('1 streams\n');
  expect(await ended(`${next} bev.unref();`)).toBe('2 streams\n');
  expect(await ended(`bev.unref(); ${next} ${next}`)).toBe('3 streams\n');
  const connect = `${next} ${next} network.restore({ ip: '127.0.0.9', port: 0 }); await streams(2);`;
  expect(await ended(`bev.unref(); ${connect}`)).toBe('connected\n2 streams\n');
  expect(await ended(`${connect} bev.unref();`)).toBe('connected\n2 streams\n');
  // The memory backend holds the process with a timer.
  const held = `await turn(); console.log(process.getActiveResourcesInfo().includes('Timeout')); process.exit();`;
  const holds = async (body: string) => (await ended(`${body} ${held}`)).replace('connected\n', '');
  expect(await holds(`bev.unref(); ${next} bev.ref();`)).toBe('true\n');
  expect(await holds(`bev.unref(); ${next} bev.ref(); bev.unref();`)).toBe('false\n');
  expect(await holds(`bev.unref(); ${connect} bev.ref();`)).toBe('true\n');
  expect(await holds(`bev.unref(); ${connect}`)).toBe('false\n');
  expect(await holds(connect)).toBe('true\n');
});

it('C16: unref() holds for a descriptor that is given later', async () => {
  const changing = (body: string): string => `
    import { EventBase, SocketBufferevent } from 'bufferevent';
    import { createMemoryBackend, MemoryNetwork } from 'bufferevent-backend/memory';
    const network = new MemoryNetwork();
    const bev = new SocketBufferevent(new EventBase({ backend: createMemoryBackend(network) }));
    bev.enable('read');
    ${body}
    await new Promise((resolve) => setImmediate(resolve));
    console.log(process.getActiveResourcesInfo().includes('Timeout'));
    process.exit();
  `;
  const give = 'void bev.setDescriptor(network.socketPair()[0]);';
  const outcomes: Record<string, string> = {
    [give]: 'true\n',
    [`bev.unref(); ${give}`]: 'false\n',
    [`bev.unref(); ${give} bev.ref();`]: 'true\n',
    [`bev.unref(); ${give} ${give}`]: 'false\n',
  };
  for (const [body, stdout] of Object.entries(outcomes)) {
    expect(await run(changing(body)), body).toEqual({ code: 0, signal: null, stdout, stderr: '' });
  }
});
