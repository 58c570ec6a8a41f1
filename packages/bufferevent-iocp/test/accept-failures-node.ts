// Accepts that Windows refuses at once, as for a peer that has reset its connection already. Wine lets them all wait, so
// that what Windows says is put in its place.
import assert from 'node:assert/strict';
import { afterEach, beforeEach, it } from 'node:test';
import { Errno, type Handle, Operation, type TraceRecord } from 'bufferevent-backend';
import { Stage } from 'bufferevent-backend-compliance/life-cycle';
import { type IocpPort, iocpBackend } from 'bufferevent-iocp';
import { binding } from './binding.js';

const WSAEMFILE = 10024;
const WSAENETDOWN = 10050;
const WSAECONNRESET = 10054;
const WSAENOBUFS = 10055;
/** Milliseconds after which a listener that could not accept tries again. */
const RETRY = 50;

let stage: Stage<IocpPort>;
let traced: TraceRecord[];

beforeEach(() => {
  traced = [];
  const onTrace = (record: TraceRecord): void => void traced.push(record);
  stage = new Stage((sink) => iocpBackend.createPort(sink, { onTrace }) as IocpPort);
});

afterEach(async () => {
  binding.refuseAccepts(new Int32Array(0));
  await stage.port[Symbol.asyncDispose]();
  const { streams, listeners, pending } = stage.port.stats();
  assert.deepEqual({ streams, listeners, pending }, { streams: 0, listeners: 0, pending: 0 });
});

/** A listener with credits, whose sockets the system refuses with these. */
async function accepting(credits: number, ...errors: number[]): Promise<Handle> {
  const listener = await stage.listening();
  binding.refuseAccepts(Int32Array.from(errors));
  // A completion was waited for: out of the call that has brought it, which reads what is submitted only when it is over.
  await new Promise((resolve) => setImmediate(resolve));
  stage.port.accept(listener, credits);
  stage.port.flush();
  return listener;
}

/** Waits until the system was asked to accept so many times. */
async function accepted(times: number): Promise<void> {
  while (stage.port.stats().systemCalls.accepts < times) await stage.turn();
}

async function connected(listener: Handle): Promise<void> {
  const client = stage.port.connect(stage.addressOf(listener));
  assert.equal(await stage.taken(client, Operation.connect), 0);
  assert.ok((await stage.taken(listener, Operation.accept)) > 0);
}

it('C20: a peer that is gone before it is accepted takes nobody else the socket, and nobody hears of it', async () => {
  const listener = await accepting(1, WSAECONNRESET, WSAECONNRESET);
  assert.equal(stage.port.stats().systemCalls.accepts, 3);
  await connected(listener);
  assert.deepEqual(traced, []);
  assert.equal(stage.port.stats().pending, 0);
});

for (const [title, error, result] of [
  ['peers that are gone without end', WSAECONNRESET, Errno.ENOBUFS],
  ['no network', WSAENETDOWN, Errno.ENOBUFS],
  ['no descriptors', WSAEMFILE, Errno.EMFILE],
  ['no buffers', WSAENOBUFS, Errno.ENOBUFS],
] as const) {
  it(`C20: a listener that meets ${title} waits, says so once, and goes on`, async () => {
    const listener = await accepting(1, ...new Array<number>(1000).fill(error));
    assert.equal(await stage.taken(listener, Operation.accept), -result);
    const { accepts } = stage.port.stats().systemCalls;
    assert.ok(accepts < 500);
    assert.equal(stage.port.stats().pending, 1);
    await accepted(accepts + 1);
    assert.deepEqual(traced, [{ operation: Operation.accept, handle: listener, result: -result, raw: error }]);
    binding.refuseAccepts(new Int32Array(0));
    await connected(listener);
    assert.equal(stage.port.stats().pending, 0);
  });
}

it('C17: nothing more is given to the system for an accept that is being cancelled', async () => {
  const listener = await accepting(2, WSAEMFILE, 0, WSAEMFILE);
  assert.equal(await stage.taken(listener, Operation.accept), -Errno.EMFILE);
  // One socket waits, the other could not be had.
  await accepted(3);
  // Then the timers come next, before what the system says.
  await new Promise((resolve) => setImmediate(resolve));
  stage.port.cancel(listener, Operation.accept);
  stage.port.flush();
  const until = performance.now() + 2 * RETRY;
  while (performance.now() < until);
  assert.equal(await stage.taken(listener, Operation.accept), -Errno.ECANCELED);
  assert.equal(stage.port.stats().systemCalls.accepts, 3);
});
