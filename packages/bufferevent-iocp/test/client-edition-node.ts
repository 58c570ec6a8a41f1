// Where tools/wine makes Wine a client edition of Windows, and on those themselves.
import assert from 'node:assert/strict';
import { it } from 'node:test';
import { BackendError } from 'bufferevent-backend';
import { Stage } from 'bufferevent-backend-compliance/life-cycle';
import { iocpBackend } from 'bufferevent-iocp';
import { binding } from './binding.js';

const skip = process.env['UNDER_WINE'] !== '1' && binding.isServerEdition() && 'a server edition of Windows';

it('C9: files are not sent by the system where it sends two at once at most', { skip }, async () => {
  assert.equal(iocpBackend.supports.sendFile, false);
  const stage = new Stage((sink) => iocpBackend.createPort(sink));
  const { left } = await stage.pair();
  assert.throws(
    () => stage.port.sendFile(left, 0, 0, 1),
    (error) => error instanceof BackendError && error.code === 'ERR_BACKEND_UNSUPPORTED',
  );
  assert.equal(stage.port.stats().pending, 0);
  await stage.port[Symbol.asyncDispose]();
});
