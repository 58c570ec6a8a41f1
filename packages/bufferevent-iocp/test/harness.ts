import { closeSync, ftruncateSync, mkdtempSync, openSync, rmSync, writeSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type Address, type Backend, Operation } from 'bufferevent-backend';
import type { Harness, OpenFile } from 'bufferevent-backend-compliance';
import { iocpBackend } from 'bufferevent-iocp';

/** Files go when the process does. */
const folder = mkdtempSync(join(tmpdir(), 'bufferevent-iocp-'));
process.on('exit', () => rmSync(folder, { recursive: true, force: true }));
let files = 0;

export const ipv4 = (): Address => ({ ip: '127.0.0.1', port: 0 });
export const ipv6 = (): Address => ({ ip: '::1', port: 0 });

/** Connected sockets that nobody owns: both ends of connections, detached. */
const pairs = await openPairs(20);

/** What child processes and workers of the suites import. */
export const childModule: string = new URL('./child-harness.mjs', import.meta.url).href;

/** The suite over real sockets that listen where `listenAddress` says. */
export function iocpHarness(listenAddress: () => Address, backend: Backend = iocpBackend): Harness {
  return {
    backend,
    listenAddress,
    ipv6Address: () => ({ ip: '::1', port: 0 }),
    ...(listenAddress === ipv4 ? { localAddress: () => ({ ip: '127.0.0.2', port: 0 }) } : {}),
    foreignAddress: () => ({ ip: '192.0.2.1', port: 0 }),
    socketPair: () => pairs.pop() ?? fail('more sockets than were prepared'),
    openFile: (bytes) => openFile(bytes, 0),
    openSparseFile: openFile,
    childModule,
  };
}

export function openFile(bytes: Uint8Array, at: number): OpenFile {
  const path = join(folder, `file-${++files}`);
  const descriptor = openSync(path, 'w+');
  ftruncateSync(descriptor, at + bytes.length);
  writeSync(descriptor, bytes, 0, bytes.length, at);
  return {
    descriptor,
    close() {
      closeSync(descriptor);
      rmSync(path);
    },
  };
}

async function openPairs(count: number): Promise<[number, number][]> {
  const ends = new Map<number, number>();
  const accepted: number[] = [];
  let onStep = (): void => undefined;
  const port = iocpBackend.createPort((batch) => {
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
  const listener = port.listen(ipv4());
  const address = port.address(listener).local as Address;
  const opened: [number, number][] = [];
  for (let made = 0; made < count; made++) {
    port.accept(listener, 1);
    const connected = port.connect(address);
    await until(() => accepted.length === made + 1);
    const other = accepted[made] as number;
    await until(() => port.address(connected).peer !== null && port.stats().pending === 0);
    port.detach(connected);
    port.detach(other);
    await until(() => ends.size === 2 * (made + 1));
    opened.push([ends.get(connected) as number, ends.get(other) as number]);
  }
  await port[Symbol.asyncDispose]();
  return opened;
}

function fail(reason: string): never {
  throw new Error(reason);
}
