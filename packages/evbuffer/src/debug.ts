export { describe } from './describe.js';
export { validate } from './validate.js';
