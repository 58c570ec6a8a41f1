import { once } from 'node:events';
import { connect, type Socket } from 'node:net';
import { Errno, type IpAddress, Operation } from 'bufferevent-backend';
import { type CaseContext, type ComplianceCase, cases, runCase, Stream } from 'bufferevent-backend-compliance';
import { expect, it } from 'vitest';
import { ipv4, netHarness } from './harness.js';

/** A test with a port whose every completion is held against the contract, as in the compliance suite. */
function portTest(title: ComplianceCase['title'], run: (context: CaseContext) => Promise<void>): void {
  const [{ rule } = cases[0] as ComplianceCase] = cases.filter((one) => title.startsWith(`${one.rule}:`));
  it(title, () => runCase({ rule, title, requires: [], run }, netHarness(ipv4)));
}

interface Accepted {
  readonly client: Socket;
  readonly stream: Stream;
}

/** Sockets of plain `node:net`, each beside the stream of the port that accepted it. */
async function acceptMany(context: CaseContext, count: number): Promise<Accepted[]> {
  const { handle, address } = await context.listen();
  const { ip, port } = address as IpAddress;
  context.right.port.accept(handle, count);
  const made: Accepted[] = [];
  while (made.length < count) {
    const client = connect({ host: ip, port });
    context.defer(() => client.destroy());
    const { result } = await context.right.next(handle, Operation.accept);
    made.push({ client, stream: new Stream(context.right, result) });
  }
  return made;
}

async function accept(context: CaseContext): Promise<Accepted> {
  const [made] = await acceptMany(context, 1);
  return made as Accepted;
}

portTest(
  'C6: connections without a credit are parked up to supports.acceptAhead, further ones are reset',
  async (context) => {
    const { handle, address } = await context.listen(context.right, ipv4(), { backlog: 2048 });
    const { acceptAhead } = context.supports;
    const { ip, port } = address as IpAddress;
    const surplus = 20;
    let lost = 0;
    const clients: Socket[] = [];
    for (let made = 0; made < acceptAhead + surplus; ) {
      const group = Array.from({ length: 64 }, () => connect({ host: ip, port }));
      made += group.length;
      for (const client of group) client.on('error', () => {}).on('close', () => lost++);
      clients.push(...group);
      await Promise.all(group.map((client) => once(client, 'connect')));
    }
    context.defer(() => {
      for (const client of clients) client.destroy();
    });
    const wanted = clients.length - acceptAhead;
    await context.until(() => lost === wanted, `${wanted} resets`);
    expect(context.right.port.stats().streams).toBe(0);

    context.right.port.accept(handle, acceptAhead);
    for (let index = 0; index < acceptAhead; index++) {
      expect((await context.right.next(handle, Operation.accept)).result).toBeGreaterThan(0);
    }
    expect(context.right.port.stats().streams).toBe(acceptAhead);
    expect(lost).toBe(wanted);
  },
);

portTest('C6: closing a listener resets the connections that are parked', async (context) => {
  const { handle, address } = await context.listen();
  const { ip, port } = address as IpAddress;
  const client = connect({ host: ip, port });
  const failed = once(client, 'error');
  await once(client, 'connect');
  await context.settle();
  context.right.port.close(handle);
  // The heartbeat shares the listener of the case, but is connected: it goes on.
  client.resume();
  const [error] = (await failed) as [NodeJS.ErrnoException];
  expect(error.code).toBe('ECONNRESET');
});

portTest('C6: what is read ahead of a stream that nobody reads is at most supports.readAhead', async (context) => {
  const streams = 32;
  const flood = Buffer.alloc(8 * 1024 * 1024);
  const accepted = await acceptMany(context, streams);
  // One recv of one byte starts the flow; from then on nobody reads.
  for (const { client, stream } of accepted) {
    client.write('ab');
    await stream.take(1);
  }
  await context.settle(1);
  const before = process.memoryUsage().arrayBuffers;
  for (const { client } of accepted) client.write(flood);
  await context.settle(50);
  const ahead = (process.memoryUsage().arrayBuffers - before) / streams;
  // More than half a chunk a stream proves that the flood has arrived; the heartbeat of `settle` leaves some garbage.
  expect(ahead).toBeGreaterThan(32 * 1024);
  expect(ahead).toBeLessThanOrEqual(context.supports.readAhead + 16 * 1024);
  for (const { client } of accepted) client.destroy();
});

portTest(
  'C13: a reset that comes while nothing is in flight answers the next recv and the next send',
  async (context) => {
    const { client, stream } = await accept(context);
    client.write('a');
    expect((await stream.take()).length).toBe(1);
    client.resetAndDestroy();
    await context.settle();
    expect((await stream.recv()).result).toBe(-Errno.ECONNRESET);
    expect((await stream.send(Buffer.from('late'))).result).toBe(-Errno.ECONNRESET);
    expect((await stream.recv()).result).toBe(-Errno.ECONNRESET);
    stream.port.shutdown(stream.handle);
    expect((await stream.next(Operation.shutdown)).result).toBe(-Errno.ECONNRESET);
  },
);

portTest('C18: bytes in our hands are still received after a reset, then the reset', async (context) => {
  const { client, stream } = await accept(context);
  client.write('abc');
  expect((await stream.take(1)).length).toBe(1);
  client.resetAndDestroy();
  await context.settle();
  expect(Buffer.from(await stream.take()).toString()).toBe('bc');
  expect((await stream.recv()).result).toBe(-Errno.ECONNRESET);
});

portTest('C14: the ends of a stream are known after its connection has failed', async (context) => {
  const { client, stream } = await accept(context);
  const peer = { ip: client.localAddress, port: client.localPort };
  client.write('a');
  await stream.take();
  client.resetAndDestroy();
  expect((await stream.recv()).result).toBe(-Errno.ECONNRESET);
  expect(stream.port.address(stream.handle).peer).toEqual(peer);
});

portTest('C9: a send of more than 256 KiB completes short, and its progress shows', async (context) => {
  const { client, stream } = await accept(context);
  let received = 0;
  client.on('data', (chunk) => {
    received += chunk.length;
  });
  const whole = Buffer.alloc(1024 * 1024 + 1);
  expect((await stream.send(whole)).result).toBe(256 * 1024);
  await stream.sendAll(whole.subarray(256 * 1024));
  await context.until(() => received === whole.length, 'whole message');
});

portTest('C10: both directions ended leave the handle open until it is closed', async (context) => {
  const { client, stream } = await accept(context);
  client.end();
  client.resume();
  expect((await stream.recv()).result).toBe(0);
  await stream.shutdown();
  await once(client, 'close');
  await context.settle();
  expect((await stream.recv()).result).toBe(0);
  expect((await stream.send(Buffer.from('late'))).result).toBe(-Errno.EPIPE);
  expect(stream.port.address(stream.handle).local).not.toBeNull();
  await stream.reset();
});

portTest('C11: a reset during a shutdown still resets', async (context) => {
  const { client, stream } = await accept(context);
  const codes: string[] = [];
  client.on('error', (error: NodeJS.ErrnoException) => codes.push(String(error.code)));
  const closed = new Promise((resolve) => client.on('close', resolve));
  client.resume();
  stream.port.shutdown(stream.handle);
  stream.port.reset(stream.handle);
  await stream.next(Operation.reset);
  await closed;
  // The peer may have met the end first; it must have met the close.
  expect(codes.filter((code) => code !== 'ECONNRESET')).toEqual([]);
});
