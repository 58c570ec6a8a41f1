import type { Writable } from 'node:stream';

export interface Flood {
  /** Bytes that the other side, the system and one buffer of the stream have taken so far. */
  readonly taken: number;
  readonly finished: boolean;
}

/** Writes `bytes` as fast as they are taken, in pieces of 64 KiB, and never ends the stream. */
export function flood(stream: Writable, bytes: number): Flood {
  const piece = Buffer.alloc(64 * 1024);
  const state = { taken: 0, finished: false };
  const pump = (): void => {
    while (state.taken < bytes) {
      state.taken += piece.length;
      if (!stream.write(piece)) return;
    }
    state.finished = true;
  };
  stream.on('drain', pump);
  pump();
  return state;
}

/** Repeats `meanwhile` until none of the floods moved during one of its runs. */
export async function untilStuck(floods: readonly Flood[], meanwhile: () => Promise<void>): Promise<void> {
  const taken = (): number => floods.reduce((sum, one) => sum + one.taken, 0);
  for (let before = -1; before !== taken(); ) {
    before = taken();
    await meanwhile();
  }
}
