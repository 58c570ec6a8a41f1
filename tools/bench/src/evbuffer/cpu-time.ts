import type { Operation } from './operation.js';

const WARM_UP_MICROSECONDS = 250_000;
/** A slice must be much longer than the clock's steps, and much shorter than what disturbs the machine. */
const SLICE_MICROSECONDS = 12_500;

/** CPU time of this process and all its threads: garbage is paid by who makes it, and waiting for a CPU costs nothing. */
export function cpuMicroseconds(): number {
  const { user, system } = process.cpuUsage();
  return user + system;
}

/** Runs it until V8 has compiled it; returns how many make a slice. Throws when it gives anything but what it should. */
export function warmUp(operation: Operation): number {
  const started = cpuMicroseconds();
  let slice = 1;
  for (;;) {
    const before = cpuMicroseconds();
    runChecked(operation, slice);
    const now = cpuMicroseconds();
    if (now - started >= WARM_UP_MICROSECONDS) return slice;
    if (now - before < SLICE_MICROSECONDS) slice *= 2;
  }
}

export function runChecked(operation: Operation, times: number): void {
  const given = operation.run(times);
  if (given !== times * operation.gives) {
    throw new Error(`${times} operations gave ${given} instead of ${times * operation.gives}`);
  }
}
