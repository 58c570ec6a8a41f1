import { readdirSync } from 'node:fs';
import { Operation } from 'bufferevent-backend';
import { expect } from 'vitest';
import { itOnEpoll } from './available.js';
import { Stage } from './stage.mjs';

/** Sanitizers keep freed memory for a while. */
const isSanitized = process.env['BUFFEREVENT_EPOLL_ADDON'] !== undefined;

async function useOnce(round: number): Promise<void> {
  const stage = new Stage();
  if (round % 3 === 0) return stage.port[Symbol.asyncDispose]();
  const { left, right } = await stage.pair();
  if (round % 3 === 1) {
    stage.port.send(left, [{ memory: new Uint8Array(100), start: 0, end: 100 }]);
    stage.port.recv(right, 1000);
    await stage.taken(right, Operation.recv);
  }
  await stage.port[Symbol.asyncDispose]();
}

async function memoryAfterCollection(): Promise<NodeJS.MemoryUsage> {
  for (let round = 0; round < 3; round++) {
    await new Promise((resolve) => setImmediate(resolve));
    globalThis.gc?.();
  }
  return process.memoryUsage();
}

itOnEpoll(
  'C16: thousands of ports that were opened and disposed of leave no descriptor and no memory behind',
  async () => {
    expect(globalThis.gc, 'run with --expose-gc').toBeTypeOf('function');
    const ports = isSanitized ? 300 : 2000;
    const residentAfterPorts = async (): Promise<number> => {
      for (let round = 0; round < ports; round++) await useOnce(round);
      return (await memoryAfterCollection()).rss;
    };
    let resident = await residentAfterPorts();
    const descriptors = readdirSync('/proc/self/fd').length;
    const grown: number[] = [];
    for (let batch = 0; batch < 4; batch++) {
      const now = await residentAfterPorts();
      grown.push(now - resident);
      resident = now;
    }
    console.log(
      `RSS grew by ${grown.map((bytes) => Math.round(bytes / 1024)).join(', ')} KiB over ${ports} ports each`,
    );
    expect(readdirSync('/proc/self/fd').length).toBe(descriptors);
    // A port has rings and slabs of more than 400 KiB. A reference that is left behind keeps them every time; the heap takes
    // and gives back a few MiB now and then.
    if (!isSanitized) expect(Math.min(...grown)).toBeLessThan(2 * 2 ** 20);
  },
  120_000,
);

itOnEpoll(
  'C5: received memory that a user detaches leaves nothing behind',
  async () => {
    const stage = new Stage();
    const { left, right } = await stage.pair();
    const memory = new Uint8Array(16);
    const receiveAndDetach = async (rounds: number): Promise<number> => {
      for (let round = 0; round < rounds; round++) {
        stage.port.send(left, [{ memory, start: 0, end: 16 }]);
        stage.port.recv(right, 1000);
        await stage.taken(right, Operation.recv);
        const [received] = stage.received.splice(0) as [Stage['received'][number]];
        structuredClone(received.memory.buffer, { transfer: [received.memory.buffer as ArrayBuffer] });
        stage.port.release(received.lease);
      }
      return (await memoryAfterCollection()).heapUsed;
    };
    const before = await receiveAndDetach(1000);
    const grown = (await receiveAndDetach(10_000)) - before;
    console.log(`the heap grew by ${(grown / 1024).toFixed()} KiB over 10,000 slabs`);
    await stage.port[Symbol.asyncDispose]();
    expect(grown).toBeLessThan(512 * 1024);
  },
  60_000,
);
