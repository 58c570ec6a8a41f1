export {
  checkAddress,
  checkCancellable,
  checkInteger,
  checkIpAddress,
  checkListenOptions,
  checkSegments,
  checkStreamOption,
  excludedListenOption,
} from './arguments.js';
export * from './contract.js';
export { CountedHold } from './counted-hold.js';
export { Errno, type ErrnoName, errnoMessage, errnoName, resultOfErrnoName } from './errno.js';
export { argumentRangeError, argumentTypeError, BackendError, type BackendErrorCode } from './errors.js';
export { HandleTable } from './handles.js';
export { checkOptionNames, checkOwnOptions, type OptionNames } from './option-names.js';
export { ProcessHold } from './process-hold.js';
export { type Listed, Roster } from './roster.js';
export type { BackendSupports } from './supports.js';
export { surface, trace } from './surface.js';
export { type SystemError, systemError } from './system-error.js';
