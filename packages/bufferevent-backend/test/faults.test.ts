import { createHash } from 'node:crypto';
import { Errno, Operation, type TraceRecord } from 'bufferevent-backend';
import { createMemoryBackend, type FaultPlan, MemoryNetwork, withFaults, withTrace } from 'bufferevent-backend/memory';
import { describe, expect, it } from 'vitest';
import { counting, Recorder, text, whole } from './support/recorder.js';
import { uncaughtDuring } from './support/uncaught.js';

/** Two connected streams over faults, on a network stepped by hand; `turn` runs what the faults put off. */
function faulty(plan: FaultPlan) {
  const network = new MemoryNetwork({ scheduling: 'manual' });
  const deferred: (() => void)[] = [];
  const backend = withFaults(createMemoryBackend(network), {
    defer: (callback) => void deferred.push(callback),
    ...plan,
  });
  const [left, right] = [new Recorder(backend), new Recorder(backend)];
  const [first, second] = network.socketPair();
  const turn = (): number => {
    const due = deferred.splice(0);
    for (const callback of due) callback();
    return due.length;
  };
  const settle = (): void => {
    do network.settle();
    while (turn() > 0);
  };
  return {
    network,
    backend,
    left,
    right,
    first: left.port.adopt(first),
    second: right.port.adopt(second),
    turn,
    settle,
  };
}

