// Pulling: read, readLine, lines, for await, with signals. B70–B77.
import { type Bufferevent, createPair, type PairBufferevent, SocketBufferevent } from 'bufferevent';
import { describe, expect, it } from 'vitest';
import { KiB, pattern, same, text } from './support/bytes.js';
import { isPending, rejection, turn, turns } from './support/wait.js';
import { inMemory, ipOf, onEveryBackend } from './support/world.js';

describe('read', () => {
  onEveryBackend((world) => {
    it('B70: read() gives what is there, waits for more, and null at the end', async () => {
      const { bev, peer } = await world.accepted({});
      peer.send('first');
      let got = '';
      while (got.length < 5) got += text(await bev.read());
      expect(got).toBe('first');
      const waiting = bev.read();
      peer.send('second');
      got = text(await waiting) ?? '';
      while (got.length < 6) got += text(await bev.read());
      expect(got).toBe('second');
      peer.end();
      expect(await bev.read()).toBeNull();
      expect(await bev.read()).toBeNull();
      expect(bev.readEnded).toBe(true);
    });

    it('B70: read(n) gives exactly n bytes, across chunks', async () => {
      const { bev, peer } = await world.accepted({});
      const bytes = pattern(300);
      for (let at = 0; at < 300; at += 50) peer.send(bytes.subarray(at, at + 50));
      for (const [start, end] of [
        [0, 1],
        [1, 70],
        [70, 299],
        [299, 300],
      ] as const) {
        const piece = (await bev.read(end - start)) as Uint8Array;
        expect(piece.length).toBe(end - start);
        expect(same(piece, bytes.subarray(start, end))).toBe(true);
      }
    });

    it('B70: read(n) rejects when the stream ends first, and the bytes stay', async () => {
      const { bev, peer } = await world.accepted({});
      peer.send('short');
      peer.end();
      expect(await rejection(bev.read(6))).toMatchObject({ code: 'ERR_BUFFEREVENT_UNEXPECTED_END' });
      expect(text(await bev.read(5))).toBe('short');
      expect(await bev.read()).toBeNull();
    });

    it('B71: read(n) above the high mark lifts the mark for that read', async () => {
      const size = world.bytes(500 * KiB);
      const { bev, peer } = await world.accepted({});
      bev.setWatermarks('read', { high: 100 });
      const bytes = pattern(size + 500);
      peer.send(bytes);
      const piece = (await bev.read(size)) as Uint8Array;
      expect(same(piece, bytes.subarray(0, size))).toBe(true);
      expect(bev.getWatermarks('read').high).toBe(100);
      if (world.isMemory) await world.settle();
      expect(bev.input.length).toBeLessThanOrEqual(100);
      expect(same((await bev.read(500)) as Uint8Array, bytes.subarray(size))).toBe(true);
    });

    it('B71: read(n) over maxBytes rejects at once and takes nothing', async () => {
      const { bev, peer } = await world.accepted({});
      peer.send('0123456789');
      expect(await rejection(bev.read(11, { maxBytes: 10 }))).toMatchObject({ code: 'ERR_BUFFEREVENT_READ_LIMIT' });
      expect(text(await bev.read(10, { maxBytes: 10 }))).toBe('0123456789');
    });

    it('B73: concurrent pulls are served in the order in which they were made', async () => {
      const { bev, peer } = await world.accepted({});
      const order: string[] = [];
      const pulls = [
        bev.read(5).then((bytes) => order.push(`5 ${text(bytes)}`)),
        bev.readLine().then((line) => order.push(`line ${line}`)),
        bev.read(1).then((bytes) => order.push(`1 ${text(bytes)}`)),
        bev.read(2).then((bytes) => order.push(`2 ${text(bytes)}`)),
      ];
      for (const piece of ['01', '2345', '67\r', '\n8', '9!']) {
        peer.send(piece);
        await turn();
      }
      await Promise.all(pulls);
      expect(order).toEqual(['5 01234', 'line 567', '1 8', '2 9!']);
    });

    it('B73: a pull takes bytes before onRead sees them', async () => {
      const seen: number[] = [];
      const { bev, peer } = await world.accepted({ onRead: (at) => void seen.push(at.input.length) });
      const pull = bev.read(4);
      peer.send('0123');
      expect(text(await pull)).toBe('0123');
      peer.send('45');
      await world.until(() => bev.input.length === 2, 'bytes for the handler');
      await world.until(() => seen.includes(2), 'onRead');
      expect(seen.filter((length) => length > 2)).toEqual([]);
    });

    it('B73: a pull reads although reading is not enabled, and only as long', async () => {
      const { bev, peer } = await world.accepted({ onEvent() {} });
      const pull = bev.read(3);
      expect(bev.enabled).toEqual(['write']);
      peer.send('012');
      expect(text(await pull)).toBe('012');
      expect(bev.enabled).toEqual(['write']);
    });

    it('RD-3, RD-9: onRead is not called for what a pull left over while reading is not enabled', async () => {
      const { bev, peer } = await world.accepted(world.record('server'), { enable: ['write'] });
      const pull = bev.read(2);
      peer.send('01');
      peer.send('2345');
      expect(text(await pull)).toBe('01');
      const aborted = new AbortController();
      const long = rejection(bev.read(5, { signal: aborted.signal }));
      await world.until(() => bev.input.length === 4, 'the rest');
      aborted.abort();
      await long;
      if (world.isMemory) await world.settle();
      else await turns(10);
      expect(world.log).toEqual([]);
      bev.enable('read');
      peer.send('6');
      await world.until(() => world.log.includes('server read 5'), 'onRead');
    });

    it('B75: a failed connection rejects every pending pull with its error', async () => {
      const { bev, peer } = await world.accepted({});
      const pulls = [rejection(bev.read(10)), rejection(bev.readLine()), rejection(bev.read())];
      await turn();
      peer.reset();
      for (const error of await Promise.all(pulls)) expect(error).toMatchObject({ code: 'ECONNRESET' });
      expect(await rejection(bev.read())).toMatchObject({ code: 'ECONNRESET' });
    });

    it('B75: free rejects pending pulls', async () => {
      const { bev } = await world.accepted({});
      const pull = rejection(bev.read(10));
      bev.free();
      expect(await pull).toMatchObject({ code: 'ERR_BUFFEREVENT_FREED' });
    });
  });
});

