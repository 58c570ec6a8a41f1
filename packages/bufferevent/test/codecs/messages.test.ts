// Messages over connections: lines, frames behind their length, and codecs of one's own.
import { type Bufferevent, createPair, Evbuffer } from 'bufferevent';
import {
  gzipLayer,
  type LengthPrefixOptions,
  lengthPrefixCodec,
  lineCodec,
  type MessageCodec,
  messages,
  readMessage,
  writeMessage,
} from 'bufferevent/codecs';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { contents, KiB, pattern, same, text } from '../support/bytes.js';
import { failure, isPending, turns } from '../support/wait.js';
import { inMemory, onEveryBackend } from '../support/world.js';

const words: MessageCodec<string> = {
  maxEncodedBytes: 9,
  decode(source) {
    const end = source.indexOf(' ');
    return end < 0 ? null : Buffer.from(source.remove(end + 1)).toString('latin1', 0, end);
  },
  encode(message, target) {
    target.add(`${message} `);
  },
};

function bufferOf(...parts: (string | Uint8Array)[]): Evbuffer {
  const buffer = new Evbuffer();
  for (const part of parts) buffer.add(part);
  return buffer;
}

function encoded<Sent>(codec: MessageCodec<unknown, Sent>, message: Sent): Buffer {
  const buffer = new Evbuffer();
  codec.encode(message, buffer);
  return contents(buffer);
}

async function all<Received>(iterable: AsyncIterable<Received>): Promise<Received[]> {
  const list: Received[] = [];
  for await (const item of iterable) list.push(item);
  return list;
}

