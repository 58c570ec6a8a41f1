// The half of a native port that is JavaScript, over one that a test writes the lines for.
import { type CompletionBatch, Errno, type Handle, Operation } from 'bufferevent-backend';
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
