export { type FrameOptions, readFramed, takeFramed } from './frames.js';
export { addNumber, getNumber, prependNumber, readNumber, setNumber } from './number-fields.js';
export type { BigNumberFormat, NumberFormat, NumberOf, SmallNumberFormat } from './numbers.js';
export { EvbufferReader } from './reader.js';
