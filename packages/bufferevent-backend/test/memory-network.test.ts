import { type Address, Errno, Operation } from 'bufferevent-backend';
import { describe, expect, it } from 'vitest';
import { text } from './support/recorder.js';
import { type Bench, bench, connected, listening } from './support/world.js';

/** The result of a connect, or `null` when it has not completed. */
function dial(on: Bench, address: Address): number | null {
  const stream = on.left.port.connect(address);
  on.network.settle();
  return on.left.results(Operation.connect, stream)[0] ?? null;
}

describe('addresses', () => {
  it('an address where nobody listens refuses; one that does not exist is unreachable', () => {
    const on = bench();
    expect(dial(on, { ip: '127.0.0.1', port: 9 })).toBe(-Errno.ECONNREFUSED);
    expect(dial(on, { ip: '::1', port: 9 })).toBe(-Errno.ECONNREFUSED);
    expect(dial(on, { ip: '192.0.2.1', port: 9 })).toBe(-Errno.ENETUNREACH);
    expect(dial(on, { path: '/no/such' })).toBe(-Errno.ENOENT);
    expect(dial(on, { path: '\0no such' })).toBe(-Errno.ECONNREFUSED);
    on.network.addHost('192.0.2.1');
    expect(dial(on, { ip: '192.0.2.1', port: 9 })).toBe(-Errno.ECONNREFUSED);
  });

  it('a refused address refuses although somebody listens, until it is restored', () => {
    const on = bench();
    const { address } = listening(on);
    on.network.refuse(address);
    expect(dial(on, address)).toBe(-Errno.ECONNREFUSED);
    on.network.restore(address);
    on.network.refuse({ ip: '127.0.0.1', port: 0 });
    expect(dial(on, address)).toBe(-Errno.ECONNREFUSED);
    on.network.restore({ ip: '127.0.0.1', port: 0 });
    expect(dial(on, address)).toBe(0);
  });

  it('a connect into a black hole completes only when it is cancelled, or the address restored', () => {
    const on = bench();
    const { address } = listening(on);
    on.network.blackhole(address);
    const [first, second] = [on.left.port.connect(address), on.left.port.connect(address)];
    on.network.settle();
    expect(on.left.seen).toEqual([]);
    on.left.port.cancel(first, Operation.connect);
    on.network.settle();
    expect(on.left.take(Operation.connect, first).result).toBe(-Errno.ECANCELED);
    on.network.restore(address);
    on.network.settle();
    expect(on.left.take(Operation.connect, second).result).toBe(0);
    expect(on.left.seen).toEqual([]);
  });

  it('both sides name each other; a dual-stack listener sees IPv4 mapped into IPv6', () => {
    const on = bench();
    const { handle, address } = listening(on, { ip: '::', port: 7 });
    on.right.port.accept(handle, 2);
    const stream = on.left.port.connect(
      { ip: '127.0.0.1', port: 7 },
      { localAddress: { ip: '127.0.0.3', port: 4000 } },
    );
    on.network.settle();
    const accepted = on.right.take(Operation.accept, handle).result;
    expect(address).toEqual({ ip: '::', port: 7 });
    expect(on.left.port.address(stream)).toEqual({
      local: { ip: '127.0.0.3', port: 4000 },
      peer: { ip: '127.0.0.1', port: 7 },
    });
    expect(on.right.port.address(accepted)).toEqual({
      local: { ip: '::ffff:127.0.0.1', port: 7 },
      peer: { ip: '::ffff:127.0.0.3', port: 4000 },
    });
  });

  it('every spelling of an address means the same', () => {
    const on = bench();
    const { address } = listening(on, { ip: '0:0:0:0:0:0:0:1', port: 7 });
    expect(address).toEqual({ ip: '::1', port: 7 });
    expect(dial(on, { ip: '::0001', port: 7 })).toBe(0);
    listening(on, { ip: '127.0.0.1', port: 7 });
    expect(dial(on, { ip: '::ffff:127.0.0.1', port: 7 })).toBe(0);
  });

  it.each<[Address, Address, boolean]>([
    [{ ip: '127.0.0.1', port: 7 }, { ip: '127.0.0.1', port: 7 }, false],
    [{ ip: '127.0.0.1', port: 7 }, { ip: '127.0.0.2', port: 7 }, true],
    [{ ip: '127.0.0.1', port: 7 }, { ip: '0.0.0.0', port: 7 }, false],
    [{ ip: '0.0.0.0', port: 7 }, { ip: '::', port: 7 }, false],
    [{ ip: '::1', port: 7 }, { ip: '127.0.0.1', port: 7 }, true],
    [{ path: '/a' }, { path: '/a' }, false],
    [{ path: '/a' }, { path: '/b' }, true],
  ])('%o and %o can both be bound: %s', (first, second, both) => {
    const on = bench();
    listening(on, first);
    const handle = on.right.port.listen(second);
    on.network.settle();
    expect(on.right.take(Operation.listen, handle).result).toBe(both ? 0 : -Errno.EADDRINUSE);
  });

  it('ports with reusePort share an address, and connections go to them in turn', () => {
    const on = bench();
    const address = { ip: '127.0.0.1', port: 7 };
    const first = on.right.port.listen(address, { reusePort: true });
    const second = on.left.port.listen(address, { reusePort: true });
    on.right.port.accept(first, 10);
    on.left.port.accept(second, 10);
    for (let index = 0; index < 4; index++) on.left.port.connect(address);
    on.network.settle();
    expect(on.right.results(Operation.accept, first)).toHaveLength(2);
    expect(on.left.results(Operation.accept, second)).toHaveLength(2);
  });

  it('an address that does not exist cannot be bound, an address in use not twice', () => {
    const on = bench();
    const { address } = listening(on);
    const results = [
      { ip: '192.0.2.1', port: 0 },
      { ip: '127.0.0.1', port: address.port },
      { ip: '::1', port: 0 },
    ].map((localAddress) => {
      const stream = on.left.port.connect(address, { localAddress });
      on.network.settle();
      return on.left.take(Operation.connect, stream).result;
    });
    expect(results).toEqual([-Errno.EADDRNOTAVAIL, -Errno.EADDRINUSE, -Errno.EINVAL]);
  });

  it('a path that is too long fails, a path is free again when its listener is closed', () => {
    const on = bench();
    const long = on.right.port.listen({ path: `/${'x'.repeat(107)}` });
    const { handle } = listening(on, { path: '/a' });
    expect(on.right.take(Operation.listen, long).result).toBe(-Errno.ENAMETOOLONG);
    on.right.port.close(handle);
    on.network.settle();
    expect(dial(on, { path: '/a' })).toBe(-Errno.ENOENT);
    listening(on, { path: '/a' });
    expect(dial(on, { path: '/a' })).toBe(0);
  });
});

