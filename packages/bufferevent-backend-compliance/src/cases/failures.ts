import assert from 'node:assert/strict';
import { statSync } from 'node:fs';
import {
  type Address,
  Errno,
  errnoName,
  type IpAddress,
  type ListenOptions,
  Operation,
  type StreamOptions,
  type TraceRecord,
} from 'bufferevent-backend';
import { concat, pattern } from '../bytes.js';
import { type ComplianceCase, complianceCase } from '../case.js';
import { type CaseContext, refused } from '../context.js';
import { Stream } from '../stream.js';
import { expectArgumentError, expectBackendError, expectBytes, untyped } from './expect.js';

async function receiveUntilReset(context: CaseContext, shutsDown: boolean): Promise<void> {
  const { left, right } = await context.pair();
  if (shutsDown) await right.shutdown();
  await left.sendAll(pattern(300));
  await context.settle();
  await left.reset();
  await context.settle();
  const received: Uint8Array[] = [];
  let completion = await right.recv();
  for (; completion.result > 0; completion = await right.recv()) {
    received.push(completion.bytes.slice());
    right.driver.release(completion);
  }
  assert.equal(completion.result, -Errno.ECONNRESET);
  // Some systems throw away what was not received by then.
  const bytes = concat(received);
  expectBytes(bytes, pattern(300).slice(0, bytes.length));
}

/** What sending to a peer that has gone fails with. The system may take one send before it learns of it. */
async function sendUntilFailure(context: CaseContext, stream: Stream): Promise<number> {
  for (let round = 0; round < 10; round++) {
    await context.settle(2);
    const { result } = await stream.send(pattern(1000));
    if (result < 0) return result;
  }
  return assert.fail('a peer that has gone is sent to without a failure');
}