describe('readLine', () => {
  inMemory((world) => {
    it('B72: a watcher that takes bytes while a line is waited for does not hide its end', async () => {
      const { bev, peer } = await world.accepted({});
      const line = bev.readLine('lf');
      peer.send('abc');
      await world.until(() => bev.input.length === 3, 'the first bytes');
      const watch = bev.input.watch((buffer) => {
        watch.dispose();
        buffer.drain(5);
      });
      peer.send('de\nfg');
      expect(await line).toBe('');
      expect(bev.input.toString()).toBe('fg');
    });
  });

  onEveryBackend((world) => {
    it('B72: lines of every style come without their ends', async () => {
      const { bev, peer } = await world.accepted({});
      peer.send('crlf\r\nlf\nstrict\nstill\r\nonly lf\r\nany\n\r\n\rnul\0');
      expect(await bev.readLine()).toBe('crlf');
      expect(await bev.readLine('crlf')).toBe('lf');
      expect(await bev.readLine('crlf-strict')).toBe('strict\nstill');
      expect(await bev.readLine('lf')).toBe('only lf\r');
      const any = bev.readLine('any');
      expect(await any).toBe('any');
      const rest = (await bev.readLine('nul')) as string;
      expect(rest.replace(/^[\r\n]+/, '')).toBe('nul');
    });

    it('B72: empty lines count, and the encoding is the one asked for', async () => {
      const { bev, peer } = await world.accepted({});
      peer.send(Buffer.from('\r\né\r\né\r\n', 'utf8'));
      expect(await bev.readLine()).toBe('');
      expect(await bev.readLine('crlf')).toBe('é');
      expect(await bev.readLine('crlf', { encoding: 'latin1' })).toBe('Ã©');
      peer.end();
      expect(await bev.readLine()).toBeNull();
    });

    it('B72: in latin1 every byte is the character of its number', async () => {
      const { bev, peer } = await world.accepted({});
      const bytes = Uint8Array.from({ length: 256 }, (_, index) => index);
      peer.send(Buffer.concat([bytes.subarray(0x80), Buffer.from('\n')]));
      const line = (await bev.readLine('lf', { encoding: 'latin1' })) as string;
      expect(Array.from(line, (character) => character.codePointAt(0))).toEqual([...bytes.subarray(0x80)]);
    });

    it('B72: a last line without its end rejects, and its bytes stay', async () => {
      const { bev, peer } = await world.accepted({});
      peer.send('whole\r\npart');
      peer.end();
      expect(await bev.readLine()).toBe('whole');
      expect(await rejection(bev.readLine())).toMatchObject({ code: 'ERR_BUFFEREVENT_UNEXPECTED_END' });
      expect(text(await bev.read(4))).toBe('part');
      expect(await bev.readLine()).toBeNull();
    });

    it('B72: a line over maxBytes rejects instead of waiting for ever, and the bytes stay', async () => {
      const { bev, peer } = await world.accepted({});
      peer.send('0123456789\r\nabc');
      expect(await bev.readLine('crlf', { maxBytes: 10 })).toBe('0123456789');
      const long = rejection(bev.readLine('crlf', { maxBytes: 10 }));
      peer.send('defghijklmnop');
      expect(await long).toMatchObject({ code: 'ERR_BUFFEREVENT_LINE_LIMIT' });
      expect(text(await bev.read(16))).toBe('abcdefghijklmnop');
    });

    it('B72: a line longer than the high mark is still read', async () => {
      const { bev, peer } = await world.accepted({});
      bev.setWatermarks('read', { high: 16 });
      peer.send(`${'x'.repeat(1000)}\r\nend\r\n`);
      expect((await bev.readLine())?.length).toBe(1000);
      expect(await bev.readLine()).toBe('end');
    });
  });
});

