/** Lets an exception of user code surface once as uncaught, when the code that met it is done (C19). */
export function surface(error: unknown): void {
  queueMicrotask(() => {
    throw error;
  });
}
