export type { SystemCalls } from 'bufferevent-backend/native';
export { epollBackend } from './backend.js';
export type { EpollPort, EpollPortOptions, EpollPortStats } from './port.js';
