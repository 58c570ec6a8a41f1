// 1,000 connections that end badly: nothing stays open, nothing stays lent, and the heap is what it was.
import { afterEach, expect, it } from 'vitest';
import { MiB } from './support/bytes.js';
import { Program } from './support/program.js';
import { importOfBackend, type SystemBackendName, sockets } from './support/system-backends.js';

const connections = 1_000;

/** Echoes with pressure; after each round tells what is left. */
const server = (name: SystemBackendName): string => `
  import { EventBase, listen } from 'bufferevent';
  ${importOfBackend(name)}
  const base = new EventBase({ backend, limits: { closeMs: 500 } });
  let accepted = 0, bytes = 0;
  const causes = {};
  const handlers = {
    onConnection(bev) {
      accepted += 1;
      bev.setTimeouts({ idleMs: 1000 });
      bev.closed.then(({ kind }) => { causes[kind] = (causes[kind] ?? 0) + 1; });
    },
    onRead(bev) {
      bytes += bev.input.length;
      if (!bev.write(bev.input)) bev.disable('read');
    },
    onWrite(bev) {
      if (!bev.readEnded) bev.enable('read');
    },
    onEvent(bev, event) {
      if (event.kind === 'eof') void bev.end();
      else bev.free();
    },
  };
  const listener = await listen({ ip: '127.0.0.1', port: 0 }, handlers, { base, backlog: 2000 });
  process.send({ port: listener.address.port });
  const turn = () => new Promise((resolve) => setImmediate(resolve));
  process.on('message', async (wanted) => {
    while (accepted < wanted || listener.connections > 0 || base.stats().port.streams > 0) await turn();
    for (let round = 0; round < 4; round++) { gc(); await turn(); }
    const { heapUsed, external, arrayBuffers } = process.memoryUsage();
    process.send({ heapUsed, external, arrayBuffers, accepted, bytes, causes, port: base.stats().port });
  });
`;

/** Connections that transfer, and at a random moment reset, half-close or fall silent. */
const clients = `
  import { connect } from 'node:net';
  let seed = 1;
  const random = (limit) => { seed = (Math.imul(seed, 1664525) + 1013904223) >>> 0; return (seed >>> 8) % limit; };
  const chunk = Buffer.alloc(16 * 1024, 0x61);
  let abandoned = [];
  const one = (port) => new Promise((resolve) => {
    const socket = connect({ port, host: '127.0.0.1', allowHalfOpen: true });
    let left = 16 * 1024 + random(300 * 1024);
    const fate = ['reset', 'halfClose', 'abandon'][random(3)];
    socket.on('error', () => {});
    socket.on('close', resolve);
    socket.on('connect', () => socket.write(chunk));
    socket.on('data', (data) => {
      left -= data.length;
      if (left > 0) return void (socket.writableNeedDrain || socket.writableEnded || socket.write(chunk));
      if (fate === 'reset') return socket.resetAndDestroy();
      if (fate === 'halfClose') return socket.end(chunk);
      socket.pause();
      abandoned.push(socket);
      resolve();
    });
  });
  process.on('message', async ({ port, count }) => {
    await Promise.all(Array.from({ length: count }, () => one(port)));
    process.send('done');
    // Those that fell silent are still open here; the server must do without them.
  });
  process.on('SIGTERM', () => process.exit(0));
`;

interface State {
  readonly heapUsed: number;
  readonly external: number;
  readonly accepted: number;
  readonly bytes: number;
  readonly causes: Record<string, number>;
  readonly port: Record<string, number>;
}

const programs: Program[] = [];
afterEach(async () => {
  for (const program of programs.splice(0)) await program.kill();
});

it.each(sockets)(
  'FR-2: 1,000 connections reset, half-closed or abandoned leave no handle, no lease and no heap over %s',
  async (name) => {
    const serving = new Program(server(name), { flags: ['--expose-gc'], ipc: true });
    programs.push(serving);
    const { port } = await serving.hear<{ port: number }>();
    let expected = 0;

    async function round(): Promise<State> {
      // Clients in a process of their own; a new one each time, so that the silent ones end with it.
      const dialling = new Program(clients, { ipc: true });
      programs.push(dialling);
      dialling.tell({ port, count: connections });
      await dialling.hear();
      expected += connections;
      serving.tell(expected);
      const state = await serving.hear<State>();
      await dialling.kill();
      return state;
    }

    // Three times: what the first rounds leave is code that was compiled for them.
    await round();
    await round();
    const warm = await round();
    const again = await round();
    const numbers = `warm-up ${JSON.stringify(warm)}, afterwards ${JSON.stringify(again)}`;
    console.info(numbers);
    expect(again.accepted, numbers).toBe(4 * connections);
    expect(again.port, numbers).toMatchObject({ streams: 0, listeners: 1, leases: 0 });
    expect(
      Object.values(again.causes).reduce((left, right) => left + right),
      numbers,
    ).toBe(4 * connections);
    const grown = again.heapUsed - warm.heapUsed;
    expect(grown, numbers).toBeLessThan(0.05 * warm.heapUsed);
    expect(grown, numbers).toBeLessThan(2 * MiB);
    expect(again.external - warm.external, numbers).toBeLessThan(2 * MiB);
  },
  120_000,
);
