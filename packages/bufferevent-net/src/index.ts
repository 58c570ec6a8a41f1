export { netBackend } from './net-backend.js';
export type { NetPortOptions } from './net-port.js';
