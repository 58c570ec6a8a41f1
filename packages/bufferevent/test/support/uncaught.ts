/**
 * Runs `body` while uncaught exceptions are gathered instead of ending the process (and the test run), and answers
 * with those that surfaced until `body` was over.
 */
export async function gatherUncaught(body: (errors: unknown[]) => Promise<void>): Promise<unknown[]> {
  const others = process.listeners('uncaughtException');
  const errors: unknown[] = [];
  const gather = (error: unknown): void => void errors.push(error);
  process.removeAllListeners('uncaughtException');
  process.on('uncaughtException', gather);
  try {
    await body(errors);
  } finally {
    process.off('uncaughtException', gather);
    for (const other of others) process.on('uncaughtException', other);
  }
  return errors;
}
