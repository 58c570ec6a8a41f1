// The measuring instrument: plain node:net, so that it measures any echo server and trusts none of our layers. Used by the
// self-test and by tools/bench.
export { type BulkOptions, type BulkResult, runBulk } from './bulk.js';
export type { LoadTarget } from './load-connection.js';
export { type PingPongOptions, type PingPongResult, runPingPong } from './ping-pong.js';
export { ServerProcess } from './server-process.js';
export { answerUsageQuestions, type Usage } from './usage.js';
