export { type DebugMode, enableDebugMode, type Loan, POISON } from './debug-mode.js';
export { describe } from './describe.js';
export { validate } from './validate.js';
