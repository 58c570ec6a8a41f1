import { connect, type Socket } from 'node:net';
import { Errno, type Handle, type IpAddress, type Lease, Operation, type Port } from 'bufferevent-backend';
import { netBackend } from 'bufferevent-net';
import { expect, it } from 'vitest';

/** An echo server on the bare contract; `gone` counts the connections it has closed. */
class Echo {
  readonly port: Port;
  readonly listening: Promise<IpAddress>;
  gone = 0;
  readonly #leases = new Map<Handle, Lease>();

  constructor() {
    let onListening: (address: IpAddress) => void;
    this.listening = new Promise((resolve) => {
      onListening = resolve;
    });
    this.port = netBackend.createPort((batch) => {
      for (let index = 0; index < batch.length; index++) {
        const handle = batch.handle(index);
        const result = batch.result(index);
        const operation = batch.operation(index);
        if (operation === Operation.listen) {
          this.port.accept(handle, Number.MAX_SAFE_INTEGER);
          onListening(this.port.address(handle).local as IpAddress);
        } else if (operation === Operation.accept && result > 0) this.port.recv(result, 1000);
        else if (operation === Operation.recv && result > 0) {
          this.#leases.set(handle, batch.lease(index));
          const start = batch.start(index);
          this.port.send(handle, [{ memory: batch.memory(index), start, end: start + result }]);
        } else if (operation === Operation.send) {
          this.port.release(this.#leases.get(handle) as Lease);
          this.#leases.delete(handle);
          if (result > 0) this.port.recv(handle, 1000);
          else this.port.close(handle);
        } else if (operation === Operation.recv && result !== -Errno.ECANCELED) this.port.close(handle);
        else if (operation === Operation.close) this.gone++;
      }
    });
    this.port.listen({ ip: '127.0.0.1', port: 0 });
  }
}

/** Pseudo-random numbers below `bound`, the same in every run. */
function randomFrom(seed: number): (bound: number) => number {
  let state = seed;
  return (bound) => {
    state = (Math.imul(state, 1_664_525) + 1_013_904_223) >>> 0;
    return Math.floor((state / 2 ** 32) * bound);
  };
}

/** Connects, transfers, and then resets, half-closes or abandons the connection in the middle. */
async function torment(address: IpAddress, connections: number, random: (bound: number) => number): Promise<void> {
  const bytes = Buffer.alloc(20_000, 1);
  for (let made = 0; made < connections; ) {
    const group = Array.from({ length: Math.min(50, connections - made) }, () => one(address, bytes, random));
    made += group.length;
    await Promise.all(group);
  }
}

function one(address: IpAddress, bytes: Buffer, random: (bound: number) => number): Promise<void> {
  const socket = connect({ host: address.ip, port: address.port });
  const enough = random(bytes.length);
  const ending = [reset, halfClose, abandon][random(3)] as (socket: Socket) => void;
  let received = 0;
  let over = false;
  return new Promise((resolve) => {
    socket.on('error', () => {}).on('close', () => resolve());
    socket.on('data', (chunk) => {
      received += chunk.length;
      if (received < enough || over) return;
      over = true;
      ending(socket);
    });
    socket.write(bytes);
  });
}

function reset(socket: Socket): void {
  socket.resetAndDestroy();
}

function halfClose(socket: Socket): void {
  socket.end();
}

function abandon(socket: Socket): void {
  socket.destroy();
}

async function heapAfterCollection(): Promise<number> {
  for (let round = 0; round < 3; round++) {
    await new Promise((resolve) => setImmediate(resolve));
    globalThis.gc?.();
  }
  const { heapUsed, arrayBuffers } = process.memoryUsage();
  return heapUsed + arrayBuffers;
}

it('C2, C5, C11: a thousand connections that are reset, half-closed or abandoned leave nothing behind', async () => {
  expect(globalThis.gc, 'run with --expose-gc').toBeTypeOf('function');
  const echo = new Echo();
  const address = await echo.listening;
  const random = randomFrom(1);
  const quiet = async (count: number): Promise<void> => {
    while (echo.gone < count) await new Promise((resolve) => setImmediate(resolve));
  };

  await torment(address, 1000, random);
  await quiet(1000);
  const before = await heapAfterCollection();
  await torment(address, 1000, random);
  await quiet(2000);
  const after = await heapAfterCollection();

  expect(echo.port.stats()).toMatchObject({ streams: 0, listeners: 1, pending: 1, leases: 0 });
  expect(after).toBeLessThanOrEqual(before * 1.05 + 2 * 1024 * 1024);
  await echo.port[Symbol.asyncDispose]();
  expect(echo.port.stats()).toMatchObject({ streams: 0, listeners: 0, pending: 0, leases: 0 });
  console.log(
    `heap ${(before / 1024).toFixed()} KiB after 1,000 connections, ${(after / 1024).toFixed()} KiB after 2,000`,
  );
}, 60_000);
