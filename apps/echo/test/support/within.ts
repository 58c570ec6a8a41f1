/** Waits for `promise`; when it takes longer than `ms`, fails with what was waited for and `dump()`. */
export async function within<Value>(
  ms: number,
  what: string,
  promise: Promise<Value>,
  dump: () => string = () => '',
): Promise<Value> {
  let timer: NodeJS.Timeout | undefined;
  const late = new Promise<never>((_resolve, reject) => {
    timer = setTimeout(() => reject(new Error(`no ${what} within ${ms} ms. ${dump()}`)), ms);
  });
  try {
    return await Promise.race([promise, late]);
  } finally {
    clearTimeout(timer);
  }
}