describe('messages', () => {
  onEveryBackend((world) => {
    it('arrive whole and in order, however the bytes come, until the end', async () => {
      const { client, server } = await world.pair({}, {});
      const frames = lengthPrefixCodec({ format: 'u16le' });
      const lines = lineCodec({ style: 'lf' });
      const sent = Array.from({ length: 20 }, (_, index) => pattern(index * 13, index));
      for (const frame of sent) writeMessage(client, frames, frame);
      writeMessage(server, lines, 'first');
      writeMessage(server, lines, '');
      writeMessage(server, lines, 'dritte Zeile, größer');
      const ended = [client.end(), server.end()];
      const [got, answers] = await Promise.all([all(messages(server, frames)), all(messages(client, lines))]);
      expect(got.map((frame) => Buffer.from(frame))).toEqual(sent.map((frame) => Buffer.from(frame)));
      expect(answers).toEqual(['first', '', 'dritte Zeile, größer']);
      expect(await Promise.all(ended)).toEqual([{ kind: 'clean' }, { kind: 'clean' }]);
    });

    it('larger than the high mark are read all the same', async () => {
      const { client, server } = await world.pair({}, {});
      server.setWatermarks('read', { high: 100 });
      const codec = lengthPrefixCodec();
      const frame = pattern(world.bytes(300 * KiB));
      writeMessage(client, codec, frame);
      writeMessage(client, codec, 'next');
      expect(same((await readMessage(server, codec)) as Uint8Array, frame)).toBe(true);
      expect(text(await readMessage(server, codec))).toBe('next');
      expect(server.getWatermarks('read').high).toBe(100);
    });

    it('an end inside one rejects and leaves the bytes; an end behind one is null', async () => {
      const { bev, peer } = await world.accepted({});
      peer.send('whole half');
      peer.end();
      expect(await readMessage(bev, words)).toBe('whole');
      expect(await failure(() => readMessage(bev, words))).toMatchObject({ code: 'ERR_BUFFEREVENT_UNEXPECTED_END' });
      expect(text(await bev.read(4))).toBe('half');
      expect(await readMessage(bev, words)).toBeNull();
    });

    it('wait in line with other reads', async () => {
      const { bev, peer } = await world.accepted({});
      const reads = [bev.read(3), readMessage(bev, words), bev.readLine(), readMessage(bev, words)];
      peer.send('abcone line\r\ntwo ');
      expect([text((await reads[0]) as Uint8Array), ...(await Promise.all(reads.slice(1)))]).toEqual([
        'abc',
        'one',
        'line',
        'two',
      ]);
    });
  });

  inMemory((world) => {
    it('a loop that is slow slows the peer down; leaving it closes nothing', async () => {
      const { client, server } = await world.pair({}, {});
      server.setWatermarks('read', { high: 64 });
      for (let index = 0; index < 20_000; index++) writeMessage(client, words, 'word');
      let seen = 0;
      for await (const word of messages(server, words)) {
        expect(word).toBe('word');
        await turns(20);
        expect(server.input.length).toBeLessThanOrEqual(64);
        expect(client.output.length).toBeGreaterThan(0);
        if (++seen === 20) break;
      }
      expect(server.freed).toBe(false);
      expect(await readMessage(server, words)).toBe('word');
    });

    it('a signal gives up waiting and takes nothing', async () => {
      const { bev, peer } = await world.accepted({});
      const controller = new AbortController();
      const waiting = readMessage(bev, words, { signal: controller.signal });
      peer.send('ha');
      await world.settle();
      controller.abort(new Error('enough'));
      expect(await failure(() => waiting)).toMatchObject({ message: 'enough' });
      peer.send('lf ');
      expect(await readMessage(bev, words)).toBe('half');
      const loop = messages(bev, words, { signal: AbortSignal.abort(new Error('before')) });
      expect(await failure(() => loop.next())).toMatchObject({ message: 'before' });
    });

    it('what never becomes one within maxEncodedBytes rejects instead of waiting for ever', async () => {
      const { bev, peer } = await world.accepted({});
      bev.setWatermarks('read', { high: 4 });
      peer.send('no-end-in-sight');
      expect(await failure(() => readMessage(bev, words))).toMatchObject({ code: 'ERR_BUFFEREVENT_READ_LIMIT' });
      expect(text(await bev.read(6))).toBe('no-end');
    });

    it('what a codec throws rejects the read that asked, and the connection goes on', async () => {
      const { bev, peer } = await world.accepted({});
      const picky: MessageCodec<string> = {
        ...words,
        decode(source) {
          if (source.indexOf('bad') === 0) throw new Error('bad word');
          return words.decode(source);
        },
      };
      peer.send('good bad next ');
      expect(await readMessage(bev, picky)).toBe('good');
      expect(await failure(() => readMessage(bev, picky))).toMatchObject({ message: 'bad word' });
      expect(await readMessage(bev, words)).toBe('bad');
      expect(await isPending(readMessage(bev, picky))).toBe(false);
    });

    it('end with the failure of the connection', async () => {
      const { bev, peer } = await world.accepted({});
      const waiting = readMessage(bev, words);
      peer.reset();
      expect(await failure(() => waiting)).toMatchObject({ code: 'ECONNRESET' });
      bev.free();
      expect(await failure(() => readMessage(bev, words))).toMatchObject({ code: 'ERR_BUFFEREVENT_FREED' });
    });

    it('a codec serves handlers, too', async () => {
      const got: string[] = [];
      const { client } = await world.pair(
        {},
        {
          onRead({ input }) {
            for (let word = words.decode(input); word !== null; word = words.decode(input)) got.push(word);
          },
        },
      );
      client.write('one two th');
      await world.settle();
      client.write('ree ');
      await world.until(() => got.length === 3, 'three words');
      expect(got).toEqual(['one', 'two', 'three']);
    });

    it('writeMessage answers as write does, and queues nothing when it throws', async () => {
      const { client } = await world.pair({}, {});
      client.disable('write');
      client.setWatermarks('write', { high: 8 });
      expect(writeMessage(client, words, 'first')).toBe(true);
      expect(writeMessage(client, words, 'second')).toBe(false);
      const { length } = client.output;
      expect(() => writeMessage(client, lineCodec(), 'two\nlines')).toThrow(TypeError);
      expect(() => writeMessage(client, lengthPrefixCodec({ format: 'u8' }), new Uint8Array(256))).toThrow(RangeError);
      const frozen = bufferOf('frozen');
      frozen.freeze('front');
      expect(() => writeMessage(client, lengthPrefixCodec(), frozen)).toThrow('frozen');
      expect(client.output.length).toBe(length);
      client.halfClose();
      expect(() => writeMessage(client, words, 'late')).toThrow('end of the output');
      client.free();
      expect(() => writeMessage(client, words, 'later')).toThrow('freed');
    });

    it('B149: a message that an ended or freed connection refuses stays as it was', async () => {
      const { client } = await world.pair({}, {});
      const message = bufferOf('payload');
      client.halfClose();
      const codes = ['ERR_BUFFEREVENT_WRITE_AFTER_END', 'ERR_BUFFEREVENT_FREED'];
      for (const code of codes) {
        expect(() => writeMessage(client, lengthPrefixCodec(), message)).toThrow(expect.objectContaining({ code }));
        expect(message.toString()).toBe('payload');
        client.free();
      }
    });

    it('memory of a message that is refused after encoding goes back to its owner', async () => {
      const base = world.newBase({ limits: { outputMaxBytes: 1000 } });
      const [client] = createPair(base);
      const released: string[] = [];
      const referring = (name: string): Evbuffer => {
        const message = new Evbuffer();
        message.addReference(new Uint8Array(2000), () => released.push(name));
        return message;
      };
      const refusing: MessageCodec<string, Evbuffer> = {
        ...words,
        encode(message, target) {
          target.addBuffer(message);
          throw new Error('refused');
        },
      };
      expect(() => writeMessage(client, refusing, referring('by the codec'))).toThrow('refused');
      expect(() => writeMessage(client, lengthPrefixCodec(), referring('by the limit'))).toThrow(
        expect.objectContaining({ code: 'ERR_BUFFEREVENT_OUTPUT_LIMIT' }),
      );
      expect(client.output.length).toBe(0);
      expect(released).toEqual(['by the codec', 'by the limit']);
      client.free();
    });

    it('what is no codec is refused', async () => {
      const { client } = await world.pair({}, {});
      for (const wrong of [null, undefined, {}, { decode() {}, encode() {} }]) {
        expect(() => readMessage(client, wrong as never)).toThrow(TypeError);
        expect(() => writeMessage(client, wrong as never, 'x')).toThrow(TypeError);
      }
      expect(() => readMessage(client, words, null as never)).toThrow(TypeError);
      expect(() => readMessage(client, words, { signal: 5 as never })).toThrow(TypeError);
    });

    it('lines under gzip under a length', async () => {
      const [client, server] = createPair(world.base);
      for (const bev of [client, server]) void bev.insertLayer(gzipLayer({ autoFlush: true }));
      const codec = lineCodec();
      const asked: string[] = [];
      const serving = (async () => {
        for await (const line of messages(server, codec)) {
          asked.push(line);
          writeMessage(server, codec, line.toUpperCase());
        }
        await server.end();
      })();
      for (const line of ['hello', 'world', '']) {
        writeMessage(client, codec, line);
        expect(await readMessage(client, codec)).toBe(line.toUpperCase());
      }
      await Promise.all([client.end(), serving]);
      expect(asked).toEqual(['hello', 'world', '']);
    });
  });
});

