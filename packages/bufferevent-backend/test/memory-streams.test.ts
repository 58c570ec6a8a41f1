import { Errno, Operation } from 'bufferevent-backend';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { counting, text, whole } from './support/recorder.js';
import { bench, connected } from './support/world.js';

const POISON = 0xdb;

describe('receive memory', () => {
  it('C5: is poisoned when it is released, and given out again first', () => {
    const on = bench();
    const { left, right } = connected(on);
    const memories: Uint8Array[] = [];
    const starts: number[] = [];
    const port = on.backend.createPort((batch) => {
      memories.push(batch.memory(0));
      starts.push(batch.start(0));
      const bytes = batch.memory(0).subarray(batch.start(0), batch.start(0) + batch.result(0));
      expect([...bytes]).toEqual([1, 2, 3]);
      port.release(batch.lease(0));
      expect([...bytes]).toEqual([POISON, POISON, POISON]);
    });
    on.right.port.detach(right);
    on.network.settle();
    const stream = port.adopt(on.right.take(Operation.detach, right).result);
    for (let round = 0; round < 2; round++) {
      port.recv(stream, 100);
      on.left.port.send(left, whole(Uint8Array.of(1, 2, 3)));
      on.network.settle();
    }
    expect(memories[1]).toBe(memories[0]);
    expect(starts[1]).toBe(starts[0]);
  });

  it('C5: never starts at the beginning of its memory, so that a receiver that forgets start(index) is wrong', () => {
    const on = bench();
    const { left, right } = connected(on);
    const starts: number[] = [];
    const port = on.backend.createPort((batch) => {
      starts.push(batch.start(0));
      port.release(batch.lease(0));
    });
    on.right.port.detach(right);
    on.network.settle();
    const stream = port.adopt(on.right.take(Operation.detach, right).result);
    for (const size of [1, 257, 5000, 65536]) {
      port.recv(stream, size);
      on.left.port.send(left, whole(counting(size)));
      on.network.settle();
    }
    expect(starts).toHaveLength(4);
    for (const start of starts) expect(start).toBeGreaterThan(0);
  });

  it('C5: a lease is given back once', () => {
    const on = bench();
    const { left, right } = connected(on);
    on.right.keep = true;
    on.right.port.recv(right, 10);
    on.left.port.send(left, text('abc'));
    on.network.settle();
    const { lease } = on.right.take(Operation.recv, right);
    expect(on.right.port.stats().leases).toBe(1);
    on.right.port.release(lease);
    for (const stale of [lease, 0, -1, Number.NaN]) {
      expect(() => on.right.port.release(stale)).toThrow(expect.objectContaining({ code: 'ERR_BACKEND_STALE_LEASE' }));
    }
  });

  it('a batch that is read after the sink returned throws', () => {
    const on = bench();
    const { left } = connected(on);
    on.left.port.detach(left);
    on.network.settle();
    let kept: { length: number; result(index: number): number } | undefined;
    const port = on.backend.createPort((batch) => {
      kept = batch;
      expect(() => batch.result(1)).toThrow(RangeError);
      expect(() => batch.memory(0)).toThrow('carries no memory');
    });
    port.listen({ ip: '127.0.0.1', port: 0 });
    on.network.settle();
    expect(() => kept?.length).toThrow('completion batch read after the sink returned');
    expect(() => kept?.result(0)).toThrow('completion batch read after the sink returned');
  });
});

