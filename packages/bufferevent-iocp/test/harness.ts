import { type Address, type Backend, Operation } from 'bufferevent-backend';
import { type Harness, temporaryFile } from 'bufferevent-backend-compliance';
import { Stage } from 'bufferevent-backend-compliance/life-cycle';
import { iocpBackend } from 'bufferevent-iocp';

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
    openFile: temporaryFile,
    openSparseFile: temporaryFile,
    childModule,
  };
}

async function openPairs(count: number): Promise<[number, number][]> {
  const stage = new Stage((sink) => iocpBackend.createPort(sink));
  const opened: [number, number][] = [];
  for (let made = 0; made < count; made++) {
    const { left, right } = await stage.pair();
    for (const end of [left, right]) stage.port.detach(end);
    opened.push([await stage.taken(left, Operation.detach), await stage.taken(right, Operation.detach)]);
  }
  await stage.port[Symbol.asyncDispose]();
  return opened;
}

function fail(reason: string): never {
  throw new Error(reason);
}
