// In the silent network of tools/wine: nobody answers at 192.0.2.1, and the system soon gives up.
import assert from 'node:assert/strict';
import { it } from 'node:test';
import { connect, EventBase } from 'bufferevent';
import { iocpBackend } from 'bufferevent-iocp';
import { until } from './support/wait.js';

it('EV-6: a connection that the system gives up is one ETIMEDOUT that says where to', async () => {
  await using base = new EventBase({ backend: iocpBackend });
  await assert.rejects(connect({ ip: '192.0.2.1', port: 80 }, {}, { base }), {
    code: 'ETIMEDOUT',
    syscall: 'connect',
    address: '192.0.2.1',
    port: 80,
  });
  await until(() => base.stats().port.pending === 0, 'the end of its handle');
  assert.equal(base.stats().port.streams, 0);
});