describe('send memory', () => {
  it('C4: is read when the bytes move, so that rewriting it before shows', () => {
    const on = bench();
    const { left, right } = connected(on);
    const memory = counting(3);
    on.left.port.send(left, whole(memory));
    memory.fill(9);
    on.right.port.recv(right, 10);
    on.network.settle();
    expect([...on.right.take(Operation.recv, right).bytes]).toEqual([9, 9, 9]);
  });

  it('C4: is read until completion where sends are whole', () => {
    const on = bench({ capacity: 2 }, { sends: 'whole' });
    const { left, right } = connected(on);
    const memory = Uint8Array.of(1, 2, 3, 4);
    on.left.port.send(left, whole(memory));
    on.network.settle();
    expect(on.left.seen).toEqual([]);
    memory.fill(9);
    on.right.port.recv(right, 10);
    on.network.settle();
    expect([...on.right.take(Operation.recv, right).bytes]).toEqual([1, 2]);
    expect(on.left.results(Operation.send, left)).toEqual([4]);
    on.right.port.recv(right, 10);
    on.network.settle();
    expect([...on.right.take(Operation.recv, right).bytes]).toEqual([9, 9]);
  });

  it('C4: is copied at once when it is not registered and strictMemory is set, and read in place when it is', () => {
    const on = bench({}, { strictMemory: true });
    const { left, right } = connected(on);
    const [foreign, registered] = [counting(2), counting(2)];
    on.left.port.registerMemory(registered.buffer as ArrayBuffer);
    on.left.port.send(left, [...whole(foreign), ...whole(registered)]);
    foreign.fill(9);
    registered.fill(8);
    on.right.port.recv(right, 10);
    on.network.settle();
    expect([...on.right.take(Operation.recv, right).bytes]).toEqual([0, 1, 8, 8]);
  });

  it.each([true, false])(
    'registered memory that was detached fails its send with EFAULT (detached in flight: %s)',
    (inFlight) => {
      const on = bench();
      const { left } = connected(on);
      const memory = counting(3);
      on.left.port.registerMemory(memory.buffer as ArrayBuffer);
      if (inFlight) on.left.port.send(left, whole(memory));
      structuredClone(memory.buffer, { transfer: [memory.buffer as ArrayBuffer] });
      if (!inFlight) on.left.port.send(left, [{ memory, start: 0, end: 3 }]);
      on.network.settle();
      expect(on.left.results(Operation.send, left)).toEqual([-Errno.EFAULT]);
    },
  );

  it('registering the same memory again is counted', () => {
    const { left } = bench();
    const memory = new ArrayBuffer(10);
    left.port.registerMemory(memory);
    left.port.registerMemory(memory);
    left.port.unregisterMemory(memory);
    expect(left.port.stats().registeredBytes).toBe(10);
    left.port.unregisterMemory(memory);
    expect(left.port.stats().registeredBytes).toBe(0);
    expect(() => left.port.unregisterMemory(memory)).toThrow(RangeError);
  });
});

