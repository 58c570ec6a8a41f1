// A connection that nobody looks at is reset, and the process must end as if nothing had happened.
import { connect } from 'node:net';
import { Operation } from 'bufferevent-backend';
import { netBackend } from 'bufferevent-net';

let client;
let listener;
const port = netBackend.createPort((batch) => {
  for (let index = 0; index < batch.length; index++) {
    const handle = batch.handle(index);
    if (batch.operation(index) === Operation.listen) {
      listener = handle;
      port.accept(handle, 1);
      client = connect(port.address(handle).local.port, '127.0.0.1', () => client.write('a'));
    } else if (batch.operation(index) === Operation.accept) port.recv(batch.result(index), 10);
    else if (batch.operation(index) === Operation.recv) {
      // Reading, nothing in flight, no credits: all that is left are unreferenced handles.
      port.release(batch.lease(index));
      client.on('close', () => setImmediate(() => console.log(`${port.stats().streams} stream, ${listener > 0}`)));
      client.resetAndDestroy();
    }
  }
});
port.listen({ ip: '127.0.0.1', port: 0 });
