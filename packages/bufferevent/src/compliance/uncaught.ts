/** What surfaces as uncaught until `body` is over: gathered, instead of ending the process or failing the runner. */
export async function gatherUncaught(body: (errors: readonly unknown[]) => Promise<void>): Promise<readonly unknown[]> {
  const errors: unknown[] = [];
  process.setUncaughtExceptionCaptureCallback((error) => void errors.push(error));
  try {
    await body(errors);
  } finally {
    process.setUncaughtExceptionCaptureCallback(null);
  }
  return errors;
}