/** C13 and C18: how failures look, and what they leave alone. */
export const failureCases: readonly ComplianceCase[] = [
  complianceCase(
    'C13: a connect that nobody answers completes with ECONNREFUSED',
    async (context) => {
      const handle = context.left.port.connect(await context.refusedAddress());
      assert.equal((await context.left.next(handle, Operation.connect)).result, refused);
    },
    ['tcp'],
  ),

  complianceCase(
    'C13: a connect that could meet nobody but itself completes with ECONNREFUSED',
    async (context) => {
      const address = (await context.refusedAddress()) as IpAddress;
      const handle = context.left.port.connect(address, { localAddress: address });
      assert.equal((await context.left.next(handle, Operation.connect)).result, refused);
      context.left.port.close(handle);
      assert.equal((await context.left.next(handle, Operation.close)).result, 0);
      // It does not keep the address from whoever comes to listen there.
      await context.pairAt(await context.listen(context.right, address));
    },
    ['tcp'],
  ),

  complianceCase('C13: listening on an address in use completes with EADDRINUSE', async (context) => {
    const { handle: first, address } = await context.listen();
    const handle = context.right.port.listen(address);
    assert.equal((await context.right.next(handle, Operation.listen)).result, -Errno.EADDRINUSE);
    context.right.port.close(handle);
    assert.equal((await context.right.next(handle, Operation.close)).result, 0);
    // The listener that has the address is not touched by the one that wanted it.
    await context.pairAt({ handle: first, address });
  }),

  complianceCase(
    'C13: listening on an address of another machine completes with EADDRNOTAVAIL',
    async (context) => {
      const handle = context.right.port.listen(context.foreignAddress());
      assert.equal((await context.right.next(handle, Operation.listen)).result, -Errno.EADDRNOTAVAIL);
    },
    ['foreignAddress'],
  ),

  complianceCase(
    'C13: a reset by the peer is ECONNRESET for recv',
    async (context) => {
      const { left, right } = await context.pair();
      await left.reset();
      assert.equal(await right.takeError(), -Errno.ECONNRESET);
    },
    ['tcp'],
  ),

  complianceCase(
    'C13: a reset behind bytes is ECONNRESET for recv, behind those that are still received',
    (context) => receiveUntilReset(context, false),
    ['tcp'],
  ),

  complianceCase(
    'C13: a reset behind bytes is ECONNRESET for recv after our own shutdown too',
    (context) => receiveUntilReset(context, true),
    // With both directions over, not every system tells a reset from an end.
    ['readAfterWriteError', 'tcp'],
  ),

  complianceCase(
    'C13: a reset that a send has met first is ECONNRESET for watchPeer',
    async (context) => {
      const { left, right } = await context.pair();
      await left.reset();
      await sendUntilFailure(context, right);
      right.port.watchPeer(right.handle);
      assert.equal((await right.next(Operation.watchPeer)).result, -Errno.ECONNRESET);
    },
    ['peerClose', 'tcp'],
  ),

  complianceCase(
    'C13: a reset that ends a send in flight is ECONNRESET for a watchPeer beside it',
    async (context) => {
      const { left, right } = await context.pair();
      const chunk = new Uint8Array(context.bulkBytes);
      do {
        right.submitSend(chunk);
        await context.settle(6);
      } while (right.driver.untaken(right.handle, Operation.send).length > 0 && (await right.next(Operation.send)));
      right.port.watchPeer(right.handle);
      await context.settle(2);
      await left.reset();
      // It may have moved bytes (C17).
      await right.next(Operation.send);
      assert.equal((await right.next(Operation.watchPeer)).result, -Errno.ECONNRESET);
    },
    ['peerClose', 'tcp'],
  ),

  complianceCase(
    'C13: a shutdown after a reset by the peer fails, if it does, with ECONNRESET or EPIPE',
    async (context) => {
      for (const { left, right } of await context.pairs(5)) {
        await left.reset();
        await context.settle();
        right.port.shutdown(right.handle);
        const { result } = await right.next(Operation.shutdown);
        assert.ok([0, -Errno.ECONNRESET, -Errno.EPIPE].includes(result), `shutdown completed with ${result}`);
      }
    },
  ),

  complianceCase('C13: sending to a peer that has reset fails with ECONNRESET or EPIPE', async (context) => {
    const { left, right } = await context.pair();
    await left.reset();
    await context.settle();
    const result = await sendUntilFailure(context, right);
    assert.ok(result === -Errno.ECONNRESET || result === -Errno.EPIPE, `send completed with ${result}`);
  }),

  complianceCase(
    'C13: onTrace sees each failure with its raw code before the sink does',
    async (context) => {
      const traced: TraceRecord[] = [];
      const driver = context.driver({ onTrace: (record) => void traced.push(record) });
      let tracedBefore = -1;
      driver.onBatch = (completions) => {
        if (completions.some(({ operation, result }) => operation === Operation.connect && result < 0)) {
          tracedBefore = traced.filter(({ operation }) => operation === Operation.connect).length;
        }
      };
      const handle = driver.port.connect(await context.refusedAddress());
      await driver.next(handle, Operation.connect);
      assert.equal(tracedBefore, 1, `onTrace had run ${tracedBefore} times when the sink ran`);
      const record = traced.find(({ operation }) => operation === Operation.connect);
      assert.ok(record);
      assert.equal(record.handle, handle);
      assert.equal(record.result, refused);
      assert.ok(['string', 'number'].includes(typeof record.raw) && record.raw !== '');
    },
    ['tcp'],
  ),

  complianceCase('C13: onTrace is not called for what succeeds', async (context) => {
    const traced: TraceRecord[] = [];
    const driver = context.driver({ onTrace: (record) => void traced.push(record) });
    const { handle, address } = await context.listen();
    context.right.port.accept(handle, 1);
    const stream = new Stream(driver, driver.port.connect(address));
    assert.equal((await stream.next(Operation.connect)).result, 0);
    await stream.sendAll(pattern(10));
    await stream.shutdown();
    assert.deepEqual(traced, []);
  }),

  complianceCase(
    'C13: connecting to a path that is not there completes with ENOENT or ECONNREFUSED',
    async (context) => {
      const handle = context.left.port.connect(context.pathAddress());
      const { result } = await context.left.next(handle, Operation.connect);
      assert.ok(result === -Errno.ENOENT || result === -Errno.ECONNREFUSED, errnoName(result));
    },
    ['paths', 'pathAddress'],
  ),

  complianceCase(
    'C13: listening on a path in use completes with EADDRINUSE',
    async (context) => {
      const { address } = await context.listen(context.right, context.pathAddress());
      const handle = context.left.port.listen(address);
      assert.equal((await context.left.next(handle, Operation.listen)).result, -Errno.EADDRINUSE);
    },
    ['paths', 'pathAddress'],
  ),

  complianceCase(
    'C13: a path that is too long completes with ENAMETOOLONG, and never stands for its beginning',
    async (context) => {
      const { path } = context.pathAddress();
      const address = { path: path + 'x'.repeat(200) };
      const listener = context.left.port.listen(address);
      assert.equal((await context.left.next(listener, Operation.listen)).result, -Errno.ENAMETOOLONG);
      const stream = context.left.port.connect(address);
      assert.equal((await context.left.next(stream, Operation.connect)).result, -Errno.ENAMETOOLONG);
    },
    ['paths', 'pathAddress'],
  ),

  complianceCase(
    'C13: a socket file has the permissions that it was given, whatever the umask',
    async (context) => {
      for (const mode of [0o600, 0o660, 0o777, 0o666]) {
        const { path } = context.pathAddress();
        const { handle } = await context.listen(context.right, { path }, { mode });
        assert.equal(statSync(path).mode & 0o777, mode);
        context.right.port.close(handle);
        await context.right.next(handle, Operation.close);
      }
    },
    ['socketFiles', 'pathAddress'],
  ),

  complianceCase(
    'C13: two ports listen on one address with reusePort',
    async (context) => {
      const options = { reusePort: true };
      const first = await context.listen(context.right, context.harness.listenAddress(), options);
      const second = await context.listen(context.driver(), first.address, options);
      assert.deepEqual(second.address, first.address);
      // Whichever gets it: the connection is made.
      const client = context.left.port.connect(first.address);
      assert.equal((await context.left.next(client, Operation.connect)).result, 0);
    },
    ['reusePort', 'tcp'],
  ),

  complianceCase(
    'C13: an option of the manifest is set, and one outside it is refused',
    async (context) => {
      const { left } = await context.pair();
      const values: StreamOptions = { noDelay: true, keepAlive: 5000, recvBufferSize: 65_536, sendBufferSize: 65_536 };
      for (const name of Object.keys(values) as (keyof StreamOptions)[]) {
        const set = (): number => left.port.setOption(left.handle, name, values[name]);
        if (context.supports.streamOptions.includes(name)) assert.equal(set(), 0, `setOption ${name}`);
        else expectBackendError('ERR_BACKEND_UNSUPPORTED', set);
      }
      if (context.supports.streamOptions.includes('keepAlive')) {
        assert.equal(left.port.setOption(left.handle, 'keepAlive', false), 0);
      }
    },
    ['tcp'],
  ),

  complianceCase('C13: an option with a malformed value or name throws', async (context) => {
    const { left } = await context.pair();
    const malformed: readonly (readonly [keyof StreamOptions, unknown])[] = [
      ['noDelay', 'yes'],
      ['keepAlive', -1],
      ['keepAlive', true],
      ['recvBufferSize', 0],
      ['sendBufferSize', '1024'],
    ];
    for (const [name, value] of malformed) {
      if (!context.supports.streamOptions.includes(name)) continue;
      expectArgumentError(() => left.port.setOption(left.handle, name, untyped(value)), `${name} = ${String(value)}`);
    }
    assert.throws(() => left.port.setOption(left.handle, untyped<'noDelay'>('nonsense'), true));
  }),

  complianceCase(
    'C18: a send that fails after our own shutdown leaves received bytes readable',
    async (context) => {
      const { left, right } = await context.pair();
      await left.sendAll(pattern(5000));
      await right.shutdown();
      await context.settle();
      assert.ok((await right.send(pattern(10))).result < 0);
      await left.shutdown();
      expectBytes(await right.takeAll(), pattern(5000));
    },
    ['readAfterWriteError'],
  ),

  complianceCase(
    'C18: a send that fails because the peer closed leaves received bytes readable',
    async (context) => {
      const { left, right } = await context.pair();
      // The peer leaves with bytes of ours unread: it answers what we send next with a reset.
      await right.sendAll(pattern(100));
      await left.sendAll(pattern(5000));
      await context.settle();
      await left.close();
      await context.settle();
      await sendUntilFailure(context, right);
      const received = await right.takeExactly(5000, 700);
      expectBytes(received, pattern(5000));
    },
    ['readAfterWriteError'],
  ),

  complianceCase(
    'C18: a reset that a send has met first is ECONNRESET for recv, behind the bytes that had come',
    async (context) => {
      const { left, right } = await context.pair();
      await left.sendAll(pattern(300));
      await context.settle();
      await left.reset();
      await sendUntilFailure(context, right);
      right.port.shutdown(right.handle);
      assert.ok((await right.next(Operation.shutdown)).result < 0);
      expectBytes(await right.takeExactly(300), pattern(300));
      for (let round = 0; round < 3; round++) assert.equal((await right.recv()).result, -Errno.ECONNRESET);
    },
    ['readAfterWriteError', 'tcp'],
  ),

  complianceCase(
    'C18: a recv in flight is not harmed by a send that fails',
    async (context) => {
      const { left, right } = await context.pair();
      right.port.recv(right.handle, 100);
      await right.shutdown();
      assert.ok((await right.send(pattern(10))).result < 0);
      await context.settle();
      await left.sendAll(pattern(100));
      const completion = await right.next(Operation.recv);
      assert.ok(completion.result > 0);
      expectBytes(completion.bytes, pattern(100).slice(0, completion.result));
    },
    ['readAfterWriteError'],
  ),
];

