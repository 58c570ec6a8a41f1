export { type ComplianceCase, type Requirement, type Rule, rules } from './case.js';
export { cases } from './cases/index.js';
export { CaseContext, type Pair } from './context.js';
export { Driver } from './driver.js';
export type { Exhaustion, Harness, OpenFile, Runner, TemporaryPath } from './harness.js';
export type { Completion } from './ledger.js';
export { Stream } from './stream.js';
export { applicableCases, backendCompliance, type ExcludedCase, excludedCases, runCase } from './suite.js';
export { temporaryFile } from './temporary-file.js';
