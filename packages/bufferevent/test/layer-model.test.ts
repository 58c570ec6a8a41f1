// Random scripts over stacks of layers on pairs and sockets: the bytes received are a prefix of the bytes sent, and all of them
// after a clean end.
import { type Bufferevent, connect, createPair, EventBase, FilterBufferevent, type Layer, listen } from 'bufferevent';
import { ToyLayer } from 'bufferevent/compliance';
import { ManualClock } from 'bufferevent/testing';
import { createMemoryBackend, MemoryNetwork } from 'bufferevent-backend/memory';
import fc from 'fast-check';
import { expect, it } from 'vitest';
import { pattern, same } from './support/bytes.js';
import { doubling, halving } from './support/filters.js';
import { checkBuffers } from './support/recorder.js';
import { turn, turns, until } from './support/wait.js';
import { ipOf } from './support/world.js';

type LayerKind = 'pass' | 'doubling' | 'toy' | 'filter';

type Step =
  | { act: 'write'; size: number }
  | { act: 'drain'; size: number }
  | { act: 'enable' | 'disable'; direction: 'read' | 'write' }
  | { act: 'marks'; direction: 'read' | 'write'; high: number }
  | { act: 'flush'; direction: 'read' | 'write'; mode: 'normal' | 'flush' }
  | { act: 'turns'; count: number }
  | { act: 'halfClose' | 'end' };

const direction = fc.constantFrom('read' as const, 'write' as const);
const step: fc.Arbitrary<readonly [0 | 1, Step]> = fc.tuple(
  fc.constantFrom(0 as const, 1 as const),
  fc.oneof(
    { weight: 6, arbitrary: fc.record({ act: fc.constant('write' as const), size: fc.integer({ min: 0, max: 400 }) }) },
    { weight: 6, arbitrary: fc.record({ act: fc.constant('drain' as const), size: fc.integer({ min: 1, max: 300 }) }) },
    { weight: 4, arbitrary: fc.record({ act: fc.constant('turns' as const), count: fc.integer({ min: 1, max: 4 }) }) },
    { weight: 4, arbitrary: fc.record({ act: fc.constantFrom('enable' as const, 'disable' as const), direction }) },
    {
      weight: 2,
      arbitrary: fc.record({ act: fc.constant('marks' as const), direction, high: fc.integer({ min: 0, max: 60 }) }),
    },
    {
      weight: 1,
      arbitrary: fc.record({
        act: fc.constant('flush' as const),
        direction,
        mode: fc.constantFrom('normal' as const, 'flush' as const),
      }),
    },
    { weight: 1, arbitrary: fc.record({ act: fc.constantFrom('halfClose' as const, 'end' as const) }) },
  ),
);

const script = fc.record({
  transport: fc.constantFrom('pair' as const, 'sockets' as const),
  stack: fc.array(fc.constantFrom<LayerKind>('pass', 'doubling', 'toy', 'filter'), { maxLength: 3 }),
  steps: fc.array(step, { maxLength: 40 }),
  mark: fc.integer({ min: 1, max: 50 }),
});

function layerOf(kind: Exclude<LayerKind, 'filter'>, index: number): Layer {
  if (kind === 'toy') return new ToyLayer({ mask: 0x35 + index, maxFrameBytes: 37 });
  if (kind === 'doubling') return { name: kind, decode: halving, encode: doubling };
  return {
    name: kind,
    decode: (source, target, limit) => (source.moveTo(target, limit) > 0 ? 'ok' : 'need-more'),
    encode: (source, target, limit) => (source.moveTo(target, limit) > 0 ? 'ok' : 'need-more'),
  };
}

function stackOver(base: Bufferevent, kinds: readonly LayerKind[], mark: number): Bufferevent[] {
  const bevs = [base];
  for (const [index, kind] of kinds.entries()) {
    const below = bevs.at(-1) as Bufferevent;
    below.setWatermarks('write', { high: mark });
    if (kind === 'filter') bevs.push(new FilterBufferevent(below));
    else below.insertLayer(layerOf(kind, index)).catch(() => {});
  }
  (bevs.at(-1) as Bufferevent).setWatermarks('read', { high: mark });
  return bevs;
}

async function connected(base: EventBase): Promise<readonly [Bufferevent, Bufferevent]> {
  const arrived: Bufferevent[] = [];
  const listener = await listen(
    { ip: '127.0.0.1', port: 0 },
    { onConnection: (bev) => void arrived.push(bev) },
    { base },
  );
  const client = await connect(ipOf(listener), undefined, { base });
  while (arrived.length === 0) await turn();
  await listener.close();
  return [client, arrived[0] as Bufferevent];
}

