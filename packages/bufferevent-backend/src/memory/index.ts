export type { FaultPlan, FaultyOperation, InjectedError } from './fault-plan.js';
export { type FaultyBackend, withFaults } from './faults.js';
export { createMemoryBackend, type MemoryBackend, type MemoryBackendOptions } from './memory-backend.js';
export { MemoryNetwork, type MemoryNetworkOptions } from './memory-network.js';
export { PortDecorator } from './port-decorator.js';
export { type TracedBackend, type TraceOptions, withTrace } from './trace.js';