describe('the backlog', () => {
  it('a connect waits when the backlog is full, and goes on when there is room', () => {
    const on = bench();
    const address = { ip: '127.0.0.1', port: 7 };
    const listener = on.right.port.listen(address, { backlog: 2 });
    const streams = [1, 2, 3, 4].map(() => on.left.port.connect(address));
    on.network.settle();
    expect(streams.map((stream) => on.left.results(Operation.connect, stream))).toEqual([[0], [0], [], []]);
    on.right.port.accept(listener, 1);
    on.network.settle();
    expect(streams.map((stream) => on.left.results(Operation.connect, stream))).toEqual([[0], [0], [0], []]);
    on.right.port.close(listener);
    on.network.settle();
    expect(on.left.results(Operation.connect, streams[3] as number)).toEqual([-Errno.ECONNREFUSED]);
  });

  it('connections that nobody accepted are reset when the listener closes', () => {
    const on = bench();
    const { handle, address } = listening(on);
    const stream = on.left.port.connect(address);
    on.left.port.unref();
    on.network.settle();
    on.right.port.close(handle);
    on.left.port.recv(stream, 1);
    on.network.settle();
    expect(on.left.take(Operation.recv, stream).result).toBe(-Errno.ECONNRESET);
  });
});

describe('descriptors', () => {
  it('C20: at the limit accept reports EMFILE once, and goes on when a descriptor is freed', () => {
    const on = bench();
    const { handle, address } = listening(on);
    on.right.port.accept(handle, 10);
    const file = on.network.openFile(new Uint8Array(1));
    const streams = [on.left.port.connect(address), on.left.port.connect(address)];
    on.network.descriptorLimit = on.network.openDescriptors + 2;
    on.network.settle();
    expect(on.right.results(Operation.accept, handle)).toEqual([-Errno.EMFILE]);
    on.network.settle();
    on.left.port.close(streams[0] as number);
    on.network.settle();
    on.network.closeDescriptor(file);
    on.network.settle();
    const results = on.right.results(Operation.accept, handle);
    expect(results.map((result) => (result > 0 ? 'accepted' : result))).toEqual([
      -Errno.EMFILE,
      'accepted',
      'accepted',
    ]);
  });

  it('C20: each episode is reported again, and an error uses no credit', () => {
    const on = bench();
    const { handle, address } = listening(on);
    on.right.port.accept(handle, 2);
    for (let episode = 0; episode < 2; episode++) {
      on.left.port.connect(address);
      on.network.descriptorLimit = on.network.openDescriptors + 1;
      on.network.settle();
      on.network.descriptorLimit = Number.POSITIVE_INFINITY;
      on.network.settle();
    }
    const results = on.right.results(Operation.accept, handle).map((result) => (result > 0 ? 'accepted' : result));
    expect(results).toEqual([-Errno.EMFILE, 'accepted', -Errno.EMFILE, 'accepted']);
    expect(on.right.port.stats().pending).toBe(0);
  });

  it('without acceptErrors such a connection is dropped in silence', () => {
    const on = bench({}, { supports: { acceptErrors: false } });
    const { handle, address } = listening(on);
    on.right.port.accept(handle, 2);
    const stream = on.left.port.connect(address);
    on.network.descriptorLimit = on.network.openDescriptors + 1;
    on.network.settle();
    on.left.port.recv(stream, 1);
    on.network.settle();
    expect(on.right.seen).toEqual([]);
    expect(on.left.take(Operation.recv, stream).result).toBe(0);
  });

  it('connect, listen, socketPair and openFile meet the limit too', () => {
    const on = bench({ descriptorLimit: 0 });
    const stream = on.left.port.connect({ ip: '127.0.0.1', port: 7 });
    const listener = on.left.port.listen({ ip: '127.0.0.1', port: 7 });
    on.network.settle();
    expect(on.left.take(Operation.connect, stream).result).toBe(-Errno.EMFILE);
    expect(on.left.take(Operation.listen, listener).result).toBe(-Errno.EMFILE);
    expect(() => on.network.socketPair()).toThrow(expect.objectContaining({ code: 'EMFILE' }));
    expect(() => on.network.openFile(new Uint8Array(1))).toThrow(expect.objectContaining({ code: 'EMFILE' }));
  });

  it('the lowest free number is given out, and none is open after everything is closed', () => {
    const on = bench();
    const [first, second] = on.network.socketPair();
    on.network.closeDescriptor(first);
    expect(on.network.openFile(new Uint8Array(1))).toBe(first);
    on.network.closeDescriptor(first);
    on.network.closeDescriptor(second);
    expect(on.network.openDescriptors).toBe(0);
    expect(() => on.network.closeDescriptor(first)).toThrow(expect.objectContaining({ code: 'EBADF' }));
  });

  it('a descriptor that a port has adopted belongs to the port; detach gives it back with its bytes', () => {
    const on = bench();
    const { left, right } = connected(on);
    const descriptor = on.right.port.descriptor(right);
    expect(() => on.left.port.adopt(descriptor)).toThrow(expect.objectContaining({ code: 'EEXIST', syscall: 'adopt' }));
    expect(() => on.network.closeDescriptor(descriptor)).toThrow(expect.objectContaining({ code: 'EBADF' }));
    on.left.port.send(left, text('abc'));
    on.right.port.detach(right);
    on.network.settle();
    expect(on.right.take(Operation.detach, right).result).toBe(descriptor);
    const again = on.left.port.adopt(descriptor);
    on.left.port.recv(again, 10);
    on.network.settle();
    expect(on.left.take(Operation.recv, again).result).toBe(3);
  });

  it('adopting what is no open stream throws as the system would', () => {
    const on = bench();
    const { handle } = listening(on);
    const adopt = (descriptor: number) => () => on.left.port.adopt(descriptor);
    expect(adopt(5)).toThrow(expect.objectContaining({ code: 'EBADF' }));
    expect(adopt(on.right.port.descriptor(handle))).toThrow(expect.objectContaining({ code: 'ENOTSOCK' }));
    expect(adopt(on.network.openFile(new Uint8Array(1)))).toThrow(expect.objectContaining({ code: 'ENOTSOCK' }));
    expect(adopt(-1)).toThrow(RangeError);
  });
});

