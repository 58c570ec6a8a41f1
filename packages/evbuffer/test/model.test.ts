import { enableDebugMode } from 'evbuffer/debug';
import fc from 'fast-check';
import { expect, test } from 'vitest';
import { OPERATIONS, type Step, World } from './support/model.js';

const wanted = Number(process.env['MODEL_OPERATIONS'] ?? 100_000);
const wantedInDebugMode = Math.ceil(wanted / 5);
const seed = Number(process.env['MODEL_SEED'] ?? Date.now() & 0x7fffffff);
const LONG = { timeout: 30 * 60_000 };

const step: fc.Arbitrary<Step> = fc.record({
  operation: fc.nat({ max: OPERATIONS - 1 }),
  subject: fc.nat({ max: 8 }),
  size: fc.nat({ max: 7999 }),
  salt: fc.nat({ max: 0x7fffffff }),
});

/** Runs worlds until that many operations were executed, and returns how many were. */
function runModel(operations: number): number {
  let executed = 0;
  for (let round = 0; executed < operations; round++) {
    try {
      fc.assert(
        fc.property(fc.array(step, { minLength: 1, maxLength: 400, size: 'max' }), (steps) => {
          const world = new World();
          for (const one of steps) {
            executed++;
            world.step(one);
          }
          world.finish();
        }),
        // The limit cuts the search for a shorter failing run, not the runs themselves, which take about a second.
        { seed: (seed + round) | 0, numRuns: 20, interruptAfterTimeLimit: 10_000 },
      );
    } catch (error) {
      console.error(`model test failed with MODEL_SEED=${seed}, round ${round}`);
      throw error;
    }
  }
  console.log(`model test: seed ${seed}, ${executed} operations`);
  return executed;
}

test(
  `three buffers hold the same bytes as three flat arrays through ${wanted} random operations (BU-1 to BU-8)`,
  LONG,
  () => {
    expect(runModel(wanted)).toBeGreaterThanOrEqual(wanted);
  },
);

test(`and so they do in debug mode, through ${wantedInDebugMode} operations`, LONG, () => {
  const mode = enableDebugMode();
  try {
    expect(runModel(wantedInDebugMode)).toBeGreaterThanOrEqual(wantedInDebugMode);
    expect(mode.loans()).toEqual([]);
  } finally {
    mode.disable();
  }
});
