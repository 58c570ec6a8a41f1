import { randomBytes } from 'node:crypto';
import { expect, it } from 'vitest';
import { runBulk, runPingPong } from '../dist/load/index.js';
import { onEveryBackend } from './support/backends.js';
import { flood, untilStuck } from './support/flood.js';
import { openPeer, readBytes, readToEnd } from './support/peer.js';

const mebibyte = 2 ** 20;

onEveryBackend('a peer', (startServer) => {
  it('that sends one byte at a time gets every byte back', async () => {
    const { target } = await startServer();
    const peer = await openPeer(target);
    const bytes = randomBytes(1000);
    for (const byte of bytes) {
      peer.write(Buffer.of(byte));
      expect((await readBytes(peer, 1))[0]).toBe(byte);
    }
    for (const byte of bytes) peer.write(Buffer.of(byte));
    peer.end();
    expect((await readToEnd(peer)).equals(bytes)).toBe(true);
  });

  it('that never reads costs bounded memory, and the others are served', async () => {
    const { server, target } = await startServer('--quiet');
    await runPingPong({ target, connections: 8, messages: 4000, messageBytes: 64 }); // Warm.
    const before = await server.usage();

    const peers = await Promise.all(Array.from({ length: 64 }, () => openPeer(target)));
    const floods = peers.map((peer) => flood(peer.pause(), 64 * mebibyte)); // 4 GiB over all of them.
    await untilStuck(floods, async () => {
      const others = await runPingPong({ target, connections: 8, messages: 4000, messageBytes: 64 });
      expect(others.faults).toEqual([]);
    });
    expect(floods.some(({ finished }) => finished)).toBe(false);

    const growth = (await server.usage()).rssBytes - before.rssBytes;
    console.log(`64 peers that never read: the server grew by ${(growth / mebibyte).toFixed(1)} MiB`);
    expect(growth).toBeLessThan(96 * mebibyte); // About 0.5 MiB for each peer, and what is not collected yet.
  }, 60_000);

  it('that does not read for a while gets everything when it does', async () => {
    const { target } = await startServer('--high-watermark', '1000');
    const peer = await openPeer(target);
    peer.pause();
    const bytes = randomBytes(8 * mebibyte);
    peer.end(bytes);
    await runPingPong({ target, connections: 1, messages: 500, messageBytes: 64 });
    expect((await readToEnd(peer)).equals(bytes)).toBe(true);
  });

  it('that vanishes in the middle of a transfer leaves the others and the server alone', async () => {
    const { server, target } = await startServer();
    const others = runBulk({ target, connections: 4, bytes: 32 * mebibyte, verify: true });
    for (let round = 0; round < 20; round++) {
      const peers = await Promise.all(Array.from({ length: 5 }, () => openPeer(target)));
      for (const [index, peer] of peers.entries()) {
        peer.write(randomBytes(mebibyte));
        if (index % 2 === 0) await readBytes(peer, 1000);
        if (index % 3 === 0) peer.destroy();
        else peer.resetAndDestroy();
      }
    }
    expect((await others).faults).toEqual([]);
    server.signal('SIGTERM');
    expect(await server.ends()).toBe(0);
    expect(server.errors).toBe('');
  }, 30_000);

  it('that connects and says nothing is ended when the server stops', async () => {
    const { server, target } = await startServer();
    const peer = await openPeer(target);
    await runPingPong({ target, connections: 1, messages: 10, messageBytes: 64 });
    server.signal('SIGTERM');
    expect((await readToEnd(peer)).length).toBe(0);
    peer.end();
    expect(await server.ends()).toBe(0);
  });
});
