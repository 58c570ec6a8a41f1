import { once } from 'node:events';
import { connect, type Socket } from 'node:net';
import { setImmediate } from 'node:timers/promises';
import { Errno, type Handle, type IpAddress, type Lease, Operation, type Port } from 'bufferevent-backend';
import {
  arrayBufferBytes,
  type CaseContext,
  type Completion,
  type ComplianceCase,
  cases,
  runCase,
  Stream,
} from 'bufferevent-backend-compliance';
import { netBackend } from 'bufferevent-net';
import { expect, it } from 'vitest';
import { ipv4, netHarness } from './harness.js';

/** What libuv reads at once. */
const CHUNK_BYTES = 65_536;
const chunk: Buffer = Buffer.alloc(CHUNK_BYTES);

/** A test with a port whose every completion is held against the contract, as in the compliance suite. */
function portTest(title: ComplianceCase['title'], run: (context: CaseContext) => Promise<void>): void {
  const [{ rule } = cases[0] as ComplianceCase] = cases.filter((one) => title.startsWith(`${one.rule}:`));
  it(title, () => runCase({ rule, title, requires: [], run }, netHarness(ipv4)));
}

/** Begins to listen on a bare port. @returns the number of the TCP port */
async function listening(port: Port): Promise<number> {
  const listener = port.listen(ipv4());
  while (port.address(listener).local === null) await setImmediate();
  return (port.address(listener).local as IpAddress).port;
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

/** What streams read of a flood while nobody reads them: bytes of each. `taken` of the two bytes before it were received. */
async function readAhead(context: CaseContext, taken: number): Promise<number> {
  const accepted = await acceptMany(context, 32);
  const flood = Buffer.alloc(8 * 1024 * 1024);
  // One recv starts the flow; from then on nobody reads.
  for (const { client, stream } of accepted) {
    client.write('ab');
    expect((await stream.take(taken)).length).toBe(taken);
  }
  await context.settle(1);
  const before = arrayBufferBytes();
  for (const { client } of accepted) client.write(flood);
  await context.settle(50);
  const ahead = (arrayBufferBytes() - before) / accepted.length;
  const [{ stream }] = accepted as [Accepted];
  expect((await stream.takeExactly(2 - taken + flood.length)).length).toBe(2 - taken + flood.length);
  for (const { client } of accepted) client.destroy();
  return ahead;
}

/** The heartbeat of `settle` leaves some garbage. */
const GARBAGE_BYTES = 16 * 1024;

portTest('C6: nothing is read ahead of a stream with bytes that nobody has received', async (context) => {
  expect(await readAhead(context, 1)).toBeLessThanOrEqual(GARBAGE_BYTES);
});

portTest('C6: one chunk is read ahead of a stream that is no longer read', async (context) => {
  expect(await readAhead(context, 2)).toBeLessThanOrEqual(CHUNK_BYTES + GARBAGE_BYTES);
});

portTest('C5, C7: what is left of a chunk stays as it came while other streams receive', async (context) => {
  const [first, second] = (await acceptMany(context, 2)) as [Accepted, Accepted];
  first.client.write(Buffer.alloc(5000, 'a'));
  expect((await first.stream.take(1)).length).toBe(1);
  second.client.write(Buffer.alloc(5000, 'b'));
  expect(Buffer.from(await second.stream.takeExactly(5000)).equals(Buffer.alloc(5000, 'b'))).toBe(true);
  expect(Buffer.from(await first.stream.takeExactly(4999)).equals(Buffer.alloc(4999, 'a'))).toBe(true);
});

portTest('C5, C15: what is received lies in the same memory again when it was given back', async (context) => {
  const { client, stream } = await accept(context);
  const whole = Buffer.alloc(3 * CHUNK_BYTES, 'ab');
  const memories = new Set<ArrayBufferLike>();
  for (let round = 0; round < 50; round++) {
    client.write(whole);
    const held: Completion[] = [];
    for (let missing = whole.length; missing > 0; ) {
      const completion = await stream.recv();
      missing -= completion.result;
      if (completion.result > 4096) memories.add(completion.bytes.buffer);
      held.push(completion);
    }
    for (const completion of held) stream.driver.release(completion);
  }
  expect(memories.size).toBeGreaterThan(2);
  expect(memories.size).toBeLessThan(8);
});

portTest('C5: small pieces that are held long lie together, whatever comes between them', async (context) => {
  const [slow, busy] = (await acceptMany(context, 2)) as [Accepted, Accepted];
  const memories = new Set<ArrayBufferLike>();
  const held: Completion[] = [];
  for (let round = 0; round < 20; round++) {
    slow.client.write(chunk.subarray(0, 3000));
    const completion = await slow.stream.recv();
    expect(completion.result).toBe(3000);
    memories.add(completion.bytes.buffer);
    held.push(completion);
    busy.client.write(chunk);
    await busy.stream.takeExactly(CHUNK_BYTES);
  }
  expect(memories.size).toBeLessThan(3);
  for (const completion of held) slow.stream.driver.release(completion);
});

it.each(['before', 'after'])(
  'C5: memory that a user has detached %s its release is not received into',
  async (when) => {
    const whole = Buffer.alloc(12 * CHUNK_BYTES, 'abcdefg');
    let received = 0;
    const held: { memory: ArrayBuffer; lease: Lease; result: number }[] = [];
    const giveBack = (): void => {
      const { memory, lease, result } = held.shift() as (typeof held)[number];
      // Small pieces lie in Node's pool, which newer versions refuse to transfer.
      const detach = (): unknown => result > 4096 && structuredClone(memory, { transfer: [memory] });
      if (when === 'before') detach();
      port.release(lease);
      if (when === 'after') detach();
    };
    const port = netBackend.createPort((batch) => {
      for (let index = 0; index < batch.length; index++) {
        const handle = batch.handle(index);
        const result = batch.result(index);
        if (batch.operation(index) === Operation.listen) port.accept(handle, 1);
        else if (batch.operation(index) === Operation.accept) port.recv(result, CHUNK_BYTES);
        else if (batch.operation(index) === Operation.recv && result > 0) {
          const [memory, start] = [batch.memory(index), batch.start(index)];
          const bytes = memory.subarray(start, start + result);
          expect(whole.compare(bytes, 0, bytes.length, received, received + result)).toBe(0);
          received += result;
          held.push({ memory: memory.buffer as ArrayBuffer, lease: batch.lease(index), result });
          // Two are held, and every third time none: the slab that is being filled is among those that are detached, and others.
          while (held.length > 0 && (held.length > 2 || received % 3 === 0)) giveBack();
          port.recv(handle, CHUNK_BYTES);
        } else if (batch.operation(index) === Operation.recv) port.close(handle);
      }
    });
    const client = connect(await listening(port), '127.0.0.1');
    client.end(whole);
    await once(client.resume(), 'close');
    expect(received).toBe(whole.length);
    while (held.length > 0) giveBack();
    await port[Symbol.asyncDispose]();
  },
);

portTest('C7, C11: a part that nobody has received keeps no memory once the stream is closed', async (context) => {
  const made = await acceptMany(context, 64);
  const before = arrayBufferBytes();
  for (const { client, stream } of made) {
    client.write(chunk);
    expect((await stream.take(1)).length).toBe(1);
    await stream.close();
  }
  expect(arrayBufferBytes() - before).toBeLessThan(8 * CHUNK_BYTES);
});

// On a bare port: the driver keeps a copy of what was received.
it.each([1, CHUNK_BYTES])(
  'C11, C17: what comes while a stream is being closed keeps no memory, with a recv of %i',
  async (max) => {
    const streams = 64;
    const accepted: Handle[] = [];
    let closed = 0;
    const port = netBackend.createPort((batch) => {
      for (let index = 0; index < batch.length; index++) {
        const operation = batch.operation(index);
        if (operation === Operation.listen) port.accept(batch.handle(index), streams);
        else if (operation === Operation.accept) accepted.push(batch.result(index));
        else if (operation === Operation.close) closed++;
        else {
          expect(batch.result(index)).toBe(max);
          port.release(batch.lease(index));
        }
      }
    });
    const number = await listening(port);
    const clients: Socket[] = [];
    for (let made = 1; made <= streams; made++) {
      clients.push(connect(number, '127.0.0.1').on('error', () => {}));
      while (accepted.length < made) await setImmediate();
    }
    const before = arrayBufferBytes();
    for (const [index, stream] of accepted.entries()) {
      clients[index]?.write(chunk);
      clients[index]?.write(chunk);
      port.recv(stream, max);
      // Bytes have arrived and are not delivered yet: that comes behind this, in the same phase of the loop.
      await setImmediate();
      port.close(stream);
      while (closed <= index) await setImmediate();
    }
    expect(arrayBufferBytes() - before).toBeLessThan(8 * CHUNK_BYTES);
    for (const client of clients) client.destroy();
    await port[Symbol.asyncDispose]();
  },
);

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

const moments = { never: 'never', before: 'before the reset', between: 'behind the last bytes' };
for (const [moment, when] of Object.entries(moments)) {
  portTest(`C8: an end is not taken for the reset that came behind it, with our shutdown ${when}`, async (context) => {
    const { client, stream } = await accept(context);
    client.end('abc');
    await context.settle();
    if (moment === 'before') await stream.shutdown();
    client.resetAndDestroy();
    await context.settle();
    expect(Buffer.from(await stream.take()).toString()).toBe('abc');
    if (moment === 'between') await stream.shutdown();
    for (let round = 0; round < 3; round++) expect((await stream.recv()).result).toBe(0);
    await stream.close();
  });
}

portTest('C13: a reset behind the last bytes is met though we shut down before it is looked for', async (context) => {
  const { client, stream } = await accept(context);
  client.write('abc');
  await context.settle();
  client.resetAndDestroy();
  await context.settle();
  expect(Buffer.from(await stream.take()).toString()).toBe('abc');
  stream.port.shutdown(stream.handle);
  expect((await stream.recv()).result).toBe(-Errno.ECONNRESET);
  expect([0, -Errno.ECONNRESET]).toContain((await stream.next(Operation.shutdown)).result);
});

portTest('C13: a reset after our own shutdown is no end', async (context) => {
  const { client, stream } = await accept(context);
  client.allowHalfOpen = true;
  await stream.shutdown();
  client.write('abc');
  await context.settle();
  client.resetAndDestroy();
  await context.settle();
  let completion = await stream.recv();
  for (; completion.result > 0; completion = await stream.recv()) stream.driver.release(completion);
  expect(completion.result).toBe(-Errno.ECONNRESET);
});

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

portTest('C19: an onTrace that throws is the mistake of its owner, and no failure of the verb', async (context) => {
  const caught: unknown[] = [];
  process.setUncaughtExceptionCaptureCallback((error) => void caught.push(error));
  context.defer(() => process.setUncaughtExceptionCaptureCallback(null));
  const mistake = new Error('in onTrace');
  let armed = true;
  const onTrace = (): void => {
    if (armed) throw mistake;
  };
  const driver = context.driver({ onTrace });
  const handle = driver.port.connect(await context.refusedAddress());
  driver.port.recv(handle, 10);
  expect((await driver.next(handle, Operation.recv)).result).toBe(-Errno.ENOTCONN);
  expect((await driver.next(handle, Operation.connect)).result).toBe(-Errno.ECONNREFUSED);
  armed = false;
  expect(caught).toEqual([mistake, mistake]);
});

it('C19: what a sink has looked at from the last to the first before it threw is not delivered again', async () => {
  const caught: unknown[] = [];
  process.setUncaughtExceptionCaptureCallback((error) => void caught.push(error));
  const seen: Handle[] = [];
  const port = netBackend.createPort((batch) => {
    for (let index = batch.length - 1; index >= 0; index--) {
      if (batch.operation(index) === Operation.recv) seen.push(batch.handle(index));
    }
    if (caught.length === 0 && seen.length === handles.length) throw new Error('in the sink');
  });
  const handles = [1, 2, 3].map(() => port.connect({ ip: '127.0.0.1', port: 1 }));
  for (const handle of handles) port.recv(handle, 10);
  for (let turns = 0; turns < 10; turns++) await setImmediate();
  process.setUncaughtExceptionCaptureCallback(null);
  expect(caught).toHaveLength(1);
  expect(seen).toEqual(handles.toReversed());
  await port[Symbol.asyncDispose]();
});
