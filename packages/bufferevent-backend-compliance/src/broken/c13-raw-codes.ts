import { Errno } from 'bufferevent-backend';
import { BrokenPort, breakWith, type FakeCompletion } from './broken-port.js';
import { type BrokenFake, brokenFake } from './fake.js';

/** The codes of Windows sockets for failures that every backend meets. */
const raw: ReadonlyMap<number, number> = new Map([
  [-Errno.ECONNREFUSED, -10_061],
  [-Errno.ECONNRESET, -10_054],
  [-Errno.EADDRINUSE, -10_048],
]);

class RawCodePort extends BrokenPort {
  protected override receive(completions: readonly FakeCompletion[]): void {
    this.deliver(completions.map((one) => ({ ...one, result: raw.get(one.result) ?? one.result })));
  }
}

export const rawCodes: BrokenFake = brokenFake(
  'C13',
  'passes the codes of its mechanism on as results',
  breakWith(RawCodePort),
);
