export { createIocpBackend, type IocpBackendOptions, iocpBackend } from './backend.js';
export type { IocpPort, IocpPortOptions, IocpPortStats, SystemCalls } from './port.js';