describe('marks and limits of pulls', () => {
  inMemory((world) => {
    it('B70: a pull has its own measure: low marks are for handlers', async () => {
      const { bev, peer } = await world.accepted({});
      bev.setWatermarks('read', { low: 100 });
      peer.send('abc');
      expect(text(await bev.read(2))).toBe('ab');
      expect(text(await bev.read())).toBe('c');
    });

    it('B71: when the read that lifted the mark is aborted, the mark counts again', async () => {
      const { bev, peer } = await world.accepted({});
      bev.setWatermarks('read', { high: 10 });
      const controller = new AbortController();
      const pull = rejection(bev.read(50, { signal: controller.signal }));
      peer.send('x'.repeat(30));
      await world.settle();
      expect(bev.input.length).toBe(30);
      controller.abort();
      await pull;
      bev.enable('read');
      peer.send('y'.repeat(30));
      await world.settle();
      expect(bev.input.length).toBe(30);
      bev.input.drain(25);
      await world.settle();
      expect(bev.input.length).toBe(10);
    });

    for (const style of ['crlf', 'crlf-strict'] as const) {
      it(`B72: a ${style} line as long as the limit may have its end split`, async () => {
        const { bev, peer } = await world.accepted({});
        const line = bev.readLine(style, { maxBytes: 3 });
        for (const piece of ['ab', 'c\r', '\nnext']) {
          peer.send(piece);
          await world.settle();
        }
        expect(await line).toBe('abc');
        expect(text(await bev.read(4))).toBe('next');
      });
    }

    it('B72: a line over the limit is refused although its end is there', async () => {
      const { bev, peer } = await world.accepted({});
      peer.send('abcd\nef');
      await world.settle();
      expect(await rejection(bev.readLine('lf', { maxBytes: 3 }))).toMatchObject({
        code: 'ERR_BUFFEREVENT_LINE_LIMIT',
      });
      expect(text(await bev.read(7))).toBe('abcd\nef');
    });

    it('B61, B73: pulls are served during end(), and told of the end', async () => {
      const { bev, peer } = await world.accepted({});
      const pulls = [bev.read(3), bev.readLine('lf')];
      const late = rejection(bev.read(10));
      const ended = bev.end();
      peer.send('123line\nrest');
      peer.end();
      expect(text((await pulls[0]) as Uint8Array)).toBe('123');
      expect(await pulls[1]).toBe('line');
      expect(await late).toMatchObject({ code: 'ERR_BUFFEREVENT_UNEXPECTED_END' });
      expect(await ended).toEqual({ kind: 'clean' });
    });

    it('B73: a pull made before connecting waits for the connection', async () => {
      const listener = await world.listen({ onConnection: (bev) => void world.keep(bev).write('hi') });
      const bev = world.keep(new SocketBufferevent(world.base));
      const pull = bev.read(2);
      bev.connect(ipOf(listener));
      expect(text(await pull)).toBe('hi');
      const refused = world.keep(new SocketBufferevent(world.base));
      const failed = rejection(refused.read(2));
      refused.connect({ ip: '127.0.0.1', port: 9 });
      expect(await failed).toMatchObject({ code: 'ECONNREFUSED' });
      refused.free();
    });
  });
});

