import type { TraceRecord } from './contract.js';

/** Lets an exception of user code surface once as uncaught, when the code that met it is done (C19). */
export function surface(error: unknown): void {
  queueMicrotask(() => {
    throw error;
  });
}

/** @internal Shows a failure to who traces; what that throws keeps nothing from going on (C19). */
export function trace(onTrace: (record: TraceRecord) => void, record: TraceRecord): void {
  try {
    onTrace(record);
  } catch (error) {
    surface(error);
  }
}
