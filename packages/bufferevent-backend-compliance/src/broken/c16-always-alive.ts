import type { Backend, CompletionSink, PortOptions } from 'bufferevent-backend';
import type { Harness } from '../harness.js';
import { BrokenPort, breakWith } from './broken-port.js';
import { type BrokenFake, brokenFake } from './fake.js';

/** Polls on a timer that nobody lets go of until the port is disposed of. */
class PollingPort extends BrokenPort {
  readonly #timer: NodeJS.Timeout;

  constructor(backend: Backend, below: Backend, sink: CompletionSink, options: PortOptions | undefined) {
    super(backend, below, sink, options);
    this.#timer = setInterval(() => undefined, 1000);
  }

  override async [Symbol.asyncDispose](): Promise<void> {
    clearInterval(this.#timer);
    await this.below[Symbol.asyncDispose]();
  }
}

export const alwaysAlive: BrokenFake = brokenFake(
  'C16',
  'keeps the process alive with nothing pending',
  breakWith(PollingPort),
  { childModule: import.meta.url },
);

/**
 * What child processes call: this module is the `childModule` of its own harness.
 * @public
 */
export function createHarness(): Harness {
  return alwaysAlive.create();
}