/** C14: numeric addresses and socket paths only. */
export const addressCases: readonly ComplianceCase[] = [
  complianceCase('C14: a host name is refused and never resolved', async (context) => {
    for (const ip of ['localhost', 'example.com', 'a', '']) {
      expectArgumentError(() => context.left.port.connect({ ip, port: 80 }), `connect to ${JSON.stringify(ip)}`);
      expectArgumentError(() => context.left.port.listen({ ip, port: 0 }), `listen on ${JSON.stringify(ip)}`);
    }
    const localAddress = { ip: 'localhost', port: 0 };
    const body = (): number => context.left.port.connect({ ip: '127.0.0.1', port: 80 }, { localAddress });
    expectArgumentError(body, 'connect from localhost');
    assert.equal(context.left.port.stats().streams + context.left.port.stats().listeners, 0);
  }),

  complianceCase('C14: malformed addresses throw and leave no handle', async (context) => {
    const malformed: unknown[] = [
      undefined,
      null,
      'localhost:80',
      80,
      {},
      { ip: '127.0.0.1' },
      { ip: '127.0.0.1', port: -1 },
      { ip: '127.0.0.1', port: 65_536 },
      { ip: '127.0.0.1', port: 1.5 },
      { ip: '127.0.0.1', port: '80' },
      { ip: '256.0.0.1', port: 80 },
      { ip: '127.0.0', port: 80 },
      { ip: '1::2::3', port: 80 },
      { ip: 127, port: 80 },
    ];
    if (context.supports.paths) malformed.push({ path: '' }, { path: 5 });
    for (const address of malformed) {
      expectArgumentError(() => context.left.port.connect(untyped(address)), `connect(${JSON.stringify(address)})`);
      expectArgumentError(() => context.left.port.listen(untyped(address)), `listen(${JSON.stringify(address)})`);
    }
    const { streams, listeners, pending } = context.left.port.stats();
    assert.deepEqual([streams, listeners, pending], [0, 0, 0]);
  }),

  complianceCase('C14: options that an address of its kind cannot have throw and leave no handle', async (context) => {
    const { port } = context.left;
    const refuse = (address: Address, options: ListenOptions, supported: boolean): void => {
      if (!supported) return;
      expectArgumentError(() => port.listen(address, options), `${JSON.stringify(options)} of listen`);
    };
    const { paths, reusePort, deferAccept, socketFiles } = context.supports;
    const ip = { ip: '127.0.0.1', port: 0 };
    const path = { path: '/tmp/never-made' };
    refuse(path, { reusePort: true }, paths && reusePort);
    refuse(path, { deferAccept: true }, paths && deferAccept);
    refuse(ip, { mode: 0o600 }, socketFiles);
    refuse({ path: '\0abstract' }, { mode: 0o600 }, socketFiles);
    for (const mode of [-1, 0o1000, 0.5]) refuse(path, { mode }, socketFiles);
    refuse(ip, { backlog: -1 }, true);
    assert.deepEqual([port.stats().listeners, port.stats().pending], [0, 0]);
  }),

  complianceCase('C14: a listener knows the port that it was given', async (context) => {
    const asked = context.harness.listenAddress();
    const { address } = await context.listen(context.right, asked);
    if ('port' in asked && 'port' in address) {
      assert.equal(address.ip, asked.ip);
      assert.ok(address.port > 0);
    }
  }),

  complianceCase('C14: both ends of a connection agree about their addresses', async (context) => {
    const { left, right } = await context.pair();
    const there = left.port.address(left.handle);
    const here = right.port.address(right.handle);
    assert.ok(there.peer !== null && here.local !== null);
    assert.deepEqual(there.peer, here.local);
    assert.deepEqual(there.local, here.peer);
  }),

  complianceCase(
    'C14: a connection starts from the local address that it was told',
    async (context) => {
      const listener = await context.listen();
      const localAddress = context.localAddress();
      const { left, right } = await context.pairAt(listener, { localAddress });
      const { local } = left.port.address(left.handle);
      assert.equal((local as IpAddress).ip, localAddress.ip);
      assert.deepEqual(right.port.address(right.handle).peer, local);
    },
    ['localAddress'],
  ),

  complianceCase(
    'C14: an IPv6 address is listened on and connected to',
    async (context) => {
      const listener = await context.listen(context.right, context.ipv6Address());
      const { left, right } = await context.pairAt(listener);
      assert.equal((right.port.address(right.handle).local as IpAddress).ip, context.ipv6Address().ip);
      await left.sendAll(pattern(100));
      expectBytes(await right.takeExactly(100), pattern(100));
    },
    ['ipv6Address'],
  ),

  complianceCase(
    'C14: an IPv4 address that is mapped into IPv6 is connected to',
    async (context) => {
      const listener = await context.listen(context.right, { ip: '127.0.0.1', port: 0 });
      const { port } = listener.address as IpAddress;
      context.right.port.accept(listener.handle, 1);
      const client = context.left.port.connect({ ip: '::ffff:127.0.0.1', port });
      assert.equal((await context.left.next(client, Operation.connect)).result, 0);
      const { result } = await context.right.next(listener.handle, Operation.accept);
      assert.equal((context.right.port.address(result).local as IpAddress).ip, '127.0.0.1');
    },
    ['ipv6Address'],
  ),

  complianceCase(
    'C14: a socket path is listened on and connected to',
    async (context) => {
      const address = context.pathAddress();
      const listener = await context.listen(context.right, address);
      assert.deepEqual(listener.address, address);
      const { left, right } = await context.pairAt(listener);
      assert.deepEqual(left.port.address(left.handle).peer, address);
      const bytes = pattern(200_000);
      const sent = context.meanwhile(left.sendAll(bytes).then(() => left.shutdown()));
      expectBytes(await right.takeAll(), bytes);
      await sent;
    },
    ['paths', 'pathAddress'],
  ),
];
