export type { SystemCalls } from 'bufferevent-backend/native';
export { createIocpBackend, type IocpBackendOptions, iocpBackend } from './backend.js';
export type { IocpPort, IocpPortOptions, IocpPortStats } from './port.js';
