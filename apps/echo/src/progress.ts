import { Presets, SingleBar } from 'cli-progress';

export interface Progress {
  update(bytes: number): void;
  stop(): void;
}

/** A progress bar over `totalBytes` on standard error, or nothing at all where that is no terminal. */
export function showProgress(totalBytes: number): Progress {
  if (!process.stderr.isTTY) return { update() {}, stop() {} };
  const mebibytes = (bytes: number): number => Math.floor(bytes / 2 ** 20);
  const bar = new SingleBar(
    { format: '{bar} {percentage}%  {value}/{total} MiB', stream: process.stderr, clearOnComplete: true },
    Presets.shades_classic,
  );
  bar.start(mebibytes(totalBytes), 0);
  return { update: (bytes) => bar.update(mebibytes(bytes)), stop: () => bar.stop() };
}
