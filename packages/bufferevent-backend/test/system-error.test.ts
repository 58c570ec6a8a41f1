import { once } from 'node:events';
import { type AddressInfo, connect, createServer, type NetConnectOpts, type Server } from 'node:net';
import { Errno, systemError } from 'bufferevent-backend';
import { describe, expect, it } from 'vitest';

type NodeFailure = NodeJS.ErrnoException & { address?: string; port?: number };

/** The fields by which programs tell system errors apart. */
function face(error: NodeFailure): Record<string, unknown> {
  const { message, code, errno, syscall, address, port } = error;
  return { message, code, errno, syscall, address, port };
}

async function failureOf(options: NetConnectOpts): Promise<NodeFailure> {
  const [error] = (await once(connect(options), 'error')) as [NodeFailure];
  return error;
}

async function closedPort(): Promise<number> {
  const server = createServer().listen(0, '127.0.0.1');
  await once(server, 'listening');
  const { port } = server.address() as AddressInfo;
  await close(server);
  return port;
}

async function close(server: Server): Promise<void> {
  server.close();
  await once(server, 'close');
}

describe.runIf(process.platform === 'linux')('systemError', () => {
  it('is what node:net gives for a refused connection', async () => {
    const port = await closedPort();
    const theirs = await failureOf({ host: '127.0.0.1', port });
    const ours = systemError(-Errno.ECONNREFUSED, 'connect', { ip: '127.0.0.1', port });
    expect(face(ours)).toEqual(face(theirs));
  });

  it('is what node:net gives for a path that does not exist', async () => {
    const path = '/nonexistent/socket';
    const theirs = await failureOf({ path });
    const ours = systemError(-Errno.ENOENT, 'connect', { path });
    expect(face(ours)).toEqual(face(theirs));
  });

  it('is what node:net gives for an address in use', async () => {
    const server = createServer().listen(0, '127.0.0.1');
    await once(server, 'listening');
    const { port } = server.address() as AddressInfo;
    const second = createServer().listen(port, '127.0.0.1');
    const [theirs] = (await once(second, 'error')) as [NodeFailure];
    await close(server);
    const ours = systemError(-Errno.EADDRINUSE, 'listen', { ip: '127.0.0.1', port });
    expect(face(ours)).toEqual(face(theirs));
  });

  it('is what node:net gives for a reset connection, which names no address', async () => {
    const server = createServer((socket) => socket.once('data', () => socket.resetAndDestroy())).listen(0, '127.0.0.1');
    await once(server, 'listening');
    const client = connect({ host: '127.0.0.1', port: (server.address() as AddressInfo).port });
    client.write('x');
    const [theirs] = (await once(client, 'error')) as [NodeFailure];
    await close(server);
    const ours = systemError(-Errno.ECONNRESET, 'read');
    expect(face(ours)).toEqual(face(theirs));
    expect(Object.keys(ours).sort()).toEqual(['code', 'errno', 'syscall']);
  });

  it('gives EIO for a result outside the table', () => {
    expect(systemError(-9999, 'read')).toMatchObject({ code: 'EIO', syscall: 'read' });
  });
});
