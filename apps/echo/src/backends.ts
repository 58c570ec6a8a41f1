import type { Backend } from 'bufferevent';

/** Every backend this program knows, fastest first. Each is loaded only when it is asked for: all but `net` are optional. */
const loaders = {
  epoll: async (): Promise<Backend> => (await import('bufferevent-epoll')).epollBackend,
  iocp: async (): Promise<Backend> => (await import('bufferevent-iocp')).iocpBackend,
  net: async (): Promise<Backend> => (await import('bufferevent-net')).netBackend,
};

export type BackendName = 'auto' | keyof typeof loaders;

const names = Object.keys(loaders) as (keyof typeof loaders)[];

export const backendNames: readonly BackendName[] = ['auto', ...names];

/** The backend of that name, or the fastest that is available here. Throws with the reason when it is not available. */
export async function loadBackend(name: BackendName): Promise<Backend> {
  if (name !== 'auto') {
    const backend = await loaders[name]();
    const reason = backend.unavailabilityReason();
    if (reason !== null) throw new Error(`backend ${name} is not available: ${reason}`);
    return backend;
  }
  for (const candidate of names) {
    const backend = await loaders[candidate]().catch(() => null); // An optional package that is not installed.
    if (backend?.isAvailable()) return backend;
  }
  throw new Error('no backend is available');
}
