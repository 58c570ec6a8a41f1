// Runs the random model of evbuffer's tests in Node, Bun or Deno, on the installed package. The first word names the model,
// which the test has bundled; the others are how many operations to run, and the seed.
const [bundle, operations, seed] = process.argv.slice(2);
const { OPERATIONS, World } = await import(new URL(bundle, import.meta.url).href);

let state = Number(seed) >>> 0;
/** A whole number below `limit`, from the upper bits of a congruential generator. */
function below(limit) {
  state = (Math.imul(state, 1_664_525) + 1_013_904_223) >>> 0;
  return Math.floor((state / 2 ** 32) * limit);
}

for (let executed = 0; executed < Number(operations); ) {
  const world = new World();
  const start = executed;
  for (let end = start + 1 + below(400); executed < end; executed++) {
    const step = { operation: below(OPERATIONS), subject: below(9), size: below(8000), salt: below(2 ** 31) };
    try {
      world.step(step);
    } catch (cause) {
      throw new Error(`operation ${executed - start} of the world begun at ${start}, seed ${seed}`, { cause });
    }
  }
  world.finish();
}
console.log(`${operations} operations hold`);
