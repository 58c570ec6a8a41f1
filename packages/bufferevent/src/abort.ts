/**
 * Calls `onAbort` when the signal aborts, and returns what takes the listener off again. A signal that has aborted
 * already is the caller's to check.
 */
export function listenForAbort(signal: AbortSignal | undefined, onAbort: () => void): () => void {
  if (signal === undefined) return nothing;
  signal.addEventListener('abort', onAbort, { once: true });
  return () => signal.removeEventListener('abort', onAbort);
}

function nothing(): void {}
