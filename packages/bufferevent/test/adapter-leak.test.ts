// 3,000 connections under adapters that end in every way: nothing stays open, nothing stays lent, no listener and
// no heap is left.
import { afterEach, expect, it } from 'vitest';
import { MiB } from './support/bytes.js';
import { Program } from './support/program.js';
import { importOfBackend, type SystemBackendName, sockets } from './support/system-backends.js';

const connections = 1_500;

const source = (name: SystemBackendName): string => `
  import { once } from 'node:events';
  import { EventBase, connect, listen } from 'bufferevent';
  import { fromDuplex, toDuplex } from 'bufferevent/duplex';
  import { toWeb } from 'bufferevent/web';
  ${importOfBackend(name)}
  const base = new EventBase({ backend, limits: { closeMs: 500 } });
  const turn = () => new Promise((resolve) => setImmediate(resolve));
  let accepted = [];
  const listener = await listen({ ip: '127.0.0.1', port: 0 }, { onConnection: (bev) => void accepted.push(bev) }, { base });
  const chunk = Buffer.alloc(20_000, 1);
  const ignore = () => {};
  async function one(index) {
    const near = await connect(listener.address, {}, { base });
    while (accepted.length === 0) await turn();
    const far = accepted.shift();
    const echo = toDuplex(far).on('error', ignore);
    echo.pipe(echo);
    const fate = index % 8;
    if (fate < 4) {
      const bev = index % 2 ? near : fromDuplex(toDuplex(near), base);
      const stream = toDuplex(bev).on('error', ignore);
      stream.write(chunk);
      await once(stream, 'data');
      if (fate === 0) stream.end().resume();
      else if (fate === 1) stream.destroy();
      else if (fate === 2) stream.destroy(new Error('x'));
      else bev.free();
      await new Promise((resolve) => stream.closed ? resolve() : stream.once('close', resolve));
    } else {
      const { readable, writable, closed } = toWeb(near);
      const [reader, writer] = [readable.getReader(), writable.getWriter()];
      for (const { closed } of [reader, writer]) closed.catch(ignore);
      await writer.write(chunk);
      await reader.read();
      if (fate === 4) {
        await writer.close();
        while (!(await reader.read()).done);
      } else if (fate === 5) await writer.abort();
      else if (fate === 6) await Promise.all([reader.cancel(), writer.close()]);
      else near.free();
      await closed;
    }
    while (!near.freed || !far.freed) await turn();
  }
  process.on('message', async (count) => {
    for (let index = 0; index < count; index += 40) await Promise.all(Array.from({ length: 40 }, (_, n) => one(index + n)));
    for (let round = 0; round < 4; round++) { gc(); await turn(); }
    const { heapUsed, external, arrayBuffers } = process.memoryUsage();
    process.send({ heapUsed, external, arrayBuffers, ...base.stats().port, callbacks: base.stats().waitingCallbacks });
  });
`;

type State = Record<'heapUsed' | 'external' | 'arrayBuffers' | 'streams' | 'leases' | 'pending' | 'callbacks', number>;

const programs: Program[] = [];
afterEach(async () => {
  for (const program of programs.splice(0)) await program.kill();
});

it.each(sockets)(
  `FR-2: ${connections} connections under adapters leave no handle, no lease and no heap over %s`,
  async (name) => {
    const program = new Program(source(name), { flags: ['--expose-gc'], ipc: true });
    programs.push(program);
    async function round(): Promise<State> {
      program.tell(connections);
      return program.hear<State>();
    }
    const warm = await round();
    const again = await round();
    const numbers = `warm-up ${JSON.stringify(warm)}, afterwards ${JSON.stringify(again)}`;
    console.info(numbers);
    expect(again, numbers).toMatchObject({ streams: 0, leases: 0, callbacks: 0 });
    expect(again.heapUsed - warm.heapUsed, numbers).toBeLessThan(MiB);
    expect(again.external - warm.external, numbers).toBeLessThan(2 * MiB);
  },
  120_000,
);
