// Frees, disables, half-closes and throws inside every callback at random, on every kind: nothing is called after free,
// and nothing is left. 30 s in all, 10 minutes under NIGHTLY; RANDOM_FREES_SEED repeats a run.
import type { Bufferevent, BuffereventHandlers, Direction, EventBase } from 'bufferevent';
import { afterEach, describe, expect, it } from 'vitest';
import { pattern } from './support/bytes.js';
import { Dice } from './support/dice.js';
import { type Flavour, flavours } from './support/flavours.js';
import { gatherUncaught } from './support/uncaught.js';
import { until } from './support/wait.js';
import { World } from './support/world.js';

const seconds = (process.env['NIGHTLY'] ? 600 : 30) / flavours.length;
const firstSeed = Number(process.env['RANDOM_FREES_SEED'] ?? Date.now() % 1_000_000);
/** Connections that live at the same time. */
const CONNECTIONS = 6;

class Deliberate extends Error {}

/** Whatever a user may do, to one end of a connection or the other, wherever a callback runs. */
function misbehave(dice: Dice, ends: readonly Bufferevent[], check: (bev: Bufferevent) => BuffereventHandlers): void {
  const bev = dice.of(ends);
  const direction: Direction = dice.of(['read', 'write']);
  if (bev.freed) return;
  switch (dice.below(20)) {
    case 0:
      bev.free();
      break;
    case 1:
      void bev.end();
      break;
    case 2:
      bev.halfClose();
      break;
    case 3:
      throw new Deliberate('thrown by a callback on purpose');
    case 4:
      bev.disable(direction);
      break;
    case 5:
      bev.setHandlers(dice.oneIn(3) ? null : check(bev));
      break;
    case 6:
      bev.setWatermarks(direction, { low: dice.below(3), high: dice.of([0, 3, 64, 4096]) });
      break;
    case 7:
      bev.setTimeouts({ readMs: dice.of([null, 1]), writeMs: dice.of([null, 1]), idleMs: dice.of([null, 1]) });
      break;
    case 8:
      bev.trigger(direction, { ignoreWatermarks: dice.oneIn(2) });
      break;
    case 9:
      bev.flush(direction, dice.of(['normal', 'flush', 'finished']));
      break;
    case 10:
      bev.read(1 + dice.below(20)).catch(() => {});
      break;
    case 11:
      bev.drained().catch(() => {});
      break;
    case 12:
      if (bev.underlying?.freed === false) bev.underlying.free();
      break;
    default:
      bev.enable(direction);
      bev.input.drain(dice.below(bev.input.length + 1));
      if (!bev.writeEnded) bev.write(pattern(dice.of([1, 7, 300, 20_000])));
  }
}

/** One connection whose callbacks misbehave. Returns its ends. */
async function connection(flavour: Flavour, world: World, dice: Dice, problems: string[]): Promise<Bufferevent[]> {
  const ends = [...(await flavour.open(world))];
  const handlers = (bev: Bufferevent): BuffereventHandlers => {
    const called = (name: string) => (): void => {
      if (bev.freed) problems.push(`${name} after free`);
      for (let times = dice.below(3); times >= 0; times--) attempt(() => misbehave(dice, ends, handlers));
      if (dice.oneIn(10)) throw new Deliberate('thrown by a callback on purpose');
    };
    return { onRead: called('onRead'), onWrite: called('onWrite'), onEvent: called('onEvent') };
  };
  for (const bev of ends) {
    bev.setHandlers(handlers(bev));
    bev.input.watch(() => {
      if (dice.oneIn(40)) attempt(() => misbehave(dice, ends, handlers));
    });
    bev.enable('read');
    bev.write(pattern(100));
  }
  return ends;
}

/** Refusals are part of the game; what else is thrown is a defect, and surfaces. */
function attempt(act: () => void): void {
  try {
    act();
  } catch (error) {
    if (!(error instanceof Deliberate) && !String((error as { code?: unknown }).code).startsWith('ERR_')) throw error;
  }
}

describe('frees, disables, half-closes and throws inside every callback at random', () => {
  let world: World;
  afterEach(() => world.close());

  for (const flavour of flavours) {
    it(`leave nothing of ${flavour.name} behind (FR-1, CB-5)`, { timeout: seconds * 1000 + 20_000 }, async () => {
      world = new World(flavour.world);
      world.open();
      const problems: string[] = [];
      const deadline = performance.now() + seconds * 1000;
      let seed = firstSeed;
      let connections = 0;
      const surfaced = await gatherUncaught(async (errors) => {
        while (performance.now() < deadline && problems.length === 0) {
          const dice = new Dice(seed++);
          const opened = await Promise.all(
            Array.from({ length: CONNECTIONS }, () => connection(flavour, world, dice, problems)),
          );
          connections += opened.length;
          for (let turn = dice.below(30); turn >= 0; turn--) {
            await new Promise((resolve) => setImmediate(resolve));
            if (world.isMemory) world.clock.advance(dice.below(3));
          }
          for (const bev of opened.flat()) bev.free();
          await until(
            () => idle(world.base),
            `rest after seed ${seed - 1}`,
            () => world.dump(),
          );
          const defects = errors.filter((error) => !(error instanceof Deliberate));
          if (defects.length > 0) throw defects[0];
          errors.length = 0;
        }
      });
      expect(problems, `seed ${seed - 1}`).toEqual([]);
      expect(surfaced.filter((error) => !(error instanceof Deliberate))).toEqual([]);
      console.log(`${flavour.name}: ${connections} connections, seeds ${firstSeed} to ${seed - 1}`);
      expect(connections).toBeGreaterThan(CONNECTIONS);
    });
  }
});

function idle(base: EventBase): boolean {
  const { streams, listeners, pending, leases } = base.stats().port;
  return streams + listeners + pending + leases === 0;
}
