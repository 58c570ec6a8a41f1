import { spawnSync } from 'node:child_process';
import { Errno, Operation, type TraceRecord } from 'bufferevent-backend';
import { Stage } from 'bufferevent-backend-compliance/life-cycle';
import { type EpollPort, epollBackend } from 'bufferevent-epoll';
import { expect } from 'vitest';
import { itOnEpoll } from './available.js';

/** Another process that has the listener shuts it down. Node has no call for it; the addon is not built without Python. */
function shutDown(descriptor: number): void {
  const program = 'import socket; socket.socket(fileno=3).shutdown(socket.SHUT_RDWR)';
  const { status, error } = spawnSync('python3', ['-c', program], {
    stdio: ['ignore', 'ignore', 'inherit', descriptor],
  });
  if (error !== undefined) throw error;
  expect(status).toBe(0);
}

itOnEpoll('C20: a listener that can no longer accept says so once, and keeps nothing busy', async () => {
  const traced: TraceRecord[] = [];
  const stage = new Stage(
    (sink) => epollBackend.createPort(sink, { onTrace: (record) => void traced.push(record) }) as EpollPort,
  );
  const listener = await stage.listening();
  stage.port.accept(listener, 2);
  await stage.turn();
  shutDown(stage.port.descriptor(listener));
  expect(await stage.taken(listener, Operation.accept)).toBe(-Errno.ENOBUFS);
  const before = stage.port.stats().systemCalls.accepts;
  for (let turn = 0; turn < 100; turn++) await stage.turn();
  // It is tried again from time to time.
  expect(stage.port.stats().systemCalls.accepts - before).toBeLessThan(100);
  stage.port.close(listener);
  expect(await stage.taken(listener, Operation.accept)).toBe(-Errno.ECANCELED);
  expect(await stage.taken(listener, Operation.close)).toBe(0);
  expect(traced.map(({ result, raw }) => [result, raw])).toEqual([
    [-Errno.ENOBUFS, 'EINVAL'],
    [-Errno.ECANCELED, 'ECANCELED'],
  ]);
  await stage.port[Symbol.asyncDispose]();
});
