/** The next turn of the process's loop, after everything that is due in this one. */
export function turn(): Promise<void> {
  return new Promise((resolve) => setImmediate(resolve));
}

/** Turns until nothing in memory can be left to do. Proves that something does *not* happen: memory backends only. */
export async function turns(count = 60): Promise<void> {
  for (let index = 0; index < count; index++) await turn();
}

/** Waits for a condition; fails with `what` and the text of `dump` when it does not come. */
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

/** What a promise rejects with; fails when it is fulfilled. */
export async function rejection(promise: Promise<unknown>): Promise<Error & { code?: string }> {
  let value: unknown;
  try {
    value = await promise;
  } catch (error) {
    return error as Error & { code?: string };
  }
  throw new Error(`expected a rejection, got ${String(value)}`);
}

/** The failure of a call: what it throws, or what the promise that it returns rejects with. */
export function failure(call: () => unknown): Promise<Error & { code?: string }> {
  return rejection(Promise.resolve().then(call));
}

/** Whether a promise is settled by now, without waiting for it. */
export async function isPending(promise: Promise<unknown>): Promise<boolean> {
  const mark = {};
  const first = await Promise.race([promise.catch(() => null), turns(3).then(() => mark)]);
  return first === mark;
}
