export { createMemoryBackend, type MemoryBackend, type MemoryBackendOptions } from './memory-backend.js';
export { MemoryNetwork, type MemoryNetworkOptions } from './memory-network.js';