describe('capacity', () => {
  it('C9: a send is short when the pipe to the peer fills, and the next one waits for the peer', () => {
    const on = bench({ capacity: 10 });
    const { left, right } = connected(on);
    on.left.port.send(left, whole(counting(25)));
    on.network.settle();
    expect(on.left.take(Operation.send, left).result).toBe(10);
    on.left.port.send(left, whole(counting(15, 10)));
    on.network.settle();
    expect(on.left.seen).toEqual([]);
    on.right.port.recv(right, 4);
    on.network.settle();
    expect(on.left.take(Operation.send, left).result).toBe(4);
  });

  it('buffer sizes of a stream change how much fits', () => {
    const on = bench({ capacity: 1000 });
    const { left, right } = connected(on);
    expect(on.left.port.setOption(left, 'sendBufferSize', 5)).toBe(0);
    expect(on.left.port.setOption(left, 'recvBufferSize', 7)).toBe(0);
    on.left.port.send(left, whole(counting(25)));
    on.right.port.send(right, whole(counting(25)));
    on.network.settle();
    expect(on.left.take(Operation.send, left).result).toBe(5);
    expect(on.right.take(Operation.send, right).result).toBe(7);
  });

  it('C17: a cancelled send that moved bytes says how many, where sends are whole', () => {
    const on = bench({ capacity: 10 }, { sends: 'whole' });
    const { left } = connected(on);
    on.left.port.send(left, whole(counting(25)));
    on.network.settle();
    on.left.port.cancel(left, Operation.send);
    on.network.settle();
    expect(on.left.take(Operation.send, left).result).toBe(10);
    on.left.port.send(left, whole(counting(25)));
    on.network.settle();
    on.left.port.cancel(left, Operation.send);
    on.network.settle();
    expect(on.left.take(Operation.send, left).result).toBe(-Errno.ECANCELED);
  });

  it.each(['close', 'detach'] as const)('C11: a send is tried before its stream goes by %s', (verb) => {
    const on = bench({ capacity: 10 });
    const { left, right } = connected(on);
    on.left.port.send(left, whole(counting(25)));
    on.left.port[verb](left);
    on.right.port.recv(right, 100);
    on.network.settle();
    expect(on.left.seen.map(({ operation, result }) => [operation, result])[0]).toEqual([Operation.send, 10]);
    expect(on.left.seen.at(-1)?.operation).toBe(Operation[verb]);
    expect(on.right.take(Operation.recv, right).bytes).toEqual(counting(10));
  });

  it('C8: whatever is sent and received in whatever pieces, the same bytes arrive in order', () => {
    const sizes = fc.array(fc.integer({ min: 1, max: 300 }), { minLength: 1, maxLength: 40 });
    const manner = fc.constantFrom('short' as const, 'whole' as const);
    fc.assert(
      fc.property(sizes, sizes, fc.integer({ min: 1, max: 200 }), manner, (sends, recvs, capacity, sendsManner) => {
        const on = bench({ capacity }, { sends: sendsManner });
        const { left, right } = connected(on);
        const total = sends.reduce((sum, size) => sum + size, 0);
        const bytes = counting(total);
        const received: number[] = [];
        let sent = 0;
        let ended = 0;
        const next = (): void => {
          const size = sends.find((_, index) => sends.slice(0, index + 1).reduce((a, b) => a + b, 0) > sent) ?? 0;
          if (sent === total) on.left.port.shutdown(left);
          else on.left.port.send(left, [{ memory: bytes, start: sent, end: Math.min(total, sent + size) }]);
        };
        on.left.on = ({ operation, result }) => {
          if (operation !== Operation.send) return;
          sent += result;
          next();
        };
        on.right.on = ({ result, bytes: piece }) => {
          received.push(...piece);
          if (result > 0) on.right.port.recv(right, recvs[received.length % recvs.length] as number);
          else ended++;
        };
        on.right.port.recv(right, recvs[0] as number);
        next();
        on.network.settle();
        expect(ended).toBe(1);
        expect(received).toEqual([...bytes]);
        expect(on.right.port.stats()).toMatchObject({ pending: 0, leases: 0 });
      }),
      { numRuns: 100 },
    );
  });
});

