import assert from 'node:assert/strict';
import { pattern } from '../bytes.js';
import { type ComplianceCase, casesOf } from '../case.js';
import { type CaseContext, turn } from '../context.js';
import { expectBytes } from '../expect.js';
import type { Probe } from '../probe.js';

const defineCase = casesOf('scripts');

const STEPS = 60;

/** Numbers that are the same for the same seed. */
class Dice {
  #state: number;

  constructor(seed: number) {
    this.#state = Math.imul(seed, 0x9e3779b1) | 1;
  }

  /** An integer from 0 up to, and without, `bound`. */
  below(bound: number): number {
    this.#state ^= this.#state << 13;
    this.#state ^= this.#state >>> 17;
    this.#state ^= this.#state << 5;
    return (this.#state >>> 0) % bound;
  }
}

/** One end of a script: all that it wrote, and whether it may go on writing. */
class Player {
  readonly probe: Probe;
  readonly #written: Uint8Array[] = [];
  #seed: number;
  #pulling = 0;
  #pulls: AbortController = new AbortController();
  closed = false;

  constructor(probe: Probe, seed: number) {
    this.probe = probe;
    this.#seed = seed;
    probe.record();
  }

  get written(): Uint8Array {
    return Buffer.concat(this.#written);
  }

  write(length: number): void {
    if (this.closed) return;
    const bytes = pattern(length, this.#seed++);
    this.#written.push(bytes);
    this.probe.bev.write(bytes);
  }

  /** Not while a pull waits: the two could not be put in order. */
  drain(count: number): void {
    if (this.#pulling === 0) this.probe.take(Math.min(count, this.probe.bev.input.length));
  }

  pull(count: number): void {
    this.#pulling += 1;
    const settle = (bytes: Uint8Array | null): void => {
      this.#pulling -= 1;
      if (bytes !== null) this.probe.keepPulled(bytes);
    };
    this.probe.bev.read(count, { signal: this.#pulls.signal }).then(settle, () => settle(null));
  }

  /** Every pull that waits gives up. */
  abort(): void {
    this.#pulls.abort();
    this.#pulls = new AbortController();
  }

  setEnabled(on: boolean, direction: 'read' | 'write'): void {
    const { bev } = this.probe;
    if (!on) bev.disable(direction);
    else if (direction === 'write' || !bev.readEnded) bev.enable(direction);
  }

  halfClose(): void {
    this.closed = true;
    this.probe.bev.halfClose();
  }
}

function step(dice: Dice, player: Player, mayHalfClose: boolean): void {
  const { bev } = player.probe;
  const direction = dice.below(2) === 0 ? 'read' : 'write';
  switch (dice.below(11)) {
    case 0:
    case 1:
    case 2:
      return player.write(dice.below(400));
    case 3:
      return player.drain(1 + dice.below(200));
    case 4:
      return player.setEnabled(true, direction);
    case 5:
      return player.setEnabled(dice.below(2) === 0, direction);
    case 6: {
      const low = dice.below(50);
      const high = low + dice.below(100);
      return bev.setWatermarks(direction, { low, high: dice.below(3) === 0 ? 0 : high });
    }
    case 7:
      return bev.trigger(direction, { ignoreWatermarks: dice.below(2) === 0 });
    case 8:
      return player.pull(1 + dice.below(300));
    case 9:
      return dice.below(4) === 0 ? player.abort() : undefined;
    default:
      if (mayHalfClose && dice.below(10) === 0) player.halfClose();
  }
}

/** Random acts on both ends; then everything is let through, and must be what was written. */
async function play(context: CaseContext, seed: number): Promise<void> {
  const pair = await context.open();
  const dice = new Dice(seed);
  const players = [new Player(pair.a, seed), new Player(pair.b, seed + 1000)] as const;
  const [left, right] = players;
  const mayHalfClose = context.flavour.supports.halfClose;
  for (let count = 0; count < STEPS; count++) {
    step(dice, dice.below(2) === 0 ? left : right, mayHalfClose);
    for (let turns = dice.below(4); turns > 0; turns--) await turn();
  }
  const due = [right.written.length, left.written.length] as const;
  for (const player of players) player.abort();
  for (const { probe } of players) {
    probe.bev.setWatermarks('read', { low: 0, high: 0 });
    probe.bev.enable('write');
    if (!probe.bev.readEnded) probe.bev.enable('read');
  }
  const arrived = (): boolean =>
    players.every((player, index) => {
      player.drain(Infinity);
      return player.probe.takenBytes >= (due[index] as number);
    });
  await context.until(arrived, `everything written by script ${seed}`);
  const told = (): boolean => left.probe.bev.readEnded === right.closed && right.probe.bev.readEnded === left.closed;
  await context.until(told, `the ends of script ${seed}`);
  await pair.settle();
  for (const [player, peer] of [
    [left, right],
    [right, left],
  ] as const) {
    expectBytes(player.probe.taken, peer.written);
    assert.deepEqual(player.probe.events, peer.closed ? ['eof'] : [], `the events of script ${seed}`);
  }
}

/** Random scripts against a model of one line: what is received is what was written. */
export const scriptCases: readonly ComplianceCase[] = [
  defineCase(
    'RD-4, RD-8, RD-9, WR-1, B37, B60, B70, B73, B74: random scripts lose, double and reorder nothing',
    async (context) => {
      for (let seed = 1; seed <= context.scripts; seed++) await play(context, seed);
    },
  ),
];
