// Random scripts over faulty memory, against a model of one line: the bytes received are a prefix of the bytes sent.
import {
  type Bufferevent,
  type BuffereventEvent,
  connect,
  EventBase,
  listen,
  type SocketBufferevent,
} from 'bufferevent';
import { ManualClock } from 'bufferevent/testing';
import { createMemoryBackend, MemoryNetwork, withFaults } from 'bufferevent-backend/memory';
import fc from 'fast-check';
import { expect, it } from 'vitest';
import { pattern, same } from './support/bytes.js';
import { checkBuffers } from './support/recorder.js';
import { turns } from './support/wait.js';
import { ipOf } from './support/world.js';

type Step =
  | { act: 'write'; size: number }
  | { act: 'enable' | 'disable'; direction: 'read' | 'write' }
  | { act: 'marks'; low: number; high: number }
  | { act: 'drain' | 'pull'; size: number }
  | { act: 'abort' }
  | { act: 'turns'; count: number }
  | { act: 'halfClose' | 'end' | 'free' };

const direction = fc.constantFrom('read' as const, 'write' as const);
const step: fc.Arbitrary<readonly [number, Step]> = fc.tuple(
  fc.nat({ max: 1 }),
  fc.oneof(
    { weight: 6, arbitrary: fc.record({ act: fc.constant('write' as const), size: fc.integer({ min: 0, max: 300 }) }) },
    { weight: 4, arbitrary: fc.record({ act: fc.constant('turns' as const), count: fc.integer({ min: 1, max: 16 }) }) },
    { weight: 3, arbitrary: fc.record({ act: fc.constantFrom('enable' as const, 'disable' as const), direction }) },
    {
      weight: 5,
      arbitrary: fc.record({
        act: fc.constantFrom('drain' as const, 'pull' as const),
        size: fc.integer({ min: 1, max: 200 }),
      }),
    },
    { weight: 1, arbitrary: fc.record({ act: fc.constant('abort' as const) }) },
    {
      weight: 2,
      arbitrary: fc
        .record({ act: fc.constant('marks' as const), low: fc.nat({ max: 40 }), high: fc.nat({ max: 120 }) })
        .filter(({ low, high }) => high === 0 || low <= high),
    },
    {
      weight: 1,
      arbitrary: fc.record({ act: fc.constantFrom('halfClose' as const, 'end' as const, 'free' as const) }),
    },
  ),
);

/** One end: what it was told, what it saw, and what may be seen. */
class End {
  readonly bev: Bufferevent;
  readonly problems: string[] = [];
  readonly sent: Uint8Array[] = [];
  readonly received: Uint8Array[] = [];
  readonly terminal: BuffereventEvent[] = [];
  readonly #name: string;
  /** The mark in force for sure, and the mark asked for: a completion may be on its way when marks change. */
  #high = 0;
  #wantedHigh = 0;
  #seed = 1;
  writing = true;
  /** Pulls that wait; what is taken meanwhile would be noted in the wrong order. */
  pulling = 0;
  #pulls = new AbortController();
  ended: Promise<unknown> | null = null;

  constructor(name: string, bev: Bufferevent) {
    this.#name = name;
    this.bev = bev;
    const check = (what: string): void => this.#check(what);
    bev.setHandlers({
      onRead: () => check('onRead'),
      onWrite: () => check('onWrite'),
      onEvent: (_, event) => {
        check(event.kind);
        if (event.kind === 'eof' || event.kind === 'error') this.terminal.push(event);
      },
    });
    bev.setWatermarks('read', { high: 0 });
  }

