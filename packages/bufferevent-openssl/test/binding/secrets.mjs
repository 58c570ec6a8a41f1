// @ts-check
// secrets.mjs: told the certificates, makes connections that keep sessions and lines of the key log, which nobody takes; told
// anything more, frees them. Says when it is done, and stands still.
import { findBinding } from '../../dist/binding.js';
import { World } from './peer.mjs';

const CONNECTIONS = 4;
/** More than are kept. */
const TICKETS = 12;

const found = findBinding();
if ('reason' in found) throw new Error(found.reason);
const { binding } = found;

process.once('message', (/** @type {import('./peer.mjs').Pki} */ pki) => {
  const world = new World(binding, pki);
  const server = world.serverContext();
  // From its cache: in tickets it would write sessions, too, and OpenSSL would not overwrite them.
  world.check(binding.contextSetSessions(server, CONNECTIONS * TICKETS, 300, false, TICKETS));
  const client = world.clientContext();
  binding.contextSetKeyLog(client, true);
  const pairs = Array.from({ length: CONNECTIONS }, () => world.pair(server, client).established());
  process.on('message', () => {
    for (const pair of pairs) pair.free();
    process.send?.('freed');
  });
  process.send?.('made');
});