describe('for await', () => {
  onEveryBackend((world) => {
    it('B76: it gives every byte in order and ends with the stream', async () => {
      const size = world.bytes(400 * KiB);
      const { bev, peer } = await world.accepted({});
      peer.send(pattern(size));
      peer.end();
      const chunks: Uint8Array[] = [];
      for await (const chunk of bev) {
        expect(chunk.length).toBeGreaterThan(0);
        chunks.push(chunk);
      }
      expect(same(Buffer.concat(chunks), pattern(size))).toBe(true);
      expect(bev.freed).toBe(false);
    });

    it('B76: leaving the loop closes nothing and loses nothing', async () => {
      const { bev, peer } = await world.accepted({});
      const got: string[] = [];
      peer.send('abc');
      for await (const chunk of bev) {
        got.push(text(chunk) as string);
        if (got.join('').length === 3) break;
      }
      expect(bev.freed).toBe(false);
      peer.send('def');
      while (got.join('').length < 6) got.push(text(await bev.read()) as string);
      expect(got.join('')).toBe('abcdef');
      bev.write('and writing');
      await world.until(() => peer.receivedBytes === 11, 'the answer');
    });

    it('B76: it throws the failure of the connection', async () => {
      const { bev, peer } = await world.accepted({});
      const loop = (async () => {
        for await (const _ of bev);
      })();
      const failed = rejection(loop);
      await turn();
      peer.reset();
      expect(await failed).toMatchObject({ code: 'ECONNRESET' });
    });
  });
});

