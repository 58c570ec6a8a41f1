// @ts-check
// come-and-go.mjs: told the certificates, makes connections, some at once, which are freed when their handshake is done. Answers by
// how many bytes the old objects of V8 have grown meanwhile, at most.
import { getHeapSpaceStatistics } from 'node:v8';
import { createPair, EventBase } from 'bufferevent';
import { createMemoryBackend } from 'bufferevent-backend/memory';
import { OpensslBufferevent, Ssl, SslContext } from '../../dist/index.js';

const CONNECTIONS = 1200;
/** What is made for good, and compiled, is old by then. */
const WARM_UP = 400;
const AT_ONCE = 8;

function oldBytes() {
  return getHeapSpaceStatistics().find(({ space_name }) => space_name === 'old_space')?.space_used_size ?? 0;
}

process.once('message', (/** @type {import('./peer.mjs').Pki} */ { ca, server }) => {
  const base = new EventBase({ backend: createMemoryBackend() });
  const clients = new SslContext({ ca });
  const servers = new SslContext({ key: server.key, cert: server.chain });
  let left = CONNECTIONS;
  let before = 0;
  let most = 0;

  const next = () => {
    if (left === CONNECTIONS - WARM_UP) before = oldBytes();
    if (left < CONNECTIONS - WARM_UP) most = Math.max(most, oldBytes() - before);
    if (left-- === 0) {
      process.send?.(most);
      return;
    }
    const [near, far] = createPair(base);
    let waiting = 2;
    const handlers = {
      onEvent(/** @type {unknown} */ _, /** @type {import('bufferevent').BuffereventEvent} */ event) {
        if (event.kind !== 'connected') throw new Error(`ended with ${event.kind}`);
        if (--waiting > 0) return;
        client.free();
        accepted.free();
        next();
      },
    };
    const client = OpensslBufferevent.filter(near, new Ssl(clients, { servername: 'localhost' }), 'connecting', {
      handlers,
    });
    const accepted = OpensslBufferevent.filter(far, new Ssl(servers), 'accepting', { handlers });
  };
  for (let begun = 0; begun < AT_ONCE; begun++) next();
});
