import { EventBase, listen } from 'bufferevent';

const base = new EventBase({ asyncContext: process.env.CTX !== '0' });
const l = await listen(
  { host: '127.0.0.1', port: 0 },
  {
    onRead(bev) {
      if (!bev.write(bev.input)) bev.disable('read');
    },
    onWrite(bev) {
      if (!bev.readEnded) bev.enable('read');
    },
    onEvent(bev, e) {
      if (e.kind === 'eof') bev.end();
      else bev.free();
    },
  },
  { base },
);
process.send(l.address.port);
process.on('message', (m) =>
  m === 'stats' ? process.send(base.stats().port) : m === 'exit' ? process.exit() : process.send(process.cpuUsage()),
);