describe('lines', () => {
  onEveryBackend((world) => {
    it('B77: it gives every line in order, across wake-ups, and is over at the end of the stream', async () => {
      const { bev, peer } = await world.accepted({});
      const sent = Array.from({ length: world.bytes(2000) }, (_, index) => `line ${index} ${'é'.repeat(index % 50)}`);
      peer.send(sent.map((line) => `${line}\r\n`).join(''));
      peer.end();
      const got: string[] = [];
      for await (const line of bev.lines()) got.push(line);
      expect(got).toEqual(sent);
      expect(bev.freed).toBe(false);
    });

    it('B77: leaving the loop loses nothing: the rest is in the input', async () => {
      const { bev, peer } = await world.accepted({});
      peer.send('POST\r\nlength 4\r\n\r\nbodynext\r\n');
      const head: string[] = [];
      for await (const line of bev.lines()) {
        if (line === '') break;
        head.push(line);
      }
      expect(head).toEqual(['POST', 'length 4']);
      expect(text(await bev.read(4))).toBe('body');
      expect(await bev.readLine()).toBe('next');
      bev.write('still open');
      await world.until(() => peer.receivedBytes === 10, 'the answer');
    });

    it('B77: what the body of the loop takes comes between two lines', async () => {
      const { bev, peer } = await world.accepted({});
      peer.send('a 3\nxyzb 2\nuvend\n');
      const got: string[] = [];
      for await (const line of bev.lines('lf')) {
        got.push(line);
        if (line === 'end') break;
        got.push(text(await bev.read(Number(line.slice(2)))) as string);
      }
      expect(got).toEqual(['a 3', 'xyz', 'b 2', 'uv', 'end']);
    });

    it('B75, B77: it throws the failure of the connection, after the lines that came before', async () => {
      const { bev, peer } = await world.accepted({});
      const got: string[] = [];
      const failed = rejection(
        (async () => {
          for await (const line of bev.lines()) got.push(line);
        })(),
      );
      peer.send('one\ntwo\n');
      await world.until(() => got.length === 2, 'two lines');
      peer.reset();
      expect(await failed).toMatchObject({ code: 'ECONNRESET' });
      expect(got).toEqual(['one', 'two']);
    });
  });

  inMemory((world) => {
    it('B72, B77: a last line without its end is thrown as an unexpected end, and its bytes stay', async () => {
      const { bev, peer } = await world.accepted({});
      peer.send('whole\r\npart');
      peer.end();
      const lines = bev.lines();
      expect(await lines.next()).toEqual({ value: 'whole', done: false });
      expect(await rejection(lines.next())).toMatchObject({ code: 'ERR_BUFFEREVENT_UNEXPECTED_END' });
      expect(text(await bev.read(4))).toBe('part');
    });

    for (const [how, before] of [
      ['there is more than one line in the input', 'ok\n'],
      ['it is the first', ''],
    ] as const) {
      it(`B72, B77: a line over the limit is thrown and its bytes stay, when ${how}`, async () => {
        const { bev, peer } = await world.accepted({});
        peer.send(`${before}12345\nabc\n`);
        await world.settle();
        const lines = bev.lines('lf', { maxBytes: 4 });
        if (before !== '') expect(await lines.next()).toEqual({ value: 'ok', done: false });
        expect(await rejection(lines.next())).toMatchObject({ code: 'ERR_BUFFEREVENT_LINE_LIMIT' });
        expect(text(await bev.read(6))).toBe('12345\n');
        expect(await lines.next()).toEqual({ value: 'abc', done: false });
      });
    }

    it('B72, B77: a line as long as the limit is given, however much stands behind it', async () => {
      const { bev, peer } = await world.accepted({});
      peer.send(`1234\r\n5678\r\n${'9'.repeat(4)}\r\n`);
      await world.settle();
      const lines = bev.lines('crlf', { maxBytes: 4 });
      for (const value of ['1234', '5678', '9999']) expect(await lines.next()).toEqual({ value, done: false });
    });

    it('B72, B77: style and encoding are those asked for', async () => {
      const { bev, peer } = await world.accepted({});
      peer.send(Buffer.from('é\0\r\n\0', 'utf8'));
      const lines = bev.lines('nul', { encoding: 'latin1' });
      expect(await lines.next()).toEqual({ value: 'Ã©', done: false });
      expect(await lines.next()).toEqual({ value: '\r\n', done: false });
    });

    it('B74, B77: an aborted signal ends the loop with its reason, with lines there or not, and takes nothing', async () => {
      const { bev, peer } = await world.accepted({});
      const controller = new AbortController();
      const reason = new Error('enough');
      const lines = bev.lines('lf', { signal: controller.signal });
      const waiting = lines.next();
      peer.send('one\ntwo\n');
      expect(await waiting).toEqual({ value: 'one', done: false });
      controller.abort(reason);
      expect(await rejection(lines.next())).toBe(reason);
      expect(await bev.readLine('lf')).toBe('two');
      const other = new AbortController();
      const stuck = rejection(bev.lines('lf', { signal: other.signal }).next());
      other.abort(reason);
      expect(await stuck).toBe(reason);
    });

    it('B73, B77: a step comes after the pulls that were made before it, and before those made after it', async () => {
      const { bev, peer } = await world.accepted({});
      const order: string[] = [];
      const lines = bev.lines('lf');
      const pulls = [
        bev.read(2).then((bytes) => order.push(`2 ${text(bytes)}`)),
        lines.next().then(({ value }) => order.push(`line ${value}`)),
        lines.next().then(({ value }) => order.push(`line ${value}`)),
        bev.read(1).then((bytes) => order.push(`1 ${text(bytes)}`)),
      ];
      peer.send('12one\ntwo\n3');
      await Promise.all(pulls);
      expect(order).toEqual(['2 12', 'line one', 'line two', '1 3']);
    });

    it('B73, B77: a line that is there is left to the pull that waits for more than it', async () => {
      const { bev, peer } = await world.accepted({});
      const long = bev.read(8);
      peer.send('one\n');
      await world.settle();
      const line = bev.lines('lf').next();
      peer.send('two\nend\n');
      expect(text(await long)).toBe('one\ntwo\n');
      expect(await line).toEqual({ value: 'end', done: false });
    });

    it('B77: lines that are there are given although the connection has failed or ended since', async () => {
      const { bev, peer } = await world.accepted({ onEvent() {} }, { enable: ['read', 'write'] });
      peer.send('one\ntwo\n');
      await world.settle();
      peer.reset();
      await world.settle();
      const lines = bev.lines();
      expect(await lines.next()).toEqual({ value: 'one', done: false });
      expect(await lines.next()).toEqual({ value: 'two', done: false });
      expect(await rejection(lines.next())).toMatchObject({ code: 'ECONNRESET' });
    });

    it('B66, B77: after free() a step rejects, and after leaving the loop it is done', async () => {
      const { bev, peer } = await world.accepted({});
      peer.send('one\ntwo\n');
      await world.settle();
      const [freed, left] = [bev.lines(), bev.lines()];
      expect(await left.next()).toEqual({ value: 'one', done: false });
      expect(await left.return?.()).toEqual({ value: undefined, done: true });
      expect(await left.next()).toEqual({ value: undefined, done: true });
      bev.free();
      bev.input.prepend('three\n');
      expect(await rejection(freed.next())).toMatchObject({ code: 'ERR_BUFFEREVENT_FREED' });
    });

    it('B76, B77: it reads only while the loop waits', async () => {
      const { bev, peer } = await world.accepted({});
      const lines = bev.lines('lf');
      const first = lines.next();
      peer.send('one\n');
      expect(await first).toEqual({ value: 'one', done: false });
      peer.send('two\n');
      await world.settle();
      expect(bev.input.length).toBe(0);
      expect(await lines.next()).toEqual({ value: 'two', done: false });
    });

    it('WR-1, B77: the answers that a loop writes to lines that are there leave together', async () => {
      const { bev, peer } = await world.accepted({});
      const answered = (async () => {
        let count = 0;
        for await (const line of bev.lines('lf')) {
          bev.write(`${line}\n`);
          if (++count === 100) return;
        }
      })();
      const before = world.base.stats().port.completions;
      peer.send('0123456789\n'.repeat(100));
      await answered;
      await world.settle();
      expect(peer.receivedBytes).toBe(1100);
      // One receive and one send.
      expect(world.base.stats().port.completions - before).toBe(2);
    });

    it('B10, B77: what a watch of the input throws is thrown into the loop that takes', async () => {
      const { bev, peer } = await world.accepted({});
      peer.send('one\ntwo\n');
      await world.settle();
      const failure = new Error('of the watch');
      bev.enable('read');
      await world.settle();
      const watch = bev.input.watch(() => {
        throw failure;
      });
      expect(await rejection(bev.lines().next())).toBe(failure);
      watch.dispose();
      expect(await bev.readLine()).toBe('two');
    });
  });
});

