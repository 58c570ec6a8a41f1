// @ts-check
// Both ends in this process: `tls-work.mjs PEER FOLDER KEY handshakes`, `… bulk WRITE-BYTES`. Told `{ seconds }`, it works until
// the process has taken so many seconds of CPU time, and answers what came of them.
import { setImmediate } from 'node:timers/promises';
import { AGREED, readCredentials } from './tls-terms.mjs';

const [peerName = '', folder = '', keyKind = '', does = '', writeBytes = ''] = process.argv.slice(2);
const credentials = readCredentials(folder, /** @type {import('./tls-terms.mjs').KeyKind} */ (keyKind));

/**
 * @typedef Peer
 * @property {() => string} about what the last connection has agreed upon
 * @property {(count: number) => Promise<void>} handshakes
 * @property {(bytes: number, writeBytes: number, compare: boolean) => Promise<void>} bulk
 */

/** @type {Record<string, () => Promise<Peer>>} */
const peers = {
  ours: async () => (await import('./tls-ours.mjs')).createPeer(credentials, 'write'),
  'ours-reference': async () => (await import('./tls-ours.mjs')).createPeer(credentials, 'reference'),
  'ours-engine': async () => (await import('./tls-bio-pair.mjs')).createPeer(credentials),
  'node-tcp': async () => (await import('./tls-node.mjs')).createPeer(credentials, 'tcp', 'welcome'),
  'node-duplex': async () => (await import('./tls-node.mjs')).createPeer(credentials, 'duplex', 'welcome'),
  'node-duplex-window': async () => (await import('./tls-node.mjs')).createPeer(credentials, 'duplex', 'window'),
  'c-loop': async () => (await import('./tls-c-loop.mjs')).createPeer(credentials),
};
const start = peers[peerName];
if (start === undefined) throw new Error(`no peer called "${peerName}"`);
const peer = await start();

/** What is done at a time, and how often that is counted: handshakes, or bytes. */
const slice = does === 'handshakes' ? 32 : 16 * 2 ** 20;

/** @param {boolean} compare */
async function work(compare) {
  if (does === 'handshakes') await peer.handshakes(slice);
  else await peer.bulk(slice, Number(writeBytes), compare);
  // What a slice leaves behind is its own.
  await setImmediate();
}

function cpuSeconds() {
  const { user, system } = process.cpuUsage();
  return (user + system) / 1e6;
}

/** @param {number} seconds */
async function workFor(seconds) {
  let done = 0;
  let took = 0;
  const before = cpuSeconds();
  do {
    await work(false);
    done += slice;
    took = cpuSeconds() - before;
  } while (took < seconds);
  return { done, cpuSeconds: took };
}

await work(true);
if (peer.about() !== AGREED) throw new Error(`${peerName} has agreed upon "${peer.about()}", not "${AGREED}"`);
process.on('message', async (/** @type {{ seconds: number }} */ { seconds }) => {
  process.send?.(await workFor(seconds));
});
process.once('disconnect', () => process.exit());
process.send?.({ ready: true });