  run(step: Step): void {
    if (this.bev.freed) return;
    switch (step.act) {
      case 'write': {
        if (!this.writing) return;
        const bytes = pattern(step.size, this.#seed++);
        this.sent.push(bytes);
        this.bev.write(bytes);
        return;
      }
      case 'enable':
      case 'disable':
        // Reading on after the end tells the end again, which would be counted here.
        if (this.bev.readEnded && step.direction === 'read') return;
        return this.bev[step.act](step.direction);
      case 'marks':
        this.#wantedHigh = step.high;
        this.#high = step.high === 0 || this.#high === 0 ? 0 : Math.max(step.high, this.#high);
        return this.bev.setWatermarks('read', { low: step.low, high: step.high });
      case 'drain':
        if (this.pulling === 0) this.take(Math.min(step.size, this.bev.input.length));
        return;
      case 'pull':
        // A pull may ask for more than the mark, which then does not count.
        this.#high = 0;
        this.#pull(step.size);
        return;
      case 'abort':
        return this.abort();
      case 'halfClose':
        this.writing = false;
        return this.bev.halfClose();
      case 'end':
        this.writing = false;
        this.ended ??= this.bev.end();
        return;
      case 'free':
        return this.bev.free();
      case 'turns':
        return;
    }
  }

  /** Nothing asked for under an older mark is on its way any more. */
  rested(): void {
    if (this.pulling === 0 && this.bev.input.length <= this.#wantedHigh) this.#high = this.#wantedHigh;
  }

  /** Every pull that waits gives up. */
  abort(): void {
    this.#pulls.abort();
    this.#pulls = new AbortController();
  }

  #pull(count: number): void {
    this.pulling += 1;
    const settle = (bytes: Uint8Array | null): void => {
      this.pulling -= 1;
      if (bytes !== null) this.received.push(bytes);
    };
    this.bev.read(count, { signal: this.#pulls.signal }).then(settle, () => settle(null));
  }

  take(count: number): void {
    if (count > 0) this.received.push(this.bev.input.remove(count));
  }

  /** Lets everything through that may still come. */
  open(): void {
    if (this.bev.freed) return;
    this.#high = 0;
    this.#wantedHigh = 0;
    this.bev.setWatermarks('read', { low: 0, high: 0 });
    this.bev.enable('write');
    if (!this.bev.readEnded) this.bev.enable('read');
  }

  #check(what: string): void {
    if (this.bev.freed) this.problems.push(`${this.#name}: ${what} after free`);
    for (const event of this.terminal) {
      if (event.kind !== 'error') continue;
      // What the peer sent before a failed send is still of interest, and so is its end.
      if (event.direction === 'write' && (what === 'onRead' || what === 'eof')) continue;
      this.problems.push(`${this.#name}: ${what} after an error`);
    }
    if (this.#high > 0 && this.bev.input.length > this.#high) {
      this.problems.push(`${this.#name}: ${this.bev.input.length} bytes with a high mark of ${this.#high}`);
    }
    checkBuffers(this.bev);
  }
}

type Script = ReadonlyArray<readonly [number, Step]>;

async function play(seed: number, script: Script, errorRate?: number): Promise<void> {
  const network = new MemoryNetwork({ capacity: 100 });
  const random = errorRate === undefined ? { seed } : { seed, errorRate };
  const backend = withFaults(createMemoryBackend(network), { random });
  const clock = new ManualClock();
  const base = new EventBase({ backend, clock });
  const accepted: SocketBufferevent[] = [];
  const listener = await listen(
    { ip: '127.0.0.1', port: 0 },
    { onConnection: (bev) => void accepted.push(bev) },
    { base },
  );
  const client = await connect(ipOf(listener), {}, { base });
  while (accepted.length === 0) await turns(1);
  const ends = [new End('client', client), new End('server', accepted[0] as SocketBufferevent)] as const;
  const [left, right] = ends;
  for (const [who, step] of script) {
    ends[who === 0 ? 0 : 1].run(step);
    if (step.act !== 'turns') continue;
    await turns(step.count);
    if (step.count > 8) for (const end of ends) end.rested();
  }
  // Let the rest through: both ends take everything until nothing comes any more.
  for (const end of ends) {
    end.open();
    end.abort();
  }
  await turns(3);
  for (let quiet = 0; quiet < 12; quiet++) {
    for (const end of ends) {
      if (end.bev.input.length > 0) quiet = 0;
      end.take(end.bev.input.length);
    }
    await turns(2);
  }
  const failed = ends.some(({ terminal }) => terminal.some(({ kind }) => kind === 'error'));
  const whole = !failed && ends.every(({ bev, ended }) => !bev.freed && ended === null);
  for (const [end, peer] of [
    [left, right],
    [right, left],
  ] as const) {
    const sent = Buffer.concat(peer.sent);
    const received = Buffer.concat(end.received);
    expect(same(sent.subarray(0, received.length), received), 'what is received is a prefix of what was sent').toBe(
      true,
    );
    if (whole) expect(received.length, 'everything written arrives').toBe(sent.length);
    expect(end.terminal.filter(({ kind }) => kind === 'error').length).toBeLessThanOrEqual(1);
    expect(end.terminal.filter(({ kind }) => kind === 'eof').length).toBeLessThanOrEqual(1);
    if (whole) expect(end.terminal.length).toBe(peer.writing ? 0 : 1);
    expect(end.problems).toEqual([]);
  }
  clock.advance(60_000);
  await turns(5);
  await base[Symbol.asyncDispose]();
  expect(base.stats().port).toMatchObject({ streams: 0, listeners: 0, pending: 0, leases: 0 });
  for (const { bev } of ends) expect((await bev.closed).kind).toMatch(/^(clean|freed|reset|error|timeout)$/);
}

const numRuns = process.env['NIGHTLY'] ? 3000 : 150;

it('RD-8, FR-1: random scripts never lose order, never exceed a mark, never call after the end', async () => {
  await fc.assert(
    fc.asyncProperty(
      fc.integer({ min: 1, max: 1_000_000 }),
      fc.array(step, { maxLength: 40, size: 'max' }),
      (seed, script) => play(seed, script),
    ),
    { numRuns },
  );
}, 120_000);

it('EV-4, FR-2: scripts with failures in between end with one error, and give everything back', async () => {
  await fc.assert(
    fc.asyncProperty(
      fc.integer({ min: 1, max: 1_000_000 }),
      fc.array(step, { maxLength: 40, size: 'max' }),
      fc.integer({ min: 2, max: 60 }),
      (seed, script, errorRate) => play(seed, script, errorRate),
    ),
    { numRuns },
  );
}, 120_000);