describe('abort', () => {
  const pulls: Record<string, (bev: Bufferevent, signal: AbortSignal) => Promise<unknown>> = {
    'read()': (bev, signal) => bev.read(undefined, { signal }),
    'read(n)': (bev, signal) => bev.read(100, { signal }),
    'readLine()': (bev, signal) => bev.readLine('lf', { signal }),
    'lines()': (bev, signal) => bev.lines('lf', { signal }).next(),
    'drained()': (bev, signal) => bev.drained({ signal }),
  };

  inMemory((world) => {
    for (const [name, pull] of Object.entries(pulls)) {
      it(`B74: ${name} rejects with the reason of a signal that is aborted before`, async () => {
        const { bev, peer } = await world.accepted({});
        bev.disable('write');
        bev.write('x');
        peer.send('0123\n');
        await world.settle();
        const reason = new Error('before');
        expect(await rejection(pull(bev, AbortSignal.abort(reason)))).toBe(reason);
        expect(text(await bev.read(5))).toBe('0123\n');
      });

      it(`B74: ${name} aborted at any turn takes nothing, and those behind it are served`, async () => {
        for (let after = 0; after < 12; after++) {
          const { bev, peer } = await world.accepted({});
          bev.disable('write');
          bev.write('stuck');
          const controller = new AbortController();
          const reason = new Error('stop');
          const outcome = pull(bev, controller.signal).then(
            (value) => ({ value }),
            (error: unknown) => ({ error }),
          );
          const behind = bev.read(6);
          if (after % 2 === 0) peer.send('ab');
          for (let index = 0; index < after; index++) await turn();
          controller.abort(reason);
          peer.send('cdefghij');
          const result = await outcome;
          const taken = 'value' in result && result.value instanceof Uint8Array ? (text(result.value) as string) : '';
          if (!('value' in result)) expect(result.error).toBe(reason);
          else expect(name).toBe('read()');
          const all = after % 2 === 0 ? 'abcdefghij' : 'cdefghij';
          expect(taken + text(await behind)).toBe(all.slice(0, taken.length + 6));
          bev.free();
        }
      });
    }

    it('B74: an aborted signal that was used by a pull that is done changes nothing', async () => {
      const { bev, peer } = await world.accepted({});
      const controller = new AbortController();
      const pull = bev.read(2, { signal: controller.signal });
      peer.send('ab');
      expect(text(await pull)).toBe('ab');
      controller.abort();
      peer.send('cd');
      expect(text(await bev.read(2))).toBe('cd');
    });
  });
});

