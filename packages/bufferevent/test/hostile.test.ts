// Peers that mean harm, on real sockets. The server runs in a process of its own and tells how much memory it holds.
import { connect as dial, type Socket } from 'node:net';
import { afterEach, describe, expect, it } from 'vitest';
import { KiB, MiB } from './support/bytes.js';
import { Program } from './support/program.js';
import { importOfBackend, type SystemBackendName, sockets } from './support/system-backends.js';

interface Report {
  readonly heapUsed: number;
  readonly external: number;
  readonly open: number;
  readonly leases: number;
  /** The largest input and output that a connection had in any callback or report. */
  readonly input: number;
  readonly output: number;
  /** What all inputs hold together now. */
  readonly held: number;
  readonly notes: Record<string, number>;
}

/** A server with these handlers; `note(name)` counts, `report` answers with the numbers. */
const server = (name: SystemBackendName, handlers: string, options: string): string => `
  import { EventBase, listen } from 'bufferevent';
  ${importOfBackend(name)}
  const base = new EventBase({ backend, ${options} });
  const notes = {};
  const note = (name) => { notes[name] = (notes[name] ?? 0) + 1; };
  const all = new Set();
  let input = 0, output = 0;
  const look = () => { for (const bev of all) {
    if (bev.freed) { all.delete(bev); continue; }
    input = Math.max(input, bev.input.length); output = Math.max(output, bev.output.length);
  } };
  const handlers = { ${handlers} };
  const onConnection = handlers.onConnection;
  handlers.onConnection = (bev, listener) => { all.add(bev); onConnection?.(bev, listener); };
  const listener = await listen({ ip: '127.0.0.1', port: 0 }, handlers, { base });
  process.send({ port: listener.address.port });
  process.on('message', () => {
    look();
    gc();
    const { heapUsed, external } = process.memoryUsage();
    const { streams, leases } = base.stats().port;
    let held = 0;
    for (const bev of all) held += bev.input.length;
    process.send({ heapUsed, external, open: streams, leases, input, output, held, notes });
  });
`;

const programs: Program[] = [];
const peersOpen: Socket[] = [];

afterEach(async () => {
  for (const socket of peersOpen.splice(0)) socket.destroy();
  for (const program of programs.splice(0)) await program.kill();
});

interface Serving {
  readonly port: number;
  report(): Promise<Report>;
}

async function startOver(name: SystemBackendName, handlers: string, options = ''): Promise<Serving> {
  const program = new Program(server(name, handlers, options), { flags: ['--expose-gc'], ipc: true });
  programs.push(program);
  const { port } = await program.hear<{ port: number }>();
  return {
    port,
    report() {
      program.tell('report');
      return program.hear<Report>();
    },
  };
}

async function attackers(port: number, count: number, begin: (socket: Socket) => void): Promise<void> {
  await Promise.all(
    Array.from({ length: count }, async () => {
      const socket = dial({ port, host: '127.0.0.1', allowHalfOpen: true });
      peersOpen.push(socket);
      socket.on('error', () => {});
      await new Promise((resolve) => socket.once('connect', resolve));
      begin(socket);
    }),
  );
}

/** Writes as long as the system takes it, up to `limit` bytes. */
function flood(socket: Socket, limit: number, fill: number): void {
  const chunk = Buffer.alloc(64 * KiB, fill);
  let left = limit;
  const pump = (): void => {
    while (left > 0 && !socket.destroyed) {
      left -= chunk.length;
      if (!socket.write(chunk)) return;
    }
  };
  socket.on('drain', pump);
  pump();
}

/** Reports until one fulfils the condition. */
async function reportUntil(report: () => Promise<Report>, condition: (report: Report) => boolean): Promise<Report> {
  const deadline = performance.now() + 15_000;
  for (;;) {
    const last = await report();
    if (condition(last)) return last;
    if (performance.now() > deadline) throw new Error(`waited for a report, the last is ${JSON.stringify(last)}`);
  }
}

const peers = 40;

/** One line for the log of the run: what an attack cost. */
function tell(attack: string, before: Report, after: Report): void {
  const mebibytes = (bytes: number): string => (bytes / MiB).toFixed(1);
  const memory = `${mebibytes(after.external - before.external)} MiB buffers, ${mebibytes(after.heapUsed - before.heapUsed)} MiB heap`;
  console.info(`${attack}: ${memory}, largest input ${after.input}, largest output ${after.output}`);
}