describe('a lesser backend', () => {
  it('refuses what was switched off', () => {
    const lesser = bench(
      {},
      {
        supports: {
          sendFile: false,
          descriptors: false,
          registeredMemory: false,
          peerClose: false,
          cancelSend: false,
          paths: false,
          reusePort: false,
          streamOptions: ['noDelay'],
        },
      },
    );
    const { port } = lesser.left;
    const { address } = listening(lesser);
    const stream = port.connect(address);
    lesser.network.settle();
    const refused: (() => unknown)[] = [
      () => port.sendFile(stream, 1, 0, 1),
      () => port.adopt(1),
      () => port.detach(stream),
      () => port.descriptor(stream),
      () => port.registerMemory(new ArrayBuffer(1)),
      () => port.watchPeer(stream),
      () => port.cancel(stream, Operation.send),
      () => port.listen({ path: '/a' }),
      () => port.connect({ path: '/a' }),
      () => port.listen({ ip: '127.0.0.1', port: 0 }, { reusePort: true }),
      () => port.setOption(stream, 'keepAlive', 1000),
    ];
    for (const verb of refused) expect(verb).toThrow(expect.objectContaining({ code: 'ERR_BACKEND_UNSUPPORTED' }));
    expect(port.setOption(stream, 'noDelay', true)).toBe(0);
    expect(port.stats().pending).toBe(0);
  });
});
