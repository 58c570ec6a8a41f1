// require() of an ES module, as Node has it since 20.19.
const { run } = require('./program.js');
const count = run({
  evbuffer: require('evbuffer'),
  framing: require('evbuffer/framing'),
  debug: require('evbuffer/debug'),
  foreign: new Uint8Array([104, 111, 115, 116]),
  text: true,
});
console.log(`${count} hold`);