describe('bytes that can’t be looked at', () => {
  inMemory((world) => {
    function detachedInput(): { bev: PairBufferevent; detach: () => void } {
      const [bev, peer] = createPair(world.base);
      for (const half of [bev, peer]) world.keep(half);
      const memory = new Uint8Array(5_000);
      peer.output.addReference(memory);
      peer.write('behind');
      bev.enable('read');
      return {
        bev,
        detach: () => void structuredClone(memory.buffer, { transfer: [memory.buffer] }),
      };
    }

    it('B70: reject the read that they are for with the reason, and the next are served', async () => {
      const { bev, detach } = detachedInput();
      await world.settle();
      detach();
      for (const read of [() => bev.read(10), () => bev.read(), () => bev.readLine('lf')]) {
        expect(await rejection(read())).toMatchObject({ code: 'ERR_EVBUFFER_DETACHED' });
      }
      expect(bev.input.length).toBe(5_006);
      bev.input.drain(5_000);
      expect(text(await bev.read(6))).toBe('behind');
    });

    it('B70: reject a read that waited for more, and what is behind it in line is served later', async () => {
      const { bev, detach } = detachedInput();
      await world.settle();
      const first = rejection(bev.read(6_000));
      detach();
      const second = rejection(bev.read(5_007));
      bev.partner?.write(pattern(2_000));
      await world.settle();
      expect(await first).toMatchObject({ code: 'ERR_EVBUFFER_DETACHED' });
      expect(await second).toMatchObject({ code: 'ERR_EVBUFFER_DETACHED' });
      const third = bev.read(8_000);
      expect(await isPending(third)).toBe(true);
      bev.input.drain(5_000);
      bev.partner?.write(pattern(6_000));
      expect((await third)?.length).toBe(8_000);
    });
  });
});