describe('the end of a connection', () => {
  it('a reset is met after the bytes that were received, and by every later operation', () => {
    const on = bench();
    const { left, right } = connected(on);
    on.left.port.send(left, text('last words'));
    on.left.port.reset(left);
    on.network.settle();
    expect(on.left.results(Operation.send, left)).toEqual([-Errno.ECANCELED]);
    for (let round = 0; round < 2; round++) {
      on.right.port.recv(right, 100);
      on.right.port.send(right, text('x'));
      on.network.settle();
      expect(on.right.take(Operation.recv, right).result).toBe(-Errno.ECONNRESET);
      expect(on.right.take(Operation.send, right).result).toBe(-Errno.ECONNRESET);
    }
  });

  it.each([
    [false, 3],
    [true, -Errno.ECONNRESET],
  ])('unread bytes outlive a reset unless resetDiscardsUnread is set (%s)', (resetDiscardsUnread, result) => {
    const on = bench({ resetDiscardsUnread });
    const { left, right } = connected(on);
    on.left.port.send(left, text('abc'));
    on.network.settle();
    on.left.port.reset(left);
    on.right.port.recv(right, 100);
    on.network.settle();
    expect(on.right.take(Operation.recv, right).result).toBe(result);
  });

  it('C18: after a send that failed, received bytes are still there', () => {
    const on = bench();
    const { left, right } = connected(on);
    on.left.port.send(left, text('abc'));
    on.network.settle();
    on.left.port.close(left);
    on.right.port.send(right, text('x'));
    on.network.settle();
    expect(on.right.take(Operation.send, right).result).toBe(-Errno.EPIPE);
    on.right.port.recv(right, 100);
    on.network.settle();
    expect(on.right.take(Operation.recv, right).result).toBe(3);
    on.right.port.recv(right, 100);
    on.network.settle();
    expect(on.right.take(Operation.recv, right).result).toBe(0);
  });

  it('C18: a backend without readAfterWriteError really loses them', () => {
    const on = bench({}, { supports: { readAfterWriteError: false } });
    const { left, right } = connected(on);
    on.left.port.send(left, text('abc'));
    on.network.settle();
    on.left.port.close(left);
    on.right.port.send(right, text('x'));
    on.network.settle();
    on.right.port.recv(right, 100);
    on.network.settle();
    expect(on.right.take(Operation.recv, right).result).toBe(-Errno.EPIPE);
  });

  it('C9: a shutdown fails with the send that it waits for', () => {
    const on = bench({ capacity: 5 });
    const { left, right } = connected(on);
    on.left.port.send(left, whole(counting(5)));
    on.network.settle();
    on.left.port.send(left, whole(counting(5)));
    on.left.port.shutdown(left);
    on.network.settle();
    on.right.port.reset(right);
    on.network.settle();
    expect(on.left.results(Operation.send, left)).toEqual([5, -Errno.ECONNRESET]);
    expect(on.left.results(Operation.shutdown, left)).toEqual([-Errno.ECONNRESET]);
  });

  it.each([
    ['cancelled', -Errno.ECANCELED],
    ['refused by a peer that has closed', -Errno.EPIPE],
  ])('C9: a shutdown fails with a send that was %s', (how, result) => {
    const on = bench({ capacity: 5 });
    const { left, right } = connected(on);
    on.left.port.send(left, whole(counting(5)));
    on.network.settle();
    on.left.port.send(left, whole(counting(5)));
    on.left.port.shutdown(left);
    if (how === 'cancelled') on.left.port.cancel(left, Operation.send);
    else on.right.port.close(right);
    on.network.settle();
    expect(on.left.results(Operation.send, left)).toEqual([5, result]);
    expect(on.left.results(Operation.shutdown, left)).toEqual([result]);
  });

  it('what is submitted before a connection stands fails with ENOTCONN', () => {
    const on = bench();
    const stream = on.left.port.connect({ ip: '127.0.0.1', port: 9 });
    on.left.port.recv(stream, 1);
    on.left.port.send(stream, text('x'));
    on.network.settle();
    expect(on.left.take(Operation.recv, stream).result).toBe(-Errno.ENOTCONN);
    expect(on.left.take(Operation.send, stream).result).toBe(-Errno.ENOTCONN);
    expect(on.left.take(Operation.connect, stream).result).toBe(-Errno.ECONNREFUSED);
  });
});

describe('files', () => {
  it('a file ends where it ends: a short result, then 0', () => {
    const on = bench();
    const { left, right } = connected(on);
    const file = on.network.openFile(counting(10));
    on.left.port.sendFile(left, file, 4, 100);
    on.right.port.recv(right, 100);
    on.network.settle();
    expect(on.left.take(Operation.sendFile, left).result).toBe(6);
    expect([...on.right.take(Operation.recv, right).bytes]).toEqual([4, 5, 6, 7, 8, 9]);
    on.left.port.sendFile(left, file, 10, 100);
    on.network.settle();
    expect(on.left.take(Operation.sendFile, left).result).toBe(0);
  });

  it('a sparse file is zeros up to its bytes', () => {
    const on = bench();
    const { left, right } = connected(on);
    const file = on.network.openFile(counting(2, 7), 2 ** 33);
    on.left.port.sendFile(left, file, 2 ** 33 - 2, 100);
    on.right.port.recv(right, 100);
    on.network.settle();
    expect([...on.right.take(Operation.recv, right).bytes]).toEqual([0, 0, 7, 8]);
  });

  it('a descriptor that is no file, or closed, fails the send', () => {
    const on = bench();
    const { left } = connected(on);
    const [socket] = on.network.socketPair();
    on.left.port.sendFile(left, socket, 0, 1);
    on.network.settle();
    expect(on.left.take(Operation.sendFile, left).result).toBe(-Errno.EINVAL);
    const file = on.network.openFile(counting(2));
    on.network.closeDescriptor(file);
    on.left.port.sendFile(left, file, 0, 1);
    on.network.settle();
    expect(on.left.take(Operation.sendFile, left).result).toBe(-Errno.EBADF);
  });
});
