// A peer that is gone, at every step of the handshake: one typed outcome, nothing left, and others are served.
import type { BuffereventHandlers } from 'bufferevent';
import { createTestBase, type TestBase } from 'bufferevent/testing';
import { Operation } from 'bufferevent-backend';
import { expect, it } from 'vitest';
import { OpensslBufferevent, TlsLayer, tlsOutcome } from '../src/index.js';
import { describeWithOpenssl } from './in-memory.js';
import { ScriptedTls } from './support/scripted-tls.js';
import { events } from './support/secure-pair.js';
import { newSsl, type Version, versions } from './support/versions.js';

type Role = 'client' | 'server';
type Way = 'reset' | 'end';

const FIRST_BYTES = 40;

/** A connection in the role given, and the far end of it. */
async function connection(test: TestBase, version: Version, role: Role, log: string[]) {
  const state = role === 'client' ? 'connecting' : 'accepting';
  const layer = new TlsLayer(newSsl(version, state), state);
  const handlers = events(log, role);
  const [bev, peer] =
    role === 'client'
      ? await test.connect(undefined, {})
      : await test.accept({ onConnection: (accepted) => accepted.setHandlers(null) });
  bev.setHandlers(handlers);
  const opened = bev.insertLayer(layer);
  opened.catch(() => {});
  const far = new ScriptedTls(test, peer, version, role === 'client' ? 'accepting' : 'connecting');
  return { bev, layer, opened, far };
}

/** The lengths of what the peer of that role sends until both sides are open. */
async function flightsOf(version: Version, role: Role): Promise<readonly number[]> {
  await using test = createTestBase();
  const { far, opened } = await connection(test, version, role, []);
  await far.shake();
  await opened;
  return far.flights;
}

/** Bytes after which the peer is gone: each of the first, and the boundaries of flights, with one byte less and more. */
function stepsOf(flights: readonly number[]): number[] {
  const steps = new Set(Array.from({ length: FIRST_BYTES + 1 }, (_, bytes) => bytes));
  let sent = 0;
  for (const flight of flights) {
    sent += flight;
    for (const step of [sent - 1, sent, sent + 1]) steps.add(step);
  }
  return [...steps].filter((step) => step >= 0 && step <= sent).sort((a, b) => a - b);
}

async function goneAfter(bytes: number, version: Version, role: Role, way: Way): Promise<void> {
  await using test = createTestBase();
  const log: string[] = [];
  const { bev, layer, opened, far } = await connection(test, version, role, log);
  bev.enable('read');
  bev.write('a secret');
  await far.shake(bytes);
  if (way === 'reset') far.peer.reset();
  else far.peer.end();
  await test.settle();
  const wasOpen = log[0] === `${role} connected`;
  if (wasOpen) log.shift();
  const endCode = wasOpen ? 'ERR_OPENSSL_TRUNCATED read' : 'ERR_BUFFEREVENT_UNEXPECTED_END';
  expect(log, `after ${bytes} bytes`).toHaveLength(1);
  // What the transport says, it says of a direction.
  if (way === 'reset') expect(log[0], `after ${bytes} bytes`).toMatch(/error ECONNRESET (?:read|write)$/);
  else expect(log[0], `after ${bytes} bytes`).toBe(`${role} error ${endCode}`);
  expect((await tlsOutcome(bev)).kind).toBe(way === 'reset' ? 'reset' : wasOpen ? 'truncated' : 'error');
  if (wasOpen) await opened;
  else await expect(opened).rejects.toThrow();
  expect(bev.freed).toBe(false);
  bev.free();
  await test.settle();
  expect(layer.ssl.state).toBe('freed');
  expect(test.clock.pendingTimers).toBe(0);
  expect(test.base.stats().port).toMatchObject({ pending: 0, leases: 0, streams: 0 });
}

/** @returns 1 when the fault was met, else 0 */
async function failing(version: Version, operation: 'recv' | 'send', nth: number): Promise<number> {
  const error = { operation: Operation[operation], nth, error: 'ECONNRESET' } as const;
  await using test = createTestBase({ faults: { errors: [error] } });
  const log: string[] = [];
  const freesItself = (name: string): BuffereventHandlers =>
    events(log, name, {
      onEvent: (bev, { kind }) => {
        if (kind !== 'connected') bev.free();
      },
    });
  const listener = await test.listen({
    onConnection(bev) {
      bev.setHandlers({ ...freesItself('server'), onRead: () => void bev.write(bev.input.remove(bev.input.length)) });
      void bev.insertLayer(new TlsLayer(newSsl(version, 'accepting'), 'accepting'));
      bev.enable('read');
    },
  });
  const dial = (): OpensslBufferevent => {
    const bev = OpensslBufferevent.socket(test.base, -1, newSsl(version, 'connecting'), 'connecting');
    bev.connect(listener.address as { ip: string; port: number });
    bev.write('hello');
    return bev;
  };
  const client = dial();
  client.setHandlers(freesItself('client'));
  client.enable('read');
  await test.settle();
  const failed = log.filter((line) => !line.endsWith('connected'));
  const told = failed.map((line) => line.split(' ')[0]).sort();
  expect(told, log.join()).toEqual(failed.length === 0 ? [] : ['client', 'server']);
  expect(failed.some((line) => line.includes('ECONNRESET'))).toBe(failed.length > 0);
  // Others are served; or else it is they who meet the fault.
  if (failed.length > 0) expect(`${await dial().read(5)}`).toBe('hello');
  await listener.close();
  return failed.length > 0 ? 1 : 0;
}

describeWithOpenssl('a peer that is gone inside the handshake', () => {
  for (const version of versions) {
    for (const role of ['client', 'server'] as const) {
      for (const way of ['reset', 'end'] as const) {
        it(`TL-8, TL-9, TL-11: by ${way}, after any byte, is one error of the ${role}, and nothing is left (${version})`, async () => {
          const steps = stepsOf(await flightsOf(version, role));
          expect(steps.length).toBeGreaterThan(FIRST_BYTES + 3);
          for (const step of steps) await goneAfter(step, version, role, way);
        }, 60_000);
      }
    }

    it(`by errors of the transport in each of its operations is one error, and nothing is left (${version})`, async () => {
      let failures = 0;
      for (const operation of ['recv', 'send'] as const) {
        for (let nth = 1; nth <= 12; nth++) failures += await failing(version, operation, nth);
      }
      expect(failures).toBeGreaterThan(6);
    });
  }
});
