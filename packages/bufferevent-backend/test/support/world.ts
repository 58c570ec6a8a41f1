import { type Address, type Handle, type IpAddress, Operation } from 'bufferevent-backend';
import {
  createMemoryBackend,
  type MemoryBackend,
  type MemoryBackendOptions,
  MemoryNetwork,
  type MemoryNetworkOptions,
} from 'bufferevent-backend/memory';
import { Recorder } from './recorder.js';

/** A network that is stepped by hand, with a backend and two ports on it. */
export interface Bench {
  readonly network: MemoryNetwork;
  readonly backend: MemoryBackend;
  readonly left: Recorder;
  readonly right: Recorder;
}

export function bench(options: MemoryNetworkOptions = {}, backendOptions: MemoryBackendOptions = {}): Bench {
  const network = new MemoryNetwork({ scheduling: 'manual', ...options });
  const backend = createMemoryBackend(network, backendOptions);
  return { network, backend, left: new Recorder(backend), right: new Recorder(backend) };
}

/** A listener of the right port that has bound. */
export function listening({ network, right }: Bench, wanted: Address = { ip: '127.0.0.1', port: 0 }): Listening {
  const handle = right.port.listen(wanted);
  network.settle();
  right.take(Operation.listen, handle);
  return { handle, address: right.port.address(handle).local as IpAddress };
}

export interface Listening {
  readonly handle: Handle;
  readonly address: IpAddress;
}

/** A connection between the ports: the handle of each side. */
export function connected(on: Bench): { left: Handle; right: Handle } {
  const [first, second] = on.network.socketPair();
  return { left: on.left.port.adopt(first), right: on.right.port.adopt(second) };
}
