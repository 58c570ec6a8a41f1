import assert from 'node:assert/strict';
import { ascii, pattern } from '../bytes.js';
import { type ComplianceCase, casesOf } from '../case.js';
import { expectBytes } from '../expect.js';
import type { Probe } from '../probe.js';
import { ToyLayer, type ToyLayerOptions } from '../toy-layer.js';

const defineCase = casesOf('layers');

/** Layers that are put under a connection: a toy that shakes hands, frames, and marks its end, as TLS does. */
export const layerCases: readonly ComplianceCase[] = [
  defineCase(
    'B90, B92, EV-5: layers inserted at once shake hands, tell it once, and carry bytes both ways',
    async (context) => {
      const pair = await context.open();
      const { a, b } = pair;
      a.collect();
      b.collect();
      const there = pattern(8333);
      const back = pattern(5000, 2);
      const { nearLayer } = insertBoth(pair);
      a.bev.write(there);
      a.bev.write(back);
      await context.until(() => b.takenBytes >= there.length + back.length, 'the bytes of a');
      expectBytes(b.taken, Buffer.concat([there, back]));
      b.bev.write(back);
      await context.until(() => a.takenBytes >= back.length, 'the bytes of b');
      expectBytes(a.taken, back);
      await pair.settle();
      assert.deepEqual([a.events, b.events], [['connected'], ['connected']]);
      assert.ok(nearLayer.calls.encode > 0 && nearLayer.calls.decode > 0, 'B90: the layer was passed by');
      assert.deepEqual(a.bev.layers.at(-1), nearLayer);
    },
    ['halfClose'],
  ),

  defineCase(
    'B90: what was written before a layer leaves first and unchanged, what is written after it through it',
    async (context) => {
      const pair = await context.open();
      const { a, b } = pair;
      const plain = pattern(Math.min(context.bulkBytes, 30_000));
      const secret = pattern(Math.min(context.bulkBytes, 30_000), 2);
      a.bev.write(plain);
      await pair.settle();
      void a.bev.insertLayer(new ToyLayer());
      a.bev.write(secret);
      b.record();
      b.bev.enable('read');
      await context.until(() => b.bev.input.length >= plain.length, 'the bytes of before');
      b.take(plain.length);
      void b.bev.insertLayer(new ToyLayer(), { surplus: 'decode' });
      await context.until(() => b.bev.input.length >= secret.length, 'the bytes of after');
      b.take();
      expectBytes(b.taken, Buffer.concat([plain, secret]));
    },
  ),

  defineCase('B90: the object keeps handlers, marks, context and what is enabled', async (context) => {
    const pair = await context.open();
    const { a, b } = pair;
    const handlers = a.handlers();
    a.bev.setHandlers(handlers);
    a.bev.setWatermarks('read', { low: 3, high: 5000 });
    a.bev.setWatermarks('write', { low: 5, high: 50 });
    a.bev.enable('read');
    a.bev.context = 'mine';
    insertBoth(pair);
    await context.until(() => a.count('connected') === 1, 'the handshake');
    assert.equal(a.bev.handlers, handlers);
    assert.equal(a.bev.context, 'mine');
    assert.deepEqual(a.bev.getWatermarks('read'), { low: 3, high: 5000 });
    assert.deepEqual(a.bev.getWatermarks('write'), { low: 5, high: 50 });
    assert.deepEqual([...a.bev.enabled].sort(), ['read', 'write']);
    b.bev.write('12');
    await pair.settle();
    assert.deepEqual(a.lengths('read'), [], 'B90: the low mark is forgotten');
    b.bev.write('3');
    await context.until(() => a.count('read') > 0, 'three bytes');
  }),

  defineCase('B91: bytes that came before the layer refuse it, or are decoded, as the caller says', async (context) => {
    const pair = await context.open();
    const { a, b } = pair;
    b.bev.write('early');
    a.bev.enable('read');
    await context.until(() => a.bev.input.length === 5, 'the early bytes');
    const layer = new ToyLayer();
    assert.throws(() => a.bev.insertLayer(layer), { code: 'ERR_BUFFEREVENT_SURPLUS_INPUT' });
    assert.equal(layer.calls.attach, 0, 'B91: a refused layer was attached');
    a.take();
    void b.bev.insertLayer(new ToyLayer());
    await context.until(() => a.bev.input.length === ToyLayer.greeting.length, 'the greeting');
    a.record();
    void a.bev.insertLayer(layer, { surplus: 'decode' });
    await context.until(() => a.count('connected') === 1, 'the handshake');
  }),

  defineCase(
    'B92: a handshake that is not answered is one time-out of that name',
    async (context) => {
      const pair = await context.open();
      const { a } = pair;
      a.record();
      const opened = a.bev.insertLayer(new ToyLayer({ handshakeMs: 500 }));
      a.bev.write('waits');
      await pair.advance(499);
      assert.deepEqual(a.log, []);
      await pair.advance(1);
      await pair.settle();
      assert.deepEqual(a.events, ['timeout handshake']);
      await assert.rejects(opened, { code: 'ERR_BUFFEREVENT_TIMEOUT' });
    },
    ['clock'],
  ),

  defineCase(
    'B95, FI-2: what a layer throws is the error of its direction, after the bytes before it',
    async (context) => {
      const pair = await context.open();
      const { a, b } = pair;
      const broken = new Error('the layer breaks');
      let decoded = 0;
      insertBoth(pair, {
        onCall: (call) => {
          if (call === 'decode' && ++decoded > 2) throw broken;
        },
      });
      a.collect();
      b.bev.write('before');
      await context.until(() => ascii(a.taken) === 'before', 'the bytes before');
      b.bev.write('after');
      await context.until(() => a.events.length > 1, 'the error');
      assert.deepEqual(a.events, ['connected', `error read ${broken.message}`]);
    },
  ),

  defineCase(
    'B96, RD-8: the end of the transport without the marker of the layer is an error after the data',
    async (context) => {
      const pair = await context.open();
      const { a, b } = pair;
      insertBoth(pair);
      a.collect();
      b.bev.write('cut');
      await b.bev.drained();
      await context.until(() => ascii(a.taken) === 'cut', 'the bytes');
      b.bev.free();
      await context.until(() => a.events.length > 1, 'the error');
      assert.match(a.events.at(-1) ?? '', /^error read (?:ERR_[A-Z]+_TRUNCATED|ECONNRESET)$/);
    },
    ['abruptClose'],
  ),

  defineCase(
    'B97, FI-10, B61: end takes the layers to their ends on both sides, and is clean',
    async (context) => {
      const pair = await context.open();
      const { a, b } = pair;
      const { nearLayer, farLayer } = insertBoth(pair);
      const bytes = pattern(8333);
      const ends: Promise<unknown>[] = [];
      a.record();
      b.collect({
        onEvent: (bev, event) => {
          if (event.kind === 'eof') ends.push(bev.end());
        },
      });
      a.bev.write(bytes);
      ends.push(a.bev.end());
      await context.until(() => ends.length === 2, 'the end of a');
      assert.deepEqual(await Promise.all(ends), [{ kind: 'clean' }, { kind: 'clean' }]);
      expectBytes(b.taken, bytes);
      await context.until(() => nearLayer.calls.free + farLayer.calls.free === 2, 'both layers to be freed');
      assert.deepEqual([nearLayer.calls.end, farLayer.calls.end], [1, 1]);
    },
    ['halfClose'],
  ),

  defineCase(
    'B90, B92: a layer inserted before connecting is open before connected is told',
    async (context) => {
      const dialling = await context.dial('accepted');
      const { a } = dialling;
      a.collect();
      void a.bev.insertLayer(new ToyLayer({ waits: true }));
      dialling.connect();
      const b = await dialling.accepted();
      await dialling.settle();
      assert.deepEqual(a.events, [], 'B92: told before the handshake');
      void b.bev.insertLayer(new ToyLayer());
      b.bev.write('hello');
      await context.until(() => ascii(a.taken) === 'hello', 'the bytes');
      assert.deepEqual(a.events, ['connected']);
    },
    ['dial'],
  ),
];

interface BothLayers {
  readonly nearLayer: ToyLayer;
  readonly farLayer: ToyLayer;
}

/** A toy layer under each end; `near` are options of that of `a`. */
function insertBoth({ a, b }: { readonly a: Probe; readonly b: Probe }, near: ToyLayerOptions = {}): BothLayers {
  const nearLayer = new ToyLayer(near);
  const farLayer = new ToyLayer();
  void b.bev.insertLayer(farLayer);
  void a.bev.insertLayer(nearLayer);
  return { nearLayer, farLayer };
}
