import type { Handle } from 'bufferevent-backend';
import { BrokenPort, breakWith } from './broken-port.js';
import { type BrokenFake, brokenFake } from './fake.js';

const PAGE = 4096;

/** Receives whole pages. */
class RoundingPort extends BrokenPort {
  override recv(stream: Handle, max: number): void {
    this.below.recv(stream, max > 0 ? Math.max(max, PAGE) : max);
  }
}

export const roundsUp: BrokenFake = brokenFake(
  'C7',
  'rounds the maximum of a recv up to a page',
  breakWith(RoundingPort),
);

/** Has handed the buffer to the system already, and says nothing. */
class StubbornPort extends BrokenPort {
  override lowerRecvMax(stream: Handle, _max: number): void {
    this.below.lowerRecvMax(stream, Number.MAX_SAFE_INTEGER);
  }
}

export const ignoresLowering: BrokenFake = brokenFake(
  'C7',
  'ignores that the maximum of a recv in flight is lowered',
  breakWith(StubbornPort),
);