describe('lineCodec', () => {
  it('takes lines of its style only, and null leaves what is there', () => {
    const cases = [
      [undefined, 'a\r\nb\nc', ['a', 'b']],
      ['crlf-strict', 'a\nb\r\nc\n', ['a\nb']],
      ['lf', 'a\r\nb\n', ['a\r', 'b']],
      ['nul', 'a\nb\0c', ['a\nb']],
    ] as const;
    for (const [style, bytes, lines] of cases) {
      const source = bufferOf(bytes);
      const codec = lineCodec(style === undefined ? {} : { style });
      const got: string[] = [];
      for (let line = codec.decode(source); line !== null; line = codec.decode(source)) got.push(line);
      expect(got, String(style)).toEqual(lines);
    }
  });

  it('maxBytes is the longest line, to the byte; a longer one throws before its end has come, and stays', () => {
    const codec = lineCodec({ maxBytes: 5 });
    expect(codec.decode(bufferOf('12345\r\n'))).toBe('12345');
    expect(codec.decode(bufferOf('12345', '\r'))).toBeNull();
    expect(codec.decode(bufferOf('1\n2345678\n'))).toBe('1');
    for (const bytes of ['123456\n', '1234567', '123456\r\n']) {
      const source = bufferOf(bytes);
      expect(() => codec.decode(source)).toThrow(expect.objectContaining({ code: 'ERR_BUFFEREVENT_LINE_LIMIT' }));
      expect(source.length).toBe(bytes.length);
    }
    expect(() => encoded(codec, '123456')).toThrow(RangeError);
    expect(() => encoded(codec, 'ääö')).toThrow(RangeError);
    expect(encoded(codec, 'ää').length).toBe(6);
  });

  it('sends nothing that would arrive as something else', () => {
    for (const style of ['crlf', 'crlf-strict'] as const) {
      const codec = lineCodec({ style });
      expect(encoded(codec, 'GET /').toString()).toBe('GET /\r\n');
      for (const smuggled of ['a\nb', 'a\rb', 'a\r\n', '\n']) expect(() => encoded(codec, smuggled)).toThrow(TypeError);
    }
    expect(encoded(lineCodec({ style: 'lf' }), 'a\rb').toString()).toBe('a\rb\n');
    expect(() => encoded(lineCodec({ style: 'lf' }), 'a\nb')).toThrow(TypeError);
    expect(encoded(lineCodec({ style: 'nul' }), 'a\nb').toString()).toBe('a\nb\0');
    expect(() => encoded(lineCodec({ style: 'nul' }), 'a\0b')).toThrow(TypeError);
    const latin1 = lineCodec({ encoding: 'latin1' });
    expect(encoded(latin1, 'ä').toString('latin1')).toBe('ä\r\n');
    // Cut to a byte, it would be a line feed.
    expect(() => encoded(latin1, 'a\u010ab')).toThrow(TypeError);
    expect(() => encoded(latin1, '\u{1f600}')).toThrow(TypeError);
    expect(() => encoded(latin1, 5 as never)).toThrow(TypeError);
    // They would arrive as U+FFFD.
    for (const lone of ['\ud83d', 'a\ude00b', '\ude00\ud83d']) {
      expect(() => encoded(lineCodec(), lone)).toThrow(TypeError);
    }
    expect(encoded(lineCodec(), '\u{1f600}\ufffd').toString()).toBe('\u{1f600}\ufffd\r\n');
  });

  it('checks its options', () => {
    expect(() => lineCodec(null as never)).toThrow(TypeError);
    expect(() => lineCodec({ style: 'cr' as never })).toThrow(TypeError);
    // Its lines depend on how the bytes arrive.
    expect(() => lineCodec({ style: 'any' as never })).toThrow(TypeError);
    expect(() => lineCodec({ encoding: 'utf16' as never })).toThrow(TypeError);
    expect(() => lineCodec({ maxBytes: 0 })).toThrow(RangeError);
  });

  it('any lines come back out, at any size of pieces', () => {
    const line = fc.string({ unit: 'grapheme', maxLength: 60 }).filter((value) => !/[\r\n\0]/.test(value));
    const style = fc.constantFrom('crlf' as const, 'crlf-strict' as const, 'lf' as const, 'nul' as const);
    fc.assert(
      fc.property(style, fc.array(line), fc.integer({ min: 1, max: 50 }), (eol, lines, pieceBytes) => {
        const codec = lineCodec({ style: eol, maxBytes: 1000 });
        const bytes = Buffer.concat(lines.map((value) => encoded(codec, value)));
        const source = new Evbuffer();
        const got: string[] = [];
        for (let at = 0; at < bytes.length; at += pieceBytes) {
          source.add(bytes.subarray(at, at + pieceBytes));
          for (let next = codec.decode(source); next !== null; next = codec.decode(source)) got.push(next);
        }
        expect(got).toEqual(lines);
        expect(source.length).toBe(0);
      }),
    );
  });
});

