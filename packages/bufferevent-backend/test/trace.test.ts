import { Errno, Operation, type TraceRecord } from 'bufferevent-backend';
import { createMemoryBackend, MemoryNetwork, withTrace } from 'bufferevent-backend/memory';
import { describe, expect, it } from 'vitest';
import { Recorder, text } from './support/recorder.js';
import { runScript } from './support/script.js';

function traced(capacity = 1000) {
  const network = new MemoryNetwork({ scheduling: 'manual' });
  const backend = withTrace(createMemoryBackend(network), { capacity });
  return { network, backend };
}

describe('withTrace', () => {
  it('writes down verbs with their arguments, completions, and what the mechanism really answered', () => {
    const { network, backend } = traced();
    const records: TraceRecord[] = [];
    const port = new Recorder(backend, { onTrace: (record) => records.push(record) });
    const [first, second] = network.socketPair();
    const [left, right] = [port.port.adopt(first), port.port.adopt(second)];
    port.port.send(left, [...text('abc'), ...text('de')]);
    port.port.recv(right, 4);
    network.settle();
    const failing = port.port.connect({ ip: '127.0.0.1', port: 9 });
    network.settle();
    expect(() => port.port.recv(12345, 1)).toThrow();
    port.port.cancel(right, Operation.recv);
    expect(backend.lines()).toEqual([
      `1 port 1: adopt(${first}) = ${left}`,
      `2 port 1: adopt(${second}) = ${right}`,
      `3 port 1: send(${left}, [3,2])`,
      `4 port 1: recv(${right}, 4)`,
      `5 port 1:   send ${left} = 5`,
      expect.stringMatching(new RegExp(`^6 port 1: {3}recv ${right} = 4 lease \\d+$`)),
      expect.stringMatching(/^7 port 1: release\(\d+\)$/),
      `8 port 1: connect({"ip":"127.0.0.1","port":9}) = ${failing}`,
      `9 port 1: ! connect ${failing} raw ECONNREFUSED`,
      `10 port 1:   connect ${failing} = -ECONNREFUSED`,
      `11 port 1: recv(12345, 1) ! ERR_BACKEND_STALE_HANDLE`,
      `12 port 1: cancel(${right}, recv)`,
    ]);
    expect(records).toEqual([
      { operation: Operation.connect, handle: failing, result: -Errno.ECONNREFUSED, raw: 'ECONNREFUSED' },
    ]);
  });

  it('keeps the last lines only, and says how many it forgot', () => {
    const { backend } = traced(3);
    const port = new Recorder(backend).port;
    for (let index = 0; index < 5; index++) port.flush();
    expect(backend.lines()).toEqual(['3 port 1: flush()', '4 port 1: flush()', '5 port 1: flush()']);
    expect(backend.dump()).toBe(['trace: 5 lines, the first 2 forgotten', ...backend.lines()].join('\n'));
  });

  it('tells its ports apart, and is the backend of each', () => {
    const { backend } = traced();
    new Recorder(backend).port.flush();
    const second = new Recorder(backend).port;
    second.flush();
    expect(backend.lines()).toEqual(['1 port 1: flush()', '2 port 2: flush()']);
    expect(second.backend).toBe(backend);
    expect(backend).toMatchObject({ name: 'memory', supports: { sendFile: true } });
    expect(backend.isAvailable()).toBe(true);
  });

  it('C19: does not hide from the port below what a throwing sink has not looked at', async () => {
    const { stdout } = await runScript(`
      import { createMemoryBackend, withTrace } from 'bufferevent-backend/memory';
      process.on('uncaughtException', (error) => console.log('uncaught', error.message));
      const seen = [];
      const backend = withTrace(createMemoryBackend());
      const port = backend.createPort((batch) => {
        for (let i = 0; i < batch.length; i++) {
          seen.push(batch.handle(i));
          if (seen.length === 1) throw new Error('from the sink');
        }
      });
      const listeners = [1, 2, 3].map(() => port.listen({ ip: '127.0.0.1', port: 0 }));
      for (let turn = 0; turn < 20; turn++) await new Promise(setImmediate);
      console.log(seen.length, listeners.every((listener, i) => seen[i] === listener));
      console.log(backend.lines().filter((line) => line.includes('listen ')).length);
    `);
    expect(stdout).toBe('uncaught from the sink\n3 true\n3\n');
  });

  it('refuses a malformed capacity', () => {
    const backend = createMemoryBackend();
    expect(() => withTrace(backend, { capacity: 0 })).toThrow(RangeError);
    expect(() => withTrace(backend, { capacity: '5' as unknown as number })).toThrow(TypeError);
  });
});
