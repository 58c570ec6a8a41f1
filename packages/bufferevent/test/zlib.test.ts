// A layer whose work is done elsewhere, in the threads of node:zlib: it answers `pending` and wakes the connection.

import { createDeflate, createInflate, type Deflate, deflateSync, type Inflate } from 'node:zlib';
import type { Bufferevent, FlushMode, Layer, LayerHost, LayerResult } from 'bufferevent';
import { Evbuffer } from 'evbuffer';
import { expect, it } from 'vitest';
import { KiB, pattern, same } from './support/bytes.js';
import { type FlavourOptions, inEveryFlavour } from './support/flavours.js';
import { rejection } from './support/wait.js';

/** One direction: bytes go into a stream of zlib, and what comes out waits to be taken. */
class ZlibStream {
  readonly #stream: Deflate | Inflate;
  readonly #out: Evbuffer = new Evbuffer();
  #busy = false;
  /** Nothing more comes; told while the stream was busy, perhaps. */
  #finished = false;
  #finishing = false;
  #error: Error | null = null;
  /** All of the stream has come out. */
  ended = false;
  wake: () => void = () => {};

  constructor(stream: Deflate | Inflate) {
    this.#stream = stream;
    stream.on('data', (chunk: Uint8Array) => {
      this.#out.add(chunk);
      this.wake();
    });
    stream.on('end', () => {
      this.ended = true;
      this.wake();
    });
    stream.on('error', (error) => {
      this.#error = error;
      this.wake();
    });
  }

  step(source: Evbuffer, target: Evbuffer, limit: number, mode: FlushMode): LayerResult {
    if (this.#error !== null) throw this.#error;
    this.#finished ||= mode === 'finished';
    if (this.#out.moveTo(target, limit) > 0) return 'ok';
    if (this.#busy) return 'pending';
    if (source.length > 0) {
      this.#busy = true;
      this.#stream.write(source.remove(Math.min(source.length, 16 * KiB)), () => {
        this.#busy = false;
        this.wake();
      });
      return 'pending';
    }
    if (this.#finished && !this.#finishing) {
      this.#finishing = true;
      this.#stream.end();
    }
    return this.#finishing && !this.ended ? 'pending' : 'need-more';
  }

  free(): void {
    this.#stream.destroy();
  }
}

class ZlibLayer implements Layer {
  readonly name = 'zlib';
  readonly #deflate = new ZlibStream(createDeflate());
  readonly #inflate = new ZlibStream(createInflate());

  attach(host: LayerHost): void {
    this.#deflate.wake = () => host.wake();
    this.#inflate.wake = () => host.wake();
  }

  decode(source: Evbuffer, target: Evbuffer, limit: number, mode: FlushMode): LayerResult | 'end' {
    const result = this.#inflate.step(source, target, limit, mode);
    return result === 'need-more' && this.#inflate.ended ? 'end' : result;
  }

  encode(source: Evbuffer, target: Evbuffer, limit: number, mode: FlushMode): LayerResult {
    return this.#deflate.step(source, target, limit, mode);
  }

  free(): void {
    this.#deflate.free();
    this.#inflate.free();
  }
}

async function everything(bev: Bufferevent): Promise<Buffer> {
  const chunks: Uint8Array[] = [];
  for await (const chunk of bev) chunks.push(chunk);
  return Buffer.concat(chunks);
}

/** A pair below filters tells the end of what it has at once, and does not wait for work that goes on above. */
const flushable: FlavourOptions = { only: ({ name }) => name !== 'filters over filters over pairs' };

inEveryFlavour(({ world, connect }) => {
  it('8,333 bytes in two writes are deflated, flushed, inflated and arrive whole, without any event of the writer (regress G1)', async () => {
    const { near, far } = await connect();
    const bytes = pattern(world.bytes(8_333));
    near.setHandlers(world.record('near'));
    void near.insertLayer(new ZlibLayer());
    void far.insertLayer(new ZlibLayer());
    const received = far.read(bytes.length);
    near.write(bytes.subarray(0, bytes.length >> 2));
    near.write(bytes.subarray(bytes.length >> 2));
    const drained = near.drained();
    near.flush('write', 'finished');
    expect(same((await received) as Uint8Array, bytes)).toBe(true);
    await drained;
    expect(near.output.length).toBe(0);
    expect(near.stats().bytesSent).not.toBe(near.stats().payloadSent);
    expect(world.log.filter((line) => line !== 'near write')).toEqual([]);
  });
}, flushable);

inEveryFlavour(({ world, connect }) => {
  it('a stream that is cut off is an error of zlib, after the bytes before it', async () => {
    const { near, far } = await connect();
    far.setHandlers({ onEvent: world.record('far').onEvent });
    void far.insertLayer(new ZlibLayer());
    near.write(deflateSync(pattern(200)).subarray(0, 150));
    near.halfClose();
    expect(await rejection(everything(far))).toMatchObject({ code: 'Z_BUF_ERROR' });
    await world.until(() => world.log.length > 0, 'the event');
    expect(world.log).toEqual(['far error Z_BUF_ERROR read']);
  });

  it('end() finishes the stream, and both sides come to a clean end', async () => {
    const { near, far } = await connect();
    const size = world.bytes(100 * KiB);
    void near.insertLayer(new ZlibLayer());
    void far.insertLayer(new ZlibLayer());
    near.write(pattern(size));
    const ended = near.end();
    expect(same(await everything(far), pattern(size))).toBe(true);
    expect(await far.end()).toEqual({ kind: 'clean' });
    expect(await ended).toEqual({ kind: 'clean' });
  });
});