describe.each(sockets)('over %s', (name) => {
  const start = (handlers: string, options?: string) => startOver(name, handlers, options);

  it('B72: an endless line costs at most its limit and ends in an error', { timeout: 30_000 }, async () => {
    const { port, report } = await start(`
    onConnection(bev) {
      bev.readLine().then(() => note('line'), ({ code }) => { note(code); bev.free(); });
    },
  `);
    const before = await report();
    await attackers(port, peers, (socket) => flood(socket, 64 * MiB, 0x41));
    const after = await reportUntil(report, ({ notes }) => notes['ERR_BUFFEREVENT_LINE_LIMIT'] === peers);
    const done = await reportUntil(report, ({ open }) => open === 0);
    tell(`${peers} endless lines`, before, after);
    expect(after.notes).toEqual({ ERR_BUFFEREVENT_LINE_LIMIT: peers });
    expect(after.input).toBeLessThanOrEqual(256 * KiB);
    expect(done.leases).toBe(0);
    expect(done.external - before.external).toBeLessThan(4 * MiB);
  });

  it('RD-4: a flood that nobody takes costs at most the high mark for each connection', {
    timeout: 30_000,
  }, async () => {
    const { port, report } = await start(`onRead() { look(); note('read'); },`);
    const before = await report();
    await attackers(port, peers, (socket) => flood(socket, 64 * MiB, 0x42));
    const full = await reportUntil(report, ({ held }) => held === peers * 256 * KiB);
    tell(`${peers} floods`, before, full);
    // 256 KiB each in input, as much again in the backend at most.
    expect(full.input).toBe(256 * KiB);
    expect(full.external - before.external).toBeLessThan(peers * 512 * KiB + 8 * MiB);
    expect(full.open).toBe(peers);
  });

  it('WR-4: a peer that never reads costs at most the high mark when pressure is respected', {
    timeout: 30_000,
  }, async () => {
    const { port, report } = await start(`
    async onConnection(bev) {
      const chunk = new Uint8Array(16 * 1024);
      try {
        for (;;) {
          while (bev.write(chunk)) {}
          look();
          note('waits');
          await bev.drained();
        }
      } catch { note('failed'); }
    },
  `);
    const before = await report();
    await attackers(port, peers, (socket) => void socket.pause());
    const stuck = await reportUntil(report, ({ notes }) => (notes['waits'] ?? 0) >= peers);
    tell(`${peers} peers that never read`, before, stuck);
    expect(stuck.output).toBeLessThanOrEqual(64 * KiB + 16 * KiB);
    expect(stuck.external - before.external).toBeLessThan(peers * 128 * KiB + 8 * MiB);
    expect(stuck.notes['failed']).toBeUndefined();
  });

  it('WR-4: a server that ignores pressure is stopped by the hard cap', { timeout: 30_000 }, async () => {
    const { port, report } = await start(
      `
    onRead(bev) {
      look();
      try { bev.write(bev.input); } catch ({ code }) { note(code); }
    },
    onEvent(bev, event) {
      note(event.kind);
      if (event.kind !== 'eof') bev.free();
    },
  `,
      'limits: { outputMaxBytes: 2 * 1024 * 1024 }',
    );
    const before = await report();
    await attackers(port, 10, (socket) => {
      socket.pause();
      flood(socket, 64 * MiB, 0x43);
    });
    const after = await reportUntil(report, ({ open, notes }) => open === 0 && (notes['error'] ?? 0) > 0);
    tell('10 floods into an echo without pressure, cap 2 MiB', before, after);
    expect(after.output).toBeLessThanOrEqual(2 * MiB);
    expect(after.notes).toEqual({ ERR_BUFFEREVENT_OUTPUT_LIMIT: 10, error: 10 });
    const rest = await reportUntil(report, ({ leases }) => leases === 0);
    expect(rest.external - before.external).toBeLessThan(10 * MiB);
  });

  it('B61: peers that never close are closed by the deadline of end()', { timeout: 30_000 }, async () => {
    const { port, report } = await start(
      `
    onConnection(bev) { void bev.end().then((cause) => note(cause.timeout ?? cause.kind)); },
  `,
      'limits: { closeMs: 300 }',
    );
    const before = await report();
    await attackers(port, peers, (socket) => void socket.resume());
    const closed = await reportUntil(report, ({ notes }) => notes['close'] === peers);
    tell(`${peers} peers that never close`, before, closed);
    expect(closed.notes).toEqual({ close: peers });
    expect(closed).toMatchObject({ open: 0, leases: 0 });
  });

  it('B61: peers that dribble for ever do not hold end() for ever', { timeout: 30_000 }, async () => {
    const { port, report } = await start(
      `
    onConnection(bev) { void bev.end().then((cause) => note(cause.timeout ?? cause.kind)); },
  `,
      'limits: { closeMs: 300 }',
    );
    const timers: NodeJS.Timeout[] = [];
    await attackers(port, 5, (socket) => {
      socket.resume();
      timers.push(setInterval(() => void (socket.destroyed || socket.write('.')), 50));
    });
    try {
      const closed = await reportUntil(report, ({ notes }) => (notes['close'] ?? 0) + (notes['reset'] ?? 0) === 5);
      expect(closed).toMatchObject({ open: 0, leases: 0 });
    } finally {
      for (const timer of timers) clearInterval(timer);
    }
  });
});
