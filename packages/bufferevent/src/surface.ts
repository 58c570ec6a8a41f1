/** Lets an exception of user code surface as uncaught: once, when the turn that met it is over (C19). */
export function surface(error: unknown): void {
  queueMicrotask(() => {
    throw error;
  });
}
