// The first port of a process that is without descriptors, where tools/wine lets Wine have few of them.
import assert from 'node:assert/strict';
import { it } from 'node:test';
import { exhaustDescriptors } from 'bufferevent-backend-compliance';
import { Stage } from 'bufferevent-backend-compliance/life-cycle';
import { iocpBackend } from 'bufferevent-iocp';

it('C13: a port that could not be opened for want of descriptors can be when there are some again', async () => {
  const open = (): Stage => new Stage((sink) => iocpBackend.createPort(sink));
  // With the addon loaded, which takes descriptors too.
  assert.equal(iocpBackend.unavailabilityReason(), null);
  const exhaustion = exhaustDescriptors();
  try {
    assert.throws(open, { syscall: 'CreateIoCompletionPort' });
  } finally {
    exhaustion.restore();
  }
  const stage = open();
  await stage.pair();
  await stage.port[Symbol.asyncDispose]();
});
