export { type ComplianceCase, type Requirement, type Topic, topics } from './case.js';
export { cases } from './cases/index.js';
export { CaseContext, type Dialling, type Pair } from './context.js';
export type { Dialled, Ends, Flavour, FlavourSupports, OpenOptions, Runner, Setting } from './flavour.js';
export { Probe } from './probe.js';
export { type SocketFlavourOptions, socketFlavour } from './socket-flavour.js';
export { applicableCases, buffereventCompliance, type ExcludedCase, excludedCases, runCase } from './suite.js';
export { type LayerCall, ToyLayer, ToyLayerError, type ToyLayerOptions } from './toy-layer.js';