describe('lengthPrefixCodec', () => {
  const formats = ['u8', 'u16be', 'u16le', 'u24be', 'u32be', 'u32le', 'u64be', 'u64le', 'varint', 'varint64'] as const;

  it('any payloads come back out, in every format, at any size of pieces, as bytes and as buffers', () => {
    const payloads = fc.array(fc.uint8Array({ maxLength: 200 }));
    fc.assert(
      fc.property(
        fc.constantFrom(...formats),
        fc.constantFrom(0, -2),
        payloads,
        fc.integer({ min: 1, max: 300 }),
        (format, adjust, frames, pieceBytes) => {
          const options: LengthPrefixOptions = { format, adjust, maxBytes: 200 };
          const asBytes = lengthPrefixCodec({ ...options, payload: 'bytes' });
          const asBuffers = lengthPrefixCodec({ ...options, payload: 'evbuffer' });
          const bytes = Buffer.concat(frames.map((frame) => encoded(asBytes, frame)));
          const [left, right] = [new Evbuffer(), new Evbuffer()];
          const got: Buffer[] = [];
          for (let at = 0; at < bytes.length; at += pieceBytes) {
            for (const source of [left, right]) source.add(bytes.subarray(at, at + pieceBytes));
            for (let next = asBytes.decode(left); next !== null; next = asBytes.decode(left)) {
              const buffer = asBuffers.decode(right) as Evbuffer;
              expect(same(contents(buffer), next)).toBe(true);
              got.push(Buffer.from(next));
            }
          }
          expect(got).toEqual(frames.map((frame) => Buffer.from(frame)));
          expect(left.length + right.length).toBe(0);
        },
      ),
    );
  });

  it('stands on the wire as documented', () => {
    const wire = (options: LengthPrefixOptions): string =>
      encoded(lengthPrefixCodec(options as LengthPrefixOptions & { payload?: 'bytes' }), 'äb').toString('hex');
    expect(wire({})).toBe('00000003c3a462');
    expect(wire({ format: 'u16le' })).toBe('0300c3a462');
    expect(wire({ format: 'u8', adjust: -1 })).toBe('04c3a462');
    expect(wire({ format: 'varint' })).toBe('03c3a462');
  });

  it('refuses too long a frame from its prefix, and malformed ones', () => {
    const refusal = (options: LengthPrefixOptions, hex: string): unknown => {
      const source = bufferOf(Buffer.from(hex, 'hex'));
      try {
        return lengthPrefixCodec({ ...options, payload: 'bytes' }).decode(source);
      } catch (error) {
        expect(source.length).toBe(hex.length / 2);
        return (error as { code?: string }).code;
      }
    };
    expect(refusal({ maxBytes: 5 }, '00000006')).toBe('ERR_EVBUFFER_FRAME_TOO_LARGE');
    expect(refusal({}, '01000001')).toBe('ERR_EVBUFFER_FRAME_TOO_LARGE');
    expect(refusal({}, '01000000')).toBeNull();
    expect(refusal({ adjust: -4 }, '00000003')).toBe('ERR_EVBUFFER_MALFORMED_FRAME');
    expect(refusal({ format: 'varint' }, 'ffffffffffffffffffffff')).toBe('ERR_EVBUFFER_MALFORMED_VARINT');
  });

  it('sends nothing that the other side would refuse', () => {
    const codec = lengthPrefixCodec({ maxBytes: 4 });
    for (const message of ['12345', new Uint8Array(5), bufferOf('12345')]) {
      const target = new Evbuffer();
      expect(() => codec.encode(message, target)).toThrow(RangeError);
      expect(target.length).toBe(0);
    }
    expect(() => codec.encode(5 as never, new Evbuffer())).toThrow(TypeError);
  });

  it('moves a buffer into the stream and out of it without copying', () => {
    const memory = pattern(100 * KiB);
    const message = new Evbuffer();
    message.addReference(memory);
    const stream = new Evbuffer();
    const codec = lengthPrefixCodec({ payload: 'evbuffer' });
    codec.encode(message, stream);
    expect(message.length).toBe(0);
    codec.encode('behind', stream);
    const [piece] = (codec.decode(stream) as Evbuffer).peek();
    expect(piece?.buffer).toBe(memory.buffer);
    expect(piece?.length).toBe(100 * KiB);
    expect(codec.decode(stream)?.toString()).toBe('behind');
  });

  it('checks its options at once', () => {
    const open = (options: unknown) => () => lengthPrefixCodec(options as { payload: 'bytes' });
    expect(open(null)).toThrow(TypeError);
    expect(open({ format: 'u7' })).toThrow(TypeError);
    expect(open({ adjust: 0.5 })).toThrow(RangeError);
    expect(open({ maxBytes: -1 })).toThrow(RangeError);
    expect(open({ payload: 'string' })).toThrow(TypeError);
  });

  inMemory((world) => {
    it('frames as buffers give the memory of the backend back when they are drained', async () => {
      const { client, server } = await world.pair({}, {});
      const codec = lengthPrefixCodec({ payload: 'evbuffer' });
      for (let index = 0; index < 5; index++) writeMessage(client, codec, pattern(10 * KiB, index));
      const kept: Evbuffer[] = [];
      const take = async (bev: Bufferevent): Promise<void> => {
        for (let index = 0; index < 5; index++) kept.push((await readMessage(bev, codec)) as Evbuffer);
      };
      await take(server);
      for (const [index, frame] of kept.entries()) {
        expect(same(contents(frame), pattern(10 * KiB, index))).toBe(true);
        frame.drain();
      }
      expect(world.base.stats().port.leases).toBe(0);
    });
  });
});
