import net from 'node:net';

const s = net.createServer((c) => {
  c.on('error', () => {});
  if (process.env.PIPE) c.pipe(c);
  else c.on('data', (d) => c.write(d));
});
s.listen(0, '127.0.0.1', () => process.send(s.address().port));
process.on('message', (m) => (m === 'exit' ? process.exit() : process.send(process.cpuUsage())));
