import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type Address, type Backend, Operation, type PathAddress } from 'bufferevent-backend';
import { exhaustDescriptors, type Harness, type TemporaryPath, temporaryFile } from 'bufferevent-backend-compliance';
import { epollBackend } from 'bufferevent-epoll';

/** Paths for sockets, in a folder that goes when the process does. */
const folder = mkdtempSync(join(tmpdir(), 'bufferevent-epoll-'));
process.on('exit', () => rmSync(folder, { recursive: true, force: true }));
let paths = 0;

/** A path nobody has listened on yet. */
export function freshPath(): PathAddress {
  return { path: join(folder, `socket-${++paths}`) };
}

function temporaryPath(): TemporaryPath {
  const address = freshPath();
  return { address, cleanup: () => rmSync(address.path, { force: true }) };
}

export const ipv4 = (): Address => ({ ip: '127.0.0.1', port: 0 });
export const ipv6 = (): Address => ({ ip: '::1', port: 0 });

/** Connected descriptors that nobody owns: both ends of connections, detached. */
const pairs = epollBackend.isAvailable() ? await openPairs(40) : [];

/** What child processes and workers of the suites import. */
export const childModule: string = new URL('./child-harness.mjs', import.meta.url).href;

/** The suite over real sockets that listen where `listenAddress` says. */
export function epollHarness(listenAddress: () => Address, backend: Backend = epollBackend): Harness {
  return {
    backend,
    listenAddress,
    ipv6Address: () => ({ ip: '::1', port: 0 }),
    pathAddress: temporaryPath,
    ...(listenAddress === ipv4 ? { localAddress: () => ({ ip: '127.0.0.2', port: 0 }) } : {}),
    foreignAddress: () => ({ ip: '192.0.2.1', port: 0 }),
    exhaustDescriptors,
    socketPair: () => pairs.pop() ?? fail('more descriptors than were prepared'),
    openFile: temporaryFile,
    openSparseFile: temporaryFile,
    childModule,
  };
}

async function openPairs(count: number): Promise<[number, number][]> {
  const ends = new Map<number, number>();
  const accepted: number[] = [];
  let onStep = (): void => undefined;
  const port = epollBackend.createPort((batch) => {
    for (let index = 0; index < batch.length; index++) {
      const operation = batch.operation(index);
      if (operation === Operation.accept) accepted.push(batch.result(index));
      if (operation === Operation.detach) ends.set(batch.handle(index), batch.result(index));
    }
    onStep();
  });
  const until = async (done: () => boolean): Promise<void> => {
    while (!done()) await new Promise<void>((resolve) => (onStep = resolve));
  };
  const listener = port.listen({ path: `\0bufferevent-epoll-${process.pid}-${Math.random()}` });
  port.accept(listener, count);
  const address = port.address(listener).local as PathAddress;
  const connected = Array.from({ length: count }, () => port.connect(address));
  await until(() => accepted.length === count);
  for (const handle of [...connected, ...accepted]) port.detach(handle);
  await until(() => ends.size === 2 * count);
  await port[Symbol.asyncDispose]();
  return connected.map((handle, index) => [ends.get(handle) as number, ends.get(accepted[index] as number) as number]);
}

function fail(reason: string): never {
  throw new Error(reason);
}
