import { once } from 'node:events';
import { createServer, type Socket } from 'node:net';
import { createServer as createTlsServer } from 'node:tls';
import { describe, expect, it, onTestFinished } from 'vitest';
import { type LoadTarget, runBulk, runPingPong } from '../dist/load/index.js';
import { canTls, pki } from './support/tls.js';

async function server(onConnection: (socket: Socket) => void): Promise<LoadTarget> {
  const plain = createServer({ allowHalfOpen: true }, (socket) => {
    socket.on('error', () => {});
    onConnection(socket);
  }).listen(0, '127.0.0.1');
  await once(plain, 'listening');
  onTestFinished(() => void plain.close());
  return { host: '127.0.0.1', port: (plain.address() as { port: number }).port };
}

const bulk = { connections: 2, bytes: 300_001, verify: true };
const pings = { connections: 2, messages: 20, messageBytes: 64 };

describe('the load client', () => {
  it('finds no fault with a correct server', async () => {
    const target = await server((socket) => void socket.pipe(socket));
    const progress: number[] = [];
    const result = await runBulk({ target, ...bulk, onProgress: (bytes) => progress.push(bytes) });
    expect(result).toMatchObject({ bytes: 300_001, faults: [] });
    expect(progress.at(-1)).toBe(300_001);
    expect(await runPingPong({ target, ...pings })).toMatchObject({ messages: 20, faults: [] });
  });

  it('finds one bit that differs', async () => {
    let flipped = false;
    const target = await server((socket) => {
      socket.on('data', (data) => {
        if (!flipped) data[0]! ^= 1;
        flipped = true;
        socket.write(data);
      });
      socket.on('end', () => socket.end());
    });
    expect((await runBulk({ target, ...bulk })).faults).toEqual([
      expect.stringMatching(/connection \d: the SHA-256 differs/),
    ]);
    flipped = false;
    expect((await runPingPong({ target, ...pings })).faults).toEqual([expect.stringMatching(/other bytes came back/)]);
  });

  it('finds answers that went to the wrong connection', async () => {
    const sockets: Socket[] = [];
    const target = await server((socket) => {
      sockets.push(socket);
      if (sockets.length % 2 === 1) return;
      const [left, right] = sockets.splice(0) as [Socket, Socket];
      left.pipe(right);
      right.pipe(left);
    });
    expect((await runBulk({ target, ...bulk, bytes: 300_000 })).faults).toHaveLength(2);
    expect((await runPingPong({ target, ...pings })).faults).toHaveLength(2);
  });

  it.runIf(canTls)('finds a server that is not the one with the fingerprint', async () => {
    const other = createTlsServer({ key: pki.server.keyPem, cert: pki.server.certPem }).listen(0, '127.0.0.1');
    await once(other, 'listening');
    onTestFinished(() => void other.close());
    const { port } = other.address() as { port: number };
    const target = { host: '127.0.0.1', port, fingerprint: Array(32).fill('00').join(':') };
    const fault = expect.stringMatching(/the certificate of the server is another one/);
    expect((await runBulk({ target, ...bulk })).faults).toEqual([fault, fault]);
  });

  it('finds missing bytes and connections that broke', async () => {
    const short = await server((socket) => {
      socket.resume();
      socket.on('end', () => socket.end('short'));
    });
    expect((await runBulk({ target: short, ...bulk })).faults).toEqual([
      'connection 0: 5 of 150001 bytes came back',
      'connection 1: 5 of 150000 bytes came back',
    ]);
    const broken = await server((socket) => void socket.once('data', () => socket.resetAndDestroy()));
    expect((await runBulk({ target: broken, ...bulk })).faults).toHaveLength(2);
    expect((await runPingPong({ target: broken, ...pings })).faults).toHaveLength(2);
  });
});
