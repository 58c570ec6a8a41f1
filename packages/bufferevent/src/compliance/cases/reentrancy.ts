import assert from 'node:assert/strict';
import type { Bufferevent } from '../../bufferevent.js';
import type { BuffereventHandlers } from '../../events.js';
import { pattern } from '../bytes.js';
import { type ComplianceCase, casesOf, type Requirement } from '../case.js';
import type { CaseContext } from '../context.js';
import { expectPrefix } from '../expect.js';
import type { Probe } from '../probe.js';
import { gatherUncaught } from '../uncaught.js';

const defineCase = casesOf('reentrancy');

/** Written by either end, before anything is done. */
const BYTES = 2000;
const more = 'more';

interface Action {
  readonly name: string;
  /** Done inside a callback of `own`, whose peer is `other`. */
  readonly act: (own: Probe, other: Probe) => void;
  /** Whether it has had its effect. */
  readonly done?: (own: Probe, other: Probe) => boolean;
  readonly throws?: boolean;
}

const actions: readonly Action[] = [
  { name: 'frees itself', act: (own) => own.bev.free(), done: (own) => own.bev.freed },
  { name: 'frees the other end', act: (_, other) => other.bev.free(), done: (_, other) => other.bev.freed },
  {
    name: 'frees both ends',
    act: (own, other) => {
      own.bev.free();
      other.bev.free();
    },
    done: (own, other) => own.bev.freed && other.bev.freed,
  },
  {
    name: 'disables both directions',
    act: (own) => own.bev.disable('read', 'write'),
    done: (own) => own.bev.enabled.length === 0,
  },
  { name: 'half-closes', act: (own) => own.bev.halfClose(), done: (own) => own.bev.writeEnded },
  { name: 'ends', act: (own) => void own.bev.end(), done: (own) => own.bev.writeEnded },
  {
    name: 'removes its handlers',
    act: (own) => own.bev.setHandlers(null),
    done: (own) => own.bev.handlers === null,
  },
  {
    name: 'writes and drains',
    act: (own) => writeAndDrain(own.bev),
    done: (_, other) => other.takenBytes === BYTES + more.length,
  },
  {
    name: 'changes every mark',
    act: (own) => changeMarks(own.bev),
    done: (own) => own.bev.getWatermarks('read').high === 1,
  },
  { name: 'pulls', act: pull, done: (own) => own.takenBytes === 1 },
  {
    name: 'throws',
    throws: true,
    act: () => {
      throw new Error('of a handler');
    },
  },
];

function pull(own: Probe): void {
  own.bev.read(1).then(
    (bytes) => own.keepPulled(bytes as Uint8Array),
    () => null,
  );
}

function writeAndDrain(bev: Bufferevent): void {
  bev.write(more);
  bev.input.drain(bev.input.length);
}

function changeMarks(bev: Bufferevent): void {
  bev.setWatermarks('read', { low: 0, high: 1 });
  bev.setWatermarks('write', { low: 1, high: 1 });
  bev.enable('read', 'write');
  bev.disable('read');
}

/** Makes `name` call `act` once, besides what the handler records. */
function once(name: keyof BuffereventHandlers, act: () => void): BuffereventHandlers {
  let done = false;
  return {
    [name]: () => {
      if (done) return;
      done = true;
      act();
    },
  };
}

/** Does the action inside the callback of a busy connection; what follows must stay within the rules. */
async function play(context: CaseContext, callback: keyof BuffereventHandlers, action: Action): Promise<void> {
  const pair = await context.open();
  const { a, b } = pair;
  const bytes = [pattern(BYTES, 1), pattern(BYTES, 2)] as const;
  let acted = false;
  const act = (): void => {
    acted = true;
    action.act(a, b);
  };
  b.collect();
  a.record(once(callback, act));
  a.bev.enable('read');
  a.bev.write(bytes[0]);
  b.bev.write(bytes[1]);
  if (callback === 'onEvent') b.bev.halfClose();
  const body = async (): Promise<void> => {
    await context.until(() => acted, `${callback} that ${action.name}`);
    await context.until(() => done(a, b), `the effect of ${callback} that ${action.name}`);
    await pair.settle();
  };
  const { done = () => true } = action;
  if (action.throws) assert.equal((await gatherUncaught(body)).length, 1, 'B10: it did not surface once');
  else await body();
  assert.ok(done(a, b), `B11: the effect of ${callback} that ${action.name} did not last`);
  if (!b.bev.freed) b.take();
  expectPrefix(b.taken, Buffer.concat([bytes[0], Buffer.from(more)]));
}

function casesFor(callback: keyof BuffereventHandlers, requires: readonly Requirement[]): ComplianceCase[] {
  return actions.map((action) => {
    const rules = action.throws ? 'B10, CB-1' : 'B11, CB-1, CB-5, FR-1';
    return defineCase(
      `${rules}: ${callback} that ${action.name} leaves the rest within the rules`,
      (context) => play(context, callback, action),
      requires,
    );
  });
}

/** Everything may be done in every callback. */
export const reentrancyCases: readonly ComplianceCase[] = [
  ...casesFor('onRead', []),
  ...casesFor('onWrite', []),
  ...casesFor('onEvent', ['halfClose']),
];