describe('withFaults', () => {
  it('does nothing without a plan', () => {
    const on = faulty({});
    on.left.port.send(on.first, text('abc'));
    on.right.port.recv(on.second, 10);
    on.network.settle();
    expect(on.left.take(Operation.send, on.first).result).toBe(3);
    expect(on.right.take(Operation.recv, on.second).result).toBe(3);
    expect(on.backend.describe()).toBe('no faults');
  });

  it('C9: makes every send short', () => {
    const on = faulty({ maxSend: 4 });
    on.left.port.send(on.first, [...text('abc'), ...text('def'), ...text('ghi')]);
    on.right.port.recv(on.second, 10);
    on.network.settle();
    expect(on.left.take(Operation.send, on.first).result).toBe(4);
    expect(Buffer.from(on.right.take(Operation.recv, on.second).bytes).toString()).toBe('abcd');
    const file = on.network.openFile(counting(100));
    on.left.port.sendFile(on.first, file, 0, 100);
    on.network.settle();
    expect(on.left.take(Operation.sendFile, on.first).result).toBe(4);
  });

  it('C7: makes every recv short, and loses nothing', () => {
    const on = faulty({ maxRecv: 1 });
    on.left.port.send(on.first, text('abc'));
    for (const letter of 'abc') {
      on.right.port.recv(on.second, 10);
      on.network.settle();
      expect(Buffer.from(on.right.take(Operation.recv, on.second).bytes).toString()).toBe(letter);
    }
  });

  it('puts completions off for as many turns as it was told, and refuses a second operation until then (C3)', () => {
    const on = faulty({ delay: 2 });
    on.right.port.recv(on.second, 10);
    on.left.port.send(on.first, text('abc'));
    on.network.settle();
    expect(() => on.left.port.send(on.first, text('x'))).toThrow(expect.objectContaining({ code: 'ERR_BACKEND_BUSY' }));
    expect(on.left.port.stats().pending).toBe(1);
    on.turn();
    expect(on.left.seen).toEqual([]);
    on.turn();
    expect(on.left.results(Operation.send, on.first)).toEqual([3]);
    expect(on.left.port.stats().pending).toBe(0);
    on.left.port.send(on.first, text('x'));
  });

  it('C11: a close that is put off is still the last word', () => {
    const on = faulty({ delay: 1, errors: [{ operation: Operation.send, nth: 1, error: 'EPIPE' }] });
    on.left.port.recv(on.first, 10);
    on.left.port.send(on.first, text('x'));
    on.left.port.close(on.first);
    on.settle();
    expect(on.left.seen.map(({ operation, result }) => [operation, result])).toEqual([
      [Operation.send, -Errno.EPIPE],
      [Operation.recv, -Errno.ECANCELED],
      [Operation.close, 0],
    ]);
    expect(on.left.port.stats()).toMatchObject({ pending: 0, streams: 0 });
  });

  it('fails the nth operation of a kind, which then moves nothing', () => {
    const on = faulty({
      errors: [
        { operation: Operation.send, nth: 2, error: 'ECONNRESET' },
        { operation: Operation.recv, nth: 1, error: 'EIO' },
        { operation: Operation.shutdown, nth: 1, error: 'ENOTCONN' },
        { operation: Operation.watchPeer, nth: 1, error: 'EIO' },
      ],
    });
    for (const letter of 'abc') {
      on.left.port.send(on.first, text(letter));
      on.settle();
    }
    expect(on.left.results(Operation.send, on.first)).toEqual([1, -Errno.ECONNRESET, 1]);
    on.right.port.recv(on.second, 10);
    on.right.port.watchPeer(on.second);
    on.right.port.shutdown(on.second);
    on.settle();
    expect(on.right.take(Operation.recv, on.second).result).toBe(-Errno.EIO);
    expect(on.right.take(Operation.watchPeer, on.second).result).toBe(-Errno.EIO);
    expect(on.right.take(Operation.shutdown, on.second).result).toBe(-Errno.ENOTCONN);
    on.right.port.recv(on.second, 10);
    on.settle();
    expect(Buffer.from(on.right.take(Operation.recv, on.second).bytes).toString()).toBe('ac');
  });

  it('C19: what onTrace throws about an injected error surfaces, and changes nothing', async () => {
    const network = new MemoryNetwork();
    const backend = withFaults(createMemoryBackend(network), {
      errors: [
        { operation: Operation.recv, nth: 1, error: 'EIO' },
        { operation: Operation.connect, nth: 1, error: 'ETIMEDOUT' },
      ],
    });
    const onTrace = ({ raw }: TraceRecord): void => {
      if (raw === 'injected') throw new Error(raw);
    };
    const user = new Recorder(backend, { onTrace });
    const listener = user.port.listen({ ip: '127.0.0.1', port: 7 });
    const [end] = network.socketPair();
    const adopted = user.port.adopt(end);
    let connected = 0;
    const uncaught = await uncaughtDuring(async () => {
      user.port.recv(adopted, 10);
      connected = user.port.connect({ ip: '127.0.0.1', port: 7 });
      for (let turn = 0; turn < 10; turn++) await new Promise((resolve) => setImmediate(resolve));
    });
    expect(uncaught).toEqual([new Error('injected'), new Error('injected')]);
    expect(user.take(Operation.recv, adopted).result).toBe(-Errno.EIO);
    expect(user.take(Operation.connect, connected).result).toBe(-Errno.ETIMEDOUT);
    user.port.close(listener);
  });

  it('fails a connect that would have succeeded', () => {
    const on = faulty({ errors: [{ operation: Operation.connect, nth: 1, error: 'ETIMEDOUT' }] });
    const listener = on.right.port.listen({ ip: '127.0.0.1', port: 7 });
    on.settle();
    const streams = [
      on.left.port.connect({ ip: '127.0.0.1', port: 7 }),
      on.left.port.connect({ ip: '127.0.0.1', port: 7 }),
    ];
    on.settle();
    expect(streams.map((stream) => on.left.take(Operation.connect, stream).result)).toEqual([-Errno.ETIMEDOUT, 0]);
    on.right.port.close(listener);
  });

  it('C20: an error in accept uses no credit and ends nothing', () => {
    const on = faulty({ errors: [{ operation: Operation.accept, nth: 1, error: 'EMFILE' }] });
    const listener = on.right.port.listen({ ip: '127.0.0.1', port: 7 });
    on.right.port.accept(listener, 1);
    on.settle();
    expect(on.right.take(Operation.accept, listener).result).toBe(-Errno.EMFILE);
    expect(() => on.right.port.accept(listener, 1)).toThrow(expect.objectContaining({ code: 'ERR_BACKEND_BUSY' }));
    on.left.port.connect({ ip: '127.0.0.1', port: 7 });
    on.settle();
    expect(on.right.take(Operation.accept, listener).result).toBeGreaterThan(0);
    on.right.port.accept(listener, 1);
    expect(on.right.port.stats().pending).toBe(1);
  });

  it('tells the trace that an error was injected', () => {
    const raw: (string | number)[] = [];
    const plan: FaultPlan = { errors: [{ operation: Operation.recv, nth: 1, error: 'EIO' }] };
    const network = new MemoryNetwork();
    const port = withFaults(createMemoryBackend(network), plan).createPort(() => {}, {
      onTrace: (one) => raw.push(one.raw),
    });
    port.recv(port.adopt(network.socketPair()[0]), 1);
    expect(raw).toEqual(['injected']);
  });

  it('C2: disposal waits for what is put off', async () => {
    const on = faulty({ delay: 3 });
    on.left.port.recv(on.first, 1);
    let resolved = false;
    const disposed = on.left.port[Symbol.asyncDispose]().then(() => {
      resolved = true;
    });
    on.network.settle();
    await Promise.resolve().then(() => {});
    expect(resolved).toBe(false);
    on.settle();
    await disposed;
    expect(on.left.results(Operation.recv, on.first)).toEqual([-Errno.ECANCELED]);
    expect(on.left.port.stats().pending).toBe(0);
  });

  it.each([1, 2, 3, 42])(
    'mixes faults from a seed, the same for the same seed, and every byte arrives (seed %i)',
    (seed) => {
      const [first, second] = [transfer(seed), transfer(seed)];
      expect(first.lines).toEqual(second.lines);
      expect(first.hash).toBe(createHash('sha256').update(counting(20_000)).digest('hex'));
      expect(first.shortSends).toBeGreaterThan(10);
      expect(first.oneByteReads).toBeGreaterThan(10);
      expect(transfer(seed + 1).lines).not.toEqual(first.lines);
    },
  );

  it('injects errors at random only where an errorRate is given', () => {
    const on = faulty({ random: { seed: 5, errorRate: 4 } });
    let failures = 0;
    for (let round = 0; round < 100; round++) {
      on.left.port.send(on.first, text('x'));
      on.settle();
      if (on.left.take(Operation.send, on.first).result < 0) failures++;
    }
    expect(failures).toBeGreaterThan(10);
    expect(failures).toBeLessThan(50);
    expect(on.backend.describe()).toBe('random with seed 5, one error in 4');
  });

  it.each<[FaultPlan, ErrorConstructor]>([
    [{ maxSend: 0 }, RangeError],
    [{ maxRecv: 1.5 }, RangeError],
    [{ delay: -1 }, RangeError],
    [{ defer: 1 as unknown as () => void }, TypeError],
    [{ random: { seed: Number.NaN } }, RangeError],
    [{ errors: [{ operation: Operation.close as typeof Operation.send, nth: 1, error: 'EIO' }] }, RangeError],
    [{ errors: [{ operation: Operation.send, nth: 0, error: 'EIO' }] }, RangeError],
    [{ errors: [{ operation: Operation.accept, nth: 1, error: 'ECANCELED' }] }, RangeError],
  ])('a malformed plan is refused: %o', (plan, kind) => {
    expect(() => withFaults(createMemoryBackend(), plan)).toThrow(kind);
  });

  it('passes misuse through to the port below', () => {
    const on = faulty({ maxSend: 1, errors: [{ operation: Operation.send, nth: 1, error: 'EIO' }] });
    const { port } = on.left;
    expect(() => port.send(on.first, [])).toThrow(RangeError);
    expect(() => port.send(on.first, [{ memory: counting(1), start: 0, end: 2 }])).toThrow(RangeError);
    expect(() => port.recv(on.first, 0)).toThrow(RangeError);
    expect(() => port.sendFile(on.first, 1, 0, 0)).toThrow(RangeError);
    expect(() => port.recv(777, 1)).toThrow(expect.objectContaining({ code: 'ERR_BACKEND_STALE_HANDLE' }));
    const listener = port.listen({ ip: '127.0.0.1', port: 7 });
    expect(() => port.recv(listener, 1)).toThrow(TypeError);
    expect(() => port.accept(on.first, 1)).toThrow(TypeError);
    expect(port.stats().pending).toBe(1);
  });
});

