export { ManualClock } from './manual-clock.js';
export type { PeerListener } from './peer-listener.js';
export type { ExpectOptions, ScriptedPeer } from './scripted-peer.js';
export { createTestBase, type TestBase, type TestBaseOptions } from './test-base.js';
