// The adapters when things go wrong at any moment: what arrived is a prefix of what was sent, both ends close, nothing
// surfaces, nothing is left (the world proves that after each test).
import { finished } from 'node:stream/promises';
import type { Bufferevent } from 'bufferevent';
import { toDuplex } from 'bufferevent/duplex';
import { toWeb } from 'bufferevent/web';
import { describe, expect, it } from 'vitest';
import { pattern, same } from './support/bytes.js';
import { type ConnectedPair, onEveryPair } from './support/pairs.js';
import { gatherUncaught } from './support/uncaught.js';
import { turn, until } from './support/wait.js';

/** Something that sends and receives over one end, and can be stopped in some way. */
interface Exchange {
  readonly received: Uint8Array[];
  /** Settles when both directions are over, whatever came of them. */
  readonly over: Promise<unknown>;
  readonly faults: Readonly<Record<string, () => void>>;
}

function overDuplex(bev: Bufferevent, data: Uint8Array): Exchange {
  const stream = toDuplex(bev);
  const received: Uint8Array[] = [];
  const late: string[] = [];
  stream.on('data', (chunk: Buffer) => received.push(chunk));
  let closed = false;
  for (const name of ['data', 'end', 'finish', 'error', 'timeout', 'close']) {
    stream.on(name, () => {
      if (closed) late.push(name);
      closed ||= name === 'close';
    });
  }
  for (let at = 0; at < data.length; at += 3_000) stream.write(data.subarray(at, at + 3_000));
  stream.end();
  const over = finished(stream)
    .catch(() => {})
    .then(() => expect(late).toEqual([]));
  return {
    received,
    over,
    faults: {
      'destroy()': () => void stream.destroy(),
      'destroy(error)': () => void stream.destroy(new Error('a fault')),
      'free()': () => bev.free(),
      'end() and destroy()': () => void stream.end().destroy(),
      'destroySoon() twice': () => {
        stream.destroySoon();
        stream.destroySoon();
      },
      'a second end()': () => void stream.end(() => {}),
    },
  };
}

function overWeb(bev: Bufferevent, data: Uint8Array): Exchange {
  const { readable, writable } = toWeb(bev);
  const reader = readable.getReader();
  const writer = writable.getWriter();
  const received: Uint8Array[] = [];
  const reading = async (): Promise<void> => {
    for (;;) {
      const { done, value } = await reader.read();
      if (done) return;
      received.push(value);
    }
  };
  const writing = async (): Promise<void> => {
    for (let at = 0; at < data.length; at += 3_000) await writer.write(data.subarray(at, at + 3_000));
    await writer.close();
  };
  const ignore = () => {};
  writer.closed.catch(ignore);
  reader.closed.catch(ignore);
  return {
    received,
    over: Promise.allSettled([reading(), writing()]),
    faults: {
      'abort()': () => void writer.abort(new Error('a fault')).catch(ignore),
      'cancel()': () => void reader.cancel(new Error('a fault')).catch(ignore),
      'cancel() and abort()': () => {
        reader.cancel().catch(ignore);
        writer.abort().catch(ignore);
      },
      'free()': () => bev.free(),
      'end()': () => void bev.end(),
    },
  };
}

const adapters: readonly { name: string; make: typeof overDuplex; faults: readonly string[] }[] = [
  {
    name: 'a Duplex',
    make: overDuplex,
    faults: ['destroy()', 'destroy(error)', 'free()', 'end() and destroy()', 'destroySoon() twice', 'a second end()'],
  },
  {
    name: 'web streams',
    make: overWeb,
    faults: ['abort()', 'cancel()', 'cancel() and abort()', 'free()', 'end()'],
  },
];

function checkPrefix(received: readonly Uint8Array[], data: Uint8Array): void {
  const bytes = Buffer.concat(received);
  expect(same(bytes, data.subarray(0, bytes.length))).toBe(true);
}

/** One exchange, disturbed on the left in the turn with this number; answers whether it was over before. */
async function disturbed(
  pair: ConnectedPair,
  make: typeof overDuplex,
  fault: string,
  moment: number,
  data: Uint8Array,
): Promise<boolean> {
  const [left, right] = [make(pair.left, data), make(pair.right, data)];
  let over = false;
  const all = Promise.all([left.over, right.over]).then(() => {
    over = true;
  });
  for (let count = 0; count < moment && !over; count++) await turn();
  const before = over;
  (left.faults[fault] as () => void)();
  await until(() => over && pair.left.freed && pair.right.freed, `both ends to be over, moment ${moment}`);
  await all;
  for (const { received } of [left, right]) checkPrefix(received, data);
  return before;
}

describe('whatever happens to one end at any moment', () => {
  onEveryPair((world, connect) => {
    // The faults move every byte by itself: less to move, and larger steps through it.
    const [bytes, step, moments] = world.kind === 'memory with faults' ? [60, 9, 12] : [20_000, 1, 60];
    const data = pattern(bytes);
    for (const { name, make, faults } of adapters) {
      for (const fault of faults) {
        it(`FR-1: ${name}, ${fault}: no byte is out of place, both ends close, nothing surfaces`, async () => {
          const uncaught = await gatherUncaught(async () => {
            for (let moment = 0; moment < moments * step; moment += step) {
              if (await disturbed(await connect(), make, fault, moment, data)) break;
            }
          });
          expect(uncaught).toEqual([]);
        }, 30_000);
      }
    }
  });
});
