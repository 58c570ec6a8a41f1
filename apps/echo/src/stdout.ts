/** Keeps the process alive when whoever reads our standard output goes away (`EPIPE`): what is printed then is lost. */
export function surviveClosedStdout(): void {
  process.stdout.on('error', (error: NodeJS.ErrnoException) => {
    if (error.code !== 'EPIPE') throw error;
  });
}
