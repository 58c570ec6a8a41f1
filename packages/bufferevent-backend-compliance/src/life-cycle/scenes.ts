import { Worker } from 'node:worker_threads';

/** The program that plays a scene. */
export const program: URL = new URL('./child.js', import.meta.url);

/** What a port is doing when its end comes. */
export const states = [
  'fresh',
  'connecting',
  'accepting',
  'receiving',
  'blockedSend',
  'blockedFile',
  'closing',
  'disposing',
] as const;
export type State = (typeof states)[number];

interface Outcome {
  /** Exit code of the process or the worker. */
  readonly code: number;
  /** Whether an exception surfaces. */
  readonly throws: boolean;
}

export type Ending =
  | 'exit'
  | 'exitInSink'
  | 'exitInMicrotask'
  | 'throwInSink'
  | 'throwInMicrotask'
  | 'throwInTick'
  | 'rejectInSink'
  | 'unref'
  | 'dispose'
  | 'disposeInSink'
  | 'disposeTwice';

/** How the end comes, and what must become of the process or worker. */
export const endings: Readonly<Record<Ending, Outcome>> = {
  exit: { code: 7, throws: false },
  exitInSink: { code: 7, throws: false },
  exitInMicrotask: { code: 7, throws: false },
  throwInSink: { code: 1, throws: true },
  throwInMicrotask: { code: 1, throws: true },
  throwInTick: { code: 1, throws: true },
  rejectInSink: { code: 1, throws: true },
  unref: { code: 0, throws: false },
  dispose: { code: 0, throws: false },
  disposeInSink: { code: 0, throws: false },
  disposeTwice: { code: 0, throws: false },
};

export interface Scene {
  readonly state: State;
  readonly ending: Ending;
}

/** A port that is being disposed of takes nothing more. */
function isPossible(state: State, ending: Ending): boolean {
  return state !== 'disposing' || ['exit', 'dispose', 'disposeTwice'].includes(ending);
}

export const scenes: readonly Scene[] = states.flatMap((state) =>
  (Object.keys(endings) as Ending[]).filter((ending) => isPossible(state, ending)).map((ending) => ({ state, ending })),
);

export interface EndedWorker {
  readonly reached: boolean;
  readonly code: number;
  /** Of the exceptions that surfaced. */
  readonly errors: string[];
}

/**
 * Plays a scene in a worker; `onReached` is called in the state, before the end.
 *
 * @param childModule as in a `Harness`
 */
export async function runWorker(
  childModule: string,
  state: State,
  ending: Ending | 'stay' | 'stayInSink',
  onReached?: (worker: Worker) => void,
): Promise<EndedWorker> {
  const worker = new Worker(program, { workerData: { childModule, state, ending }, stderr: true });
  const errors: Error[] = [];
  let reached = false;
  worker.on('error', (error: Error) => errors.push(error));
  worker.on('message', () => {
    reached = true;
    onReached?.(worker);
  });
  // Not `once`, which rejects with the error.
  const code = await new Promise<number>((resolve) => worker.on('exit', resolve));
  return { reached, code, errors: errors.map(({ message }) => message) };
}

export function terminate(worker: Worker): void {
  void worker.terminate();
}
