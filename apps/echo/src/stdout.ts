/**
 * Keeps the process alive when standard output fails, mostly because whoever read it went away (`EPIPE`, or `ECONNRESET`
 * where the pipe is a socket): what is printed then is lost. Who needs to know listens too.
 */
export function surviveClosedStdout(): void {
  process.stdout.on('error', () => {});
}
