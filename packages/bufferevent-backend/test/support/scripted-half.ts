import type { CompletionSink, Operation, PortOptions } from 'bufferevent-backend';
import { createMemoryBackend } from 'bufferevent-backend/memory';
import { type NativeBinding, type NativeHalf, NativePort } from 'bufferevent-backend/native';
import { COMPLETION_WORDS, COUNTERS, ControlWord } from 'bufferevent-backend/ring';

/** What completes: an operation, its slot, its result. */
export type Scripted = readonly [operation: Operation, slot: number, result: number];

/** The native half of a port that does nothing by itself: what completes, a test says. */
export class ScriptedHalf {
  readonly port: NativePort;
  /** Everything that was submitted, in words. */
  readonly submitted: number[] = [];
  #control: Int32Array = new Int32Array(0);
  #completions: Int32Array = new Int32Array(0);
  #submissions: Int32Array = new Int32Array(0);
  #onWakeup = (): void => undefined;
  #slots = 0;

  constructor(sink: CompletionSink, options: PortOptions = {}) {
    const open: NativeBinding['open'] = (control, completions, submissions, _counters, onWakeup) => {
      this.#control = control;
      this.#completions = completions;
      this.#submissions = submissions;
      this.#onWakeup = onWakeup;
      return {} as NativeHalf;
    };
    const binding: NativeBinding = {
      open,
      stop: () => undefined,
      flush: () => this.#read(),
      shareMemoryWords: () => undefined,
      addMemory: () => undefined,
      removeMemory: () => undefined,
      listen: () => this.newSlot(),
      connect: () => this.newSlot(),
      adopt: () => this.newSlot(),
      descriptor: () => -1,
      setOption: () => 0,
      address: () => null,
    };
    const counters = new Float64Array(COUNTERS);
    const mechanism = { binding, counters, openCall: 'open', rawCode: (result: number) => result };
    this.port = new NativePort(createMemoryBackend(), mechanism, sink, options);
  }

  /** Whether something that is pending keeps the process alive. */
  get isReferenced(): boolean {
    return this.#control[ControlWord.referenced] === 1;
  }

  /** A slot for what opens one, as an accepted connection does. */
  newSlot(): number {
    return this.#slots++;
  }

  /** One call into JavaScript. */
  complete(...scripted: readonly Scripted[]): void {
    scripted.forEach((words, index) => void this.#completions.set([...words, -1, 0], index * COMPLETION_WORDS));
    this.#control[ControlWord.completionCount] = scripted.length;
    this.#control[ControlWord.inWakeup] = 1;
    this.#onWakeup();
    this.#read();
    this.#control[ControlWord.inWakeup] = 0;
  }

  #read(): void {
    const used = this.#control[ControlWord.submissionWords] as number;
    this.submitted.push(...this.#submissions.subarray(0, used));
    this.#control[ControlWord.submissionWords] = 0;
  }
}
