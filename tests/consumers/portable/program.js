// The same program runs in every runtime, on the installed package: the language, the package and nothing else. `foreign`
// holds bytes (of another realm where there is one); `text` says whether the runtime has text codecs. Throws at the first
// difference; returns how many things were right.
export function run({ evbuffer, framing, debug, foreign, text: withText }) {
  const { Evbuffer, EvbufferError, isEvbuffer } = evbuffer;
  const results = [];
  const same = (what, actual, expected) => {
    const [a, b] = [JSON.stringify(actual), JSON.stringify(expected)];
    if (a !== b) throw new Error(`${what}: ${a} instead of ${b}`);
    results.push(what);
  };
  const codeOf = (act) => {
    try {
      act();
    } catch (error) {
      return error.code;
    }
    return 'nothing thrown';
  };
  const buffer = new Evbuffer();
  same(
    'brand',
    [isEvbuffer(buffer), new EvbufferError('ERR_EVBUFFER_PINNED', '') instanceof EvbufferError],
    [true, true],
  );
  same('no stray dispose', 'undefined' in buffer, false);
  buffer.add(new Uint8Array([1, 2, 3]));
  buffer.add(foreign);
  buffer.addReference(foreign);
  same('bytes of another realm', [...buffer.remove()], [1, 2, 3, ...foreign, ...foreign]);
  for (const [text, encoding] of [
    ['wörld', 'latin1'],
    ['plain', 'ascii'],
    ['00ff7f', 'hex'],
  ]) {
    buffer.add(text, encoding);
    buffer.add('\n', 'latin1');
    debug.validate(buffer);
    same(encoding, buffer.readLine('lf', encoding), text);
  }
  buffer.add('x'.repeat(10000), 'latin1');
  buffer.add('\n', 'latin1');
  same('a long line', buffer.readLine('lf', 'latin1').length, 10000);
  const sample = 'wörld € 😀 \ufeff';
  if (withText) {
    buffer.add(sample);
    buffer.prepend('front ');
    buffer.add('\r\n');
    same('utf8', buffer.readLine(), `front ${sample}`);
    buffer.add('d29ybGQ=', 'base64');
    buffer.add('\n');
    same('base64', buffer.readLine('lf', 'base64'), 'd29ybGQ=');
  } else {
    same(
      'utf8 without a codec',
      codeOf(() => buffer.add(sample)),
      'ERR_EVBUFFER_UNKNOWN_ENCODING',
    );
    same(
      'base64 without a codec',
      codeOf(() => buffer.add('d29ybGQ=', 'base64')),
      'ERR_EVBUFFER_UNKNOWN_ENCODING',
    );
    same('nothing was added', buffer.length, 0);
  }
  // Searches without native help, over pieces of every size, against a search in a flat array.
  const whole = Array.from({ length: 400 }, (_, i) => (i * i + (i >> 3)) % 5);
  for (const size of [1, 2, 3, 7, 100, 400]) {
    const pieces = new Evbuffer();
    for (let at = 0; at < whole.length; at += size) pieces.addReference(Uint8Array.from(whole.slice(at, at + size)));
    for (let start = 0; start < 390; start += 13) {
      for (let length = 1; length < 9; length++) {
        const needle = whole.slice(start, start + length);
        const naive = whole.findIndex((_, i) => needle.every((byte, j) => whole[i + j] === byte));
        if (pieces.indexOf(Uint8Array.from(needle)) !== naive)
          throw new Error(`indexOf ${needle} in pieces of ${size}`);
      }
    }
  }
  same('search', true, true);
  const room = buffer.reserve(2000, 2);
  room.segments[0].fill(65);
  room.commit(3);
  const other = new Evbuffer();
  buffer.moveTo(other, 2);
  same('moved', [other.readLine('lf'), [...other.pullup()], buffer.length], [null, [65, 65], 1]);
  buffer.drain();

  const source = Evbuffer.from(Uint8Array.of(1, 2, 3, 4, 5, 6));
  const child = new Evbuffer();
  child.addBufferReference(source);
  framing.setNumber(child, 1, 'u16be', 0xffff);
  same(
    'copy on write',
    [[...source.toUint8Array()], [...child.toUint8Array()]],
    [
      [1, 2, 3, 4, 5, 6],
      [1, 255, 255, 4, 5, 6],
    ],
  );
  child.add(Uint8Array.of(7));
  source.drain();
  same('the child keeps what was shared', [...child.pullup()], [1, 255, 255, 4, 5, 6, 7]);
  debug.validate(child);

  const end = child.position(7);
  child.add(Uint8Array.of(8, 9));
  same('a position at the end sees what is appended', framing.getNumber(child, end, 'u16le'), 0x0908);
  same('a position advances', child.advance(end, 1).index, 8);
  same('search from a position', child.indexOf(Uint8Array.of(9), end), 8);
  child.drain(1);
  same(
    'a stale position',
    codeOf(() => child.copyOut(new Uint8Array(1), end)),
    'ERR_EVBUFFER_STALE_POSITION',
  );
  same(
    'a foreign position',
    codeOf(() => source.indexOf(foreign, child.position(0))),
    'ERR_EVBUFFER_INVALID_ARGUMENT',
  );

  for (const [format, value] of [
    ['u8', 255],
    ['i16le', -2],
    ['u24be', 0x123456],
    ['i48be', -(2 ** 40)],
    ['f64be', Math.PI],
    ['f32le', 0.5],
    ['varint', Number.MAX_SAFE_INTEGER],
  ]) {
    const whole = new Evbuffer();
    framing.addNumber(whole, format, value);
    const bytes = whole.remove();
    const split = new Evbuffer();
    for (const byte of bytes) {
      same(`${format} is not all there`, framing.readNumber(split, format), null);
      split.addReference(Uint8Array.of(byte));
    }
    same(format, framing.readNumber(split, format), value);
  }
  for (const [format, value] of [
    ['u64be', 2n ** 63n + 1n],
    ['u64le', 2n ** 64n - 1n],
    ['i64be', -(2n ** 63n)],
    ['i64le', -2n],
    ['varint64', 2n ** 64n - 1n],
  ]) {
    const wide = new Evbuffer();
    framing.addNumber(wide, format, value);
    framing.prependNumber(wide, format, 1n);
    same(format, [framing.readNumber(wide, format), framing.readNumber(wide, format)].map(String), ['1', `${value}`]);
  }

  const frames = new Evbuffer();
  framing.addNumber(frames, 'u16be', 3);
  frames.add(Uint8Array.of(1, 2));
  same('half a frame', framing.readFramed(frames, { format: 'u16be' }), null);
  frames.add(Uint8Array.of(3, 0, 1, 9));
  same('a frame', [...framing.readFramed(frames, { format: 'u16be' })], [1, 2, 3]);
  same('a frame moved out', [...framing.takeFramed(frames, { format: 'u16be' }).remove()], [9]);

  const lines = new Evbuffer();
  for (let i = 0; i < 1000; i++) lines.add(`line ${i}\r\n`, 'latin1');
  lines.add('rest', 'latin1');
  same('lines one by one', [lines.readLine('crlf', 'latin1'), lines.readLine('crlf', 'latin1')], ['line 0', 'line 1']);
  const batch = lines.readLines(500, 'crlf', 'latin1');
  same('a batch of lines', [batch.length, batch[0], batch.at(-1)], [500, 'line 2', 'line 501']);
  same('the other lines', lines.readLines(undefined, 'crlf', 'latin1').length, 498);
  same('the rest', lines.toString('latin1'), 'rest');
  same('taken', lines.take(2).toString('latin1') + lines.toString('latin1', 1), 'ret');

  const parsed = new Evbuffer();
  const reader = new framing.EvbufferReader(parsed);
  parsed.add(Uint8Array.of(0, 2, 65));
  same('a reader reads ahead', [reader.readNumber('u16be'), reader.readBytes(2), reader.remaining], [2, null, 1]);
  parsed.add(Uint8Array.of(66, 67));
  same('a reader goes on', [reader.readText(2, 'latin1'), reader.commit(), parsed.length], ['AB', 4, 1]);
  parsed.add('..name: value\r\nbody', 'latin1');
  same('a reader skips, and not too far', [reader.skip(3), reader.skip(100), reader.offset], [true, false, 3]);
  same('a line read ahead', reader.readLine('crlf', 'latin1'), 'name: value');
  same('bytes read ahead', [...reader.readBytes(4)], [98, 111, 100, 121]);
  same('no line is left', [reader.readLine('lf', 'latin1'), reader.remaining, parsed.length], [null, 0, 20]);
  parsed.drain();
  same(
    'a stale reader',
    codeOf(() => reader.readNumber('u8')),
    'ERR_EVBUFFER_STALE_POSITION',
  );
  reader.rollback();

  const many = new Evbuffer();
  same('a vector', many.addVector([Uint8Array.of(1, 13), new Uint8Array(0), foreign]), 2 + foreign.length);
  many.clear();
  framing.prependNumber(many, 'u16be', 0x0d0a);
  const before = Evbuffer.from('ab', 'latin1');
  const after = new Evbuffer();
  after.addReference(Uint8Array.of(99, 0, 10));
  many.prependBuffer(before);
  many.addBuffer(after);
  same('buffers moved', [many.length, before.length, after.length], [7, 0, 0]);
  same(
    'ends of lines',
    [
      many.indexOfEol('crlf'),
      many.indexOfEol('nul', 3),
      many.indexOfEol('lf', many.position(4)),
      many.indexOfEol('any', 7),
    ],
    [{ index: 2, length: 2 }, { index: 5, length: 1 }, { index: 6, length: 1 }, null],
  );
  same(
    'a part, peeked at',
    many.peek({ start: 1, length: 5 }).flatMap((view) => [...view]),
    [98, 13, 10, 99, 0],
  );
  const segments = [];
  const filled = many.peekInto(segments, 6);
  same(
    'the same without views',
    segments.slice(0, filled).flatMap(({ memory, start, end }) => [...memory.subarray(start, end)]),
    [97, 98, 13, 10, 99, 0],
  );
  same('nothing in files', [many.peekFile(), many.fileBytes], [null, 0]);
  many.pin(6);
  many.drain(3);
  same(
    'pinned',
    codeOf(() => after.addBuffer(many)),
    'ERR_EVBUFFER_PINNED',
  );
  many.freeze('back');
  const inspect = Symbol.for('nodejs.util.inspect.custom');
  same('inspected', many[inspect](), 'Evbuffer(4) [back frozen, pinned] { "\\x0ac\\x00\\x0a" }');
  same('described', debug.describe(many).split(' → ').at(-1), 'reference[0, 3) of 3 pinned');
  many.unfreeze('back');
  many.unpin();
  many.ensureSpace(5000);
  same('room for more', many.reserve(5000).length >= 5000, true);
  many.clear();
  debug.validate(many);

  const mode = debug.enableDebugMode();
  many.add(foreign);
  many.addReference(foreign);
  const [view] = many.peek();
  const kept = [...view];
  same(
    'lent',
    [kept, mode.loans().map(({ kind, bytes }) => [kind, bytes])],
    [[...foreign], [['reference', foreign.length]]],
  );
  many.drain(1);
  // Taken away where the runtime can do that, else poisoned.
  same('a view used after its time', view.length === 0 || view.every((byte) => byte === debug.POISON), true);
  many.clear();
  mode.disable();
  same('given back', mode.loans(), []);

  const releases = [];
  parsed.addReference(Uint8Array.of(1), () => releases.push('reference'));
  parsed.addLeased(Uint8Array.of(1, 2), 0, 2, { release: (lease) => releases.push(lease) }, 7);
  const watch = parsed.watch((_, { added, removed }) => releases.push(added - removed));
  parsed.freeze('front');
  same(
    'frozen',
    codeOf(() => parsed.drain(1)),
    'ERR_EVBUFFER_FROZEN_FRONT',
  );
  parsed.unfreeze('front');
  parsed.drain();
  watch.dispose();
  same('releases, then watchers', releases, ['reference', 7, -3]);
  same(
    'pieces',
    [...Evbuffer.from([foreign, foreign])].map((view) => view.length),
    [2 * foreign.length],
  );
  return results.length;
}