/** 20,000 bytes from one port to another, under random faults. */
function transfer(seed: number) {
  const network = new MemoryNetwork({ scheduling: 'manual', capacity: 500 });
  const deferred: (() => void)[] = [];
  const plan: FaultPlan = { random: { seed }, defer: (callback) => void deferred.push(callback) };
  const backend = withTrace(withFaults(createMemoryBackend(network), plan), { capacity: 100_000 });
  const [sender, receiver] = [new Recorder(backend), new Recorder(backend)];
  const descriptors = network.socketPair();
  const [from, to] = [sender.port.adopt(descriptors[0]), receiver.port.adopt(descriptors[1])];
  const bytes = counting(20_000);
  const hash = createHash('sha256');
  let sent = 0;
  let shortSends = 0;
  let oneByteReads = 0;
  sender.on = ({ operation, result }) => {
    if (operation !== Operation.send) return;
    if (result < Math.min(500, bytes.length - sent)) shortSends++;
    sent += result;
    if (sent < bytes.length) sender.port.send(from, whole(bytes.subarray(sent)));
    else sender.port.shutdown(from);
  };
  receiver.on = ({ result, bytes: piece }) => {
    if (result === 1) oneByteReads++;
    hash.update(piece);
    if (result > 0) receiver.port.recv(to, 400);
  };
  receiver.port.recv(to, 400);
  sender.port.send(from, whole(bytes));
  do {
    network.settle();
    for (const callback of deferred.splice(0)) callback();
  } while (deferred.length > 0 || network.step());
  return { lines: backend.lines(), hash: hash.digest('hex'), shortSends, oneByteReads };
}
