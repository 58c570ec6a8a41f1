// The half of a native port that is JavaScript, over one that a test writes the lines for.
import { type CompletionBatch, Errno, type Handle, Operation, type Segment } from 'bufferevent-backend';
import { PIECE_WORDS, Verb } from 'bufferevent-backend/ring';
import { expect, it } from 'vitest';
import { ScriptedHalf } from './support/scripted-half.js';
import { uncaughtDuring } from './support/uncaught.js';

const ip = { ip: '127.0.0.1', port: 0 };

class Sink {
  readonly seen: (readonly [operation: Operation, handle: Handle, result: number])[] = [];

  readonly receive = (batch: CompletionBatch): void => {
    for (let index = 0; index < batch.length; index++) {
      this.seen.push([batch.operation(index), batch.handle(index), batch.result(index)]);
    }
  };
}

it('C2, C20: an accept goes on after every failure but its cancellation, and is counted once', async () => {
  const sink = new Sink();
  const half = new ScriptedHalf(sink.receive);
  const { port } = half;
  const listener = port.listen(ip);
  half.complete([Operation.listen, 0, 0]);
  for (const failure of [Errno.EMFILE, Errno.ECONNRESET, Errno.EIO]) {
    port.accept(listener, 1);
    await undefined;
    half.complete([Operation.accept, 0, -failure]);
    expect(sink.seen.at(-1)).toEqual([Operation.accept, listener, -failure]);
    expect(port.stats().pending).toBe(1);
    expect(half.isReferenced).toBe(true);
    half.complete([Operation.accept, 0, half.newSlot()]);
    expect(port.stats().pending).toBe(0);
    expect(half.isReferenced).toBe(false);
  }
  port.accept(listener, 2);
  half.complete([Operation.accept, 0, half.newSlot()], [Operation.accept, 0, -Errno.ECANCELED]);
  expect(port.stats().pending).toBe(0);
});

it('C19: what onTrace throws surfaces, and the sink sees all that has completed', async () => {
  const sink = new Sink();
  const half = new ScriptedHalf(sink.receive, {
    onTrace: ({ handle }) => {
      throw new Error(`traced ${handle}`);
    },
  });
  const handles = [half.port.connect(ip), half.port.connect(ip), half.port.connect(ip)];
  const results = [-Errno.ECONNREFUSED, 0, -Errno.ETIMEDOUT];
  const uncaught = await uncaughtDuring(() =>
    half.complete(...results.map((result, slot) => [Operation.connect, slot, result] as const)),
  );
  expect(sink.seen).toEqual(handles.map((handle, index) => [Operation.connect, handle, results[index]]));
  expect(uncaught).toEqual([new Error(`traced ${handles[0]}`), new Error(`traced ${handles[2]}`)]);
  expect(half.port.stats().pending).toBe(0);
});

/** A segment that calls `onRead` whenever its `start` is looked at, with how often it was before. */
function lookedAt(memory: Uint8Array, onRead: (reads: number) => void): Segment {
  let reads = 0;
  return {
    memory,
    get start() {
      onRead(reads++);
      return 0;
    },
    end: 1,
  };
}

/** How often sending looks at the `start` of a segment, of which there are so many. */
function looksOf(count: number): number {
  let looks = 0;
  const half = new ScriptedHalf(() => undefined);
  const segment = lookedAt(new Uint8Array(10), () => looks++);
  half.port.send(half.port.adopt(0), new Array<Segment>(count).fill(segment));
  return looks;
}

for (const count of [1, 3]) {
  it(`C2: a send of which segment ${count} throws at any look at it leaves nothing behind`, async () => {
    const memory = new Uint8Array(10);
    const looks = looksOf(count) / count;
    for (let at = 0; at < looks; at++) {
      const half = new ScriptedHalf(() => undefined);
      const stream = half.port.adopt(0);
      // Words of former submissions: what is taken to be a submission too early would be these.
      half.port.recv(stream, 77);
      half.port.flush();
      const segments = Array.from({ length: count - 1 }, () => ({ memory, start: 0, end: 1 }));
      const thrown = new Error(`look ${at}`);
      const last = lookedAt(memory, (reads) => {
        if (reads === at) throw thrown;
      });
      expect(() => half.port.send(stream, [...segments, last])).toThrow(thrown);
      half.port.shutdown(stream);
      half.port.flush();
      expect(half.submitted).toEqual([Verb.recv, 0, 77, Verb.shutdown, 0]);
      half.port.send(stream, [{ memory, start: 0, end: 1 }]);
      half.port.flush();
      expect(half.submitted).toHaveLength(5 + 3 + PIECE_WORDS);
    }
  });

  it(`C2: what segment ${count} submits at any look at it stands in the ring whole, as the send does`, async () => {
    const memory = new Uint8Array(10);
    const looks = looksOf(count) / count;
    for (let at = 0; at < looks; at++) {
      const half = new ScriptedHalf(() => undefined);
      const [stream, other] = [half.port.adopt(0), half.port.adopt(0)];
      const segments = Array.from({ length: count - 1 }, () => ({ memory, start: 0, end: 1 }));
      const last = lookedAt(memory, (reads) => {
        if (reads === at) half.port.recv(other, 77);
      });
      half.port.send(stream, [...segments, last]);
      half.port.flush();
      expect(half.submitted.slice(0, 3)).toEqual([Verb.recv, 1, 77]);
      expect(half.submitted.slice(3, 6)).toEqual([Verb.send, 0, count]);
      expect(half.submitted).toHaveLength(6 + PIECE_WORDS * count);
    }
  });
}