/** One end of the stack: what it said and what it has heard. */
class End {
  readonly bevs: readonly Bufferevent[];
  readonly log: string[] = [];
  readonly sent: Uint8Array[] = [];
  readonly received: Uint8Array[] = [];
  #seed: number;
  writing = true;
  ended: Promise<{ kind: string }> | null = null;

  constructor(bevs: readonly Bufferevent[], seed: number) {
    this.bevs = bevs;
    this.#seed = seed;
    this.top.setHandlers({
      onRead: () => void this.log.push('read'),
      onWrite: () => void this.log.push('write'),
      onEvent: (_, event) =>
        void this.log.push(event.kind === 'error' || event.kind === 'timeout' ? event.error.message : event.kind),
    });
  }

  get top(): Bufferevent {
    return this.bevs.at(-1) as Bufferevent;
  }

  run(step: Step): void {
    const { top } = this;
    if (top.freed) return;
    switch (step.act) {
      case 'write': {
        if (!this.writing) return;
        const bytes = pattern(step.size, this.#seed++);
        this.sent.push(bytes);
        top.write(bytes);
        return;
      }
      case 'drain':
        return this.take(step.size);
      case 'enable':
      case 'disable':
        // Reading on after the end tells the end again, which would be counted here.
        if (step.direction === 'read' && top.readEnded) return;
        // Once it ends, what is not to be sent never comes to an end, and what nobody reads is discarded.
        if (this.ended !== null) return;
        return top[step.act](step.direction);
      case 'marks':
        return top.setWatermarks(step.direction, { high: step.high });
      case 'flush':
        top.flush(step.direction, step.mode);
        return;
      case 'halfClose':
        this.writing = false;
        return top.halfClose();
      case 'end':
        this.writing = false;
        this.ended ??= top.end();
        if (!top.readEnded) top.enable('read');
        return;
      case 'turns':
        return;
    }
  }

  take(size: number): void {
    const { input } = this.top;
    if (input.length > 0) this.received.push(input.remove(Math.min(size, input.length)));
  }

  check(): void {
    for (const bev of this.bevs) checkBuffers(bev);
  }
}

function checkPrefix(from: End, to: End): void {
  const sent = Buffer.concat(from.sent);
  const received = Buffer.concat(to.received);
  expect(received.length).toBeLessThanOrEqual(sent.length);
  expect(same(received, sent.subarray(0, received.length))).toBe(true);
}

it('FI-10: whatever is done, the bytes received are a prefix of those sent, complete after a clean end', async () => {
  await fc.assert(
    fc.asyncProperty(script, async ({ transport, stack, steps, mark }) => {
      const clock = new ManualClock();
      const base = new EventBase({ backend: createMemoryBackend(new MemoryNetwork({ capacity: 20 })), clock });
      const [a, b] = transport === 'pair' ? createPair(base) : await connected(base);
      const ends = [new End(stackOver(a, stack, mark), 1), new End(stackOver(b, stack, mark), 1000)] as const;
      for (const [index, each] of steps) {
        ends[index].run(each);
        for (let left = each.act === 'turns' ? each.count : 0; left > 0; left--) await turn();
        for (const end of ends) end.check();
      }
      // Both come to a clean end, with somebody who takes.
      for (const end of ends) {
        if (!end.top.freed) {
          end.top.setWatermarks('read', { high: mark });
          if (!end.top.readEnded) end.top.enable('read');
          end.top.enable('write');
        }
        end.ended ??= end.top.end();
      }
      let kinds: string[] | null = null;
      void Promise.all(ends.map(({ ended }) => ended)).then((causes) => {
        kinds = causes.map((cause) => cause?.kind ?? 'none');
      });
      const takeAll = () => {
        for (const end of ends) if (!end.top.freed) end.take(1000);
        return kinds !== null;
      };
      // Not so many turns: a port that nothing holds goes on with a timer, and thousands of turns fit into a millisecond.
      await until(takeAll, 'a clean end of both');
      await turns(3);
      for (const end of ends) end.take(Infinity);
      await turns(3);
      expect(kinds).toEqual(['clean', 'clean']);
      for (const end of ends) {
        expect(end.log.filter((line) => line === 'eof')).toHaveLength(1);
        expect(end.log.filter((line) => !['read', 'write', 'eof', 'connected'].includes(line))).toEqual([]);
        for (const bev of end.bevs) expect(bev.freed).toBe(true);
      }
      checkPrefix(ends[0], ends[1]);
      checkPrefix(ends[1], ends[0]);
      for (const [from, to] of [ends, [ends[1], ends[0]]] as const) {
        expect(Buffer.concat(to.received).length).toBe(Buffer.concat(from.sent).length);
      }
      await base[Symbol.asyncDispose]();
      expect(clock.pendingTimers).toBe(0);
    }),
    { numRuns: Number(process.env['MODEL_RUNS'] ?? 150) },
  );
}, 120_000);
