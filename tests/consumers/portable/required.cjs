// require() of an ES module, as Node has it since 20.19.
const { run, runStreams } = require('./program.js');
const evbuffer = require('evbuffer');
const count = run({
  evbuffer,
  framing: require('evbuffer/framing'),
  debug: require('evbuffer/debug'),
  foreign: new Uint8Array([104, 111, 115, 116]),
  text: true,
});
runStreams({ evbuffer, web: require('evbuffer/web'), streams: true }).then((more) =>
  console.log(`${count + more} hold`),
);
