// The completion port by itself.
import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { binding } from './binding.js';

type Packet = readonly [receiver: number, key: number, bytes: number];

interface Run {
  readonly threads: number;
  readonly receivers: number;
  readonly posts: readonly Packet[];
  readonly announceMs?: number;
  readonly limitMs?: number;
}

/** What each receiver got, or `null` when the port did not shut down in time. */
function run({ threads, receivers, posts, announceMs = 0, limitMs = 2000 }: Run): Packet[] | null {
  const words = Int32Array.from(posts.flat());
  const received = new Int32Array(words.length);
  const count = binding.runPort(threads, receivers, words, received, announceMs, limitMs);
  if (count < 0) return null;
  return Array.from({ length: count }, (_, at): Packet => {
    const [receiver = -1, key = -1, bytes = -1] = received.subarray(3 * at, 3 * at + 3);
    return [receiver, key, bytes];
  });
}

const sorted = (packets: readonly Packet[]): Packet[] => [...packets].sort((a, b) => a[0] - b[0] || a[1] - b[1]);

describe('the completion port', () => {
  it('regress F1: eight packets posted for two owners in turn reach their owners, with key and size, and it shuts down', () => {
    const posts = [0, 1, 2, 3].flatMap((step): Packet[] => [
      [0, 10 + step, 100 + step],
      [1, 20 + step, 200 + step],
    ]);
    for (const threads of [1, 4, 64]) {
      const received = run({ threads, receivers: 2, posts });
      assert.ok(received !== null, 'it did not shut down within two seconds');
      assert.deepEqual(sorted(received), sorted(posts));
    }
  });

  it('one thread keeps the order of packets', () => {
    const posts = Array.from({ length: 1000 }, (_, index): Packet => [0, index, index]);
    assert.deepEqual(run({ threads: 1, receivers: 1, posts }), posts);
  });

  it('ten thousand packets through four threads come out once each', () => {
    const posts = Array.from({ length: 10_000 }, (_, index): Packet => [index % 7, index, 1]);
    const received = run({ threads: 4, receivers: 7, posts });
    assert.ok(received !== null);
    assert.deepEqual(sorted(received), sorted(posts));
  });

  it('shuts down with nothing to do, and says so when a thread takes longer than the limit', () => {
    assert.deepEqual(run({ threads: 2, receivers: 1, posts: [] }), []);
    assert.equal(run({ threads: 1, receivers: 1, posts: [[0, 1, 1]], announceMs: 500, limitMs: 50 }), null);
  });

  it('gives its handles back', () => {
    run({ threads: 4, receivers: 2, posts: [[0, 1, 1]] });
    const before = binding.openHandles();
    for (let round = 0; round < 100; round++) run({ threads: 4, receivers: 2, posts: [[1, 1, 1]] });
    assert.equal(binding.openHandles(), before);
  });
});
