export { epollBackend } from './backend.js';
export type { EpollPort, EpollPortOptions, EpollPortStats, SystemCalls } from './port.js';