// The streams of the web around a buffer, where the runtime has them; that it has none is said at the call.
export async function runStreams({ evbuffer, web, streams }) {
  const { Evbuffer } = evbuffer;
  if (!streams) {
    try {
      web.createStreamPair();
    } catch (error) {
      if (error instanceof evbuffer.EvbufferError && error.code === 'ERR_EVBUFFER_UNSUPPORTED') return 1;
      throw error;
    }
    throw new Error('streams out of nothing');
  }
  let count = 0;
  const same = (what, actual, expected) => {
    const [a, b] = [JSON.stringify(actual), JSON.stringify(expected)];
    if (a !== b) throw new Error(`${what}: ${a} instead of ${b}`);
    count++;
  };
  const outcome = (promise) => promise.then(String, (error) => error?.code ?? String(error));

  const { buffer, readable, writable } = web.createStreamPair({ buffer: new Evbuffer(), highWaterMark: 4 });
  const writer = writable.getWriter();
  let done = 0;
  const writes = ['abc', Uint8Array.of(100, 101), new DataView(Uint8Array.of(9, 102).buffer, 1)].map((chunk) =>
    writer.write(chunk).then(() => done++),
  );
  const reader = readable.getReader({ mode: 'byob' });
  const part = await reader.read(new Uint8Array(new ArrayBuffer(8), 2, 1));
  same('read into own memory', [[...part.value], part.value.byteOffset], [[97], 2]);
  while (done < 1) await writes[0];
  same('writers wait', [buffer.length, done], [4, 1]);
  const pieces = [];
  while (pieces.length < 5) pieces.push(...(await reader.read(new Uint8Array(3))).value);
  same('the rest', String.fromCharCode(...pieces), 'bcdef');
  await Promise.all(writes);
  const waiting = reader.read(new Uint8Array(4));
  buffer.add(Uint8Array.of(1));
  buffer.prepend(Uint8Array.of(0));
  same('a read that waited', [...(await waiting).value], [0, 1]);
  const last = reader.read(new Uint8Array(4));
  await writer.close();
  const { done: ended, value } = await last;
  same('the end', [ended, value.byteLength, value.buffer.byteLength], [true, 0, 4]);

  const first = web.createStreamPair({ highWaterMark: 10 });
  const chained = first.readable.pipeThrough(web.createStreamPair({ highWaterMark: 1 }));
  const source = first.writable.getWriter();
  const feed = async () => {
    for (let i = 0; i < 50; i++) await source.write(`${i},`);
    await source.close();
  };
  const [text] = await Promise.all([new Response(chained).text(), feed()]);
  same('through a pipe', text, Array.from({ length: 50 }, (_, i) => `${i},`).join(''));

  for (const act of ['abort', 'cancel']) {
    const pair = web.createStreamPair({ highWaterMark: 1 });
    const stuck = pair.writable.getWriter();
    const writing = outcome(stuck.write('never read'));
    const closing = outcome(stuck.closed);
    while (pair.buffer.length === 0) await null;
    await (act === 'abort' ? stuck.abort('enough') : pair.readable.cancel('enough'));
    same(act, [await writing, await closing, pair.buffer.length], ['enough', 'enough', 0]);
    const read = outcome(
      pair.readable
        .getReader()
        .read()
        .then(({ done }) => done),
    );
    same(`a read after ${act}`, await read, act === 'abort' ? 'enough' : 'true');
  }

  const frozen = web.createStreamPair();
  frozen.buffer.add('kept');
  frozen.buffer.freeze('front');
  const refusal = outcome(frozen.readable.getReader().read());
  same('a frozen front', [await refusal, frozen.buffer.length], ['ERR_EVBUFFER_FROZEN_FRONT', 4]);
  return count;
}
