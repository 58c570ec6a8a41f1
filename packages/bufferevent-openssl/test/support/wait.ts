/** The next turn of the process's loop, after everything that is due in this one. */
export function turn(): Promise<void> {
  return new Promise((resolve) => setImmediate(resolve));
}

/** Turns the loop until the condition holds; fails with `what` and the text of `dump` when that takes too long. */
export async function until(
  condition: () => boolean,
  what: string,
  dump: () => string = () => '',
  timeoutMs = 8_000,
): Promise<void> {
  const deadline = performance.now() + timeoutMs;
  while (!condition()) {
    if (performance.now() > deadline) throw new Error(`waited ${timeoutMs} ms for ${what}\n${dump()}`);
    await turn();
  }
}
