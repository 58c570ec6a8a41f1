// Mistakes of the caller: TypeError or RangeError with a code, and nothing changed.
import { PassThrough } from 'node:stream';
import {
  type Address,
  BuffereventError,
  BuffereventTimeoutError,
  connect,
  createPair,
  type Direction,
  EventBase,
  FilterBufferevent,
  type Layer,
  listen,
  RateLimitGroup,
  SocketBufferevent,
  TokenBucketConfig,
} from 'bufferevent';
import { gzipLayer, lengthPrefixCodec, lineCodec } from 'bufferevent/codecs';
import { fromDuplex, toDuplex } from 'bufferevent/duplex';
import { describe, expect, it } from 'vitest';
import { failure } from './support/wait.js';
import { inMemory, ipOf } from './support/world.js';

const wrongType = { name: 'TypeError', code: 'ERR_INVALID_ARG_TYPE' };
const outOfRange = { name: 'RangeError', code: 'ERR_OUT_OF_RANGE' };

const here = { ip: '127.0.0.1', port: 80 };
const severalKinds = (names: string) => ({ ...wrongType, message: expect.stringContaining(`not ${names} at once`) });

/** A value of a type that the signature does not allow. */
const wrong = <Type>(value: unknown): Type => value as Type;

const passing: Layer = { name: 'passing', decode: () => 'need-more', encode: () => 'need-more' };

describe('mistakes', () => {
  inMemory((world) => {
    const calls: Array<[string, object, (bev: SocketBufferevent) => unknown]> = [
      ['write of a number', wrongType, (bev) => bev.write(wrong(5))],
      ['write of null', wrongType, (bev) => bev.write(wrong(null))],
      ['write of a plain array', wrongType, (bev) => bev.write(wrong([1, 2]))],
      ['enable of an unknown direction', wrongType, (bev) => bev.enable(wrong<Direction>('both'))],
      ['disable of an unknown direction', wrongType, (bev) => bev.disable(wrong<Direction>(1))],
      ['one good and one unknown direction', wrongType, (bev) => bev.enable('read', wrong<Direction>('up'))],
      ['marks for an unknown direction', wrongType, (bev) => bev.setWatermarks(wrong<Direction>('x'), { low: 1 })],
      ['getting marks of an unknown direction', wrongType, (bev) => bev.getWatermarks(wrong<Direction>('x'))],
      ['a mark that is no number', wrongType, (bev) => bev.setWatermarks('read', { low: wrong('1') })],
      ['a negative mark', outOfRange, (bev) => bev.setWatermarks('read', { low: -1 })],
      ['a fraction as mark', outOfRange, (bev) => bev.setWatermarks('read', { high: 1.5 })],
      ['NaN as mark', outOfRange, (bev) => bev.setWatermarks('write', { high: Number.NaN })],
      ['low above high', outOfRange, (bev) => bev.setWatermarks('read', { low: 9, high: 8 })],
      ['a mark of another name', outOfRange, (bev) => bev.setWatermarks('read', wrong({ hihg: 9 }))],
      ['a time-out of another name', outOfRange, (bev) => bev.setTimeouts(wrong({ readMS: 9 }))],
      [
        'an unknown option of insertLayer',
        outOfRange,
        (bev) => bev.insertLayer(passing, wrong({ surplusses: 'keep' })),
      ],
      ['marks that are no object', wrongType, (bev) => bev.setWatermarks('read', wrong(null))],
      ['a time-out that is no number', wrongType, (bev) => bev.setTimeouts({ readMs: wrong('50') })],
      ['a negative time-out', outOfRange, (bev) => bev.setTimeouts({ writeMs: -1 })],
      ['NaN as time-out', outOfRange, (bev) => bev.setTimeouts({ idleMs: Number.NaN })],
      ['a good and a bad time-out', outOfRange, (bev) => bev.setTimeouts({ readMs: 50, closeMs: -1 })],
      ['time-outs that are no object', wrongType, (bev) => bev.setTimeouts(wrong(5))],
      ['handlers that are no object', wrongType, (bev) => bev.setHandlers(wrong('onRead'))],
      ['a handler that is no function', wrongType, (bev) => bev.setHandlers({ onRead: wrong(1) })],
      ['trigger of an unknown direction', wrongType, (bev) => bev.trigger(wrong<Direction>('x'))],
      ['an event that is no object', wrongType, (bev) => bev.triggerEvent(wrong(1))],
      // No bytes would look like the end (regress I: read(0)).
      ['read of no bytes', outOfRange, (bev) => bev.read(0)],
      ['read of a negative count', outOfRange, (bev) => bev.read(-1)],
      ['read of a fraction', outOfRange, (bev) => bev.read(1.5)],
      ['read of a string', wrongType, (bev) => bev.read(wrong('5'))],
      ['read with a bad maxBytes', outOfRange, (bev) => bev.read(5, { maxBytes: -1 })],
      ['read with a bad signal', wrongType, (bev) => bev.read(5, { signal: wrong({}) })],
      [
        'read with a signal that nobody can listen to',
        wrongType,
        (bev) => bev.read(5, { signal: wrong({ aborted: false }) }),
      ],
      [
        'read without a count and such a signal',
        wrongType,
        (bev) => bev.read(undefined, { signal: wrong({ aborted: false }) }),
      ],
      ['read with null as options', wrongType, (bev) => bev.read(1, wrong(null))],
      ['readLine with null as options', wrongType, (bev) => bev.readLine('lf', wrong(null))],
      ['readLine with such a signal', wrongType, (bev) => bev.readLine('lf', { signal: wrong({ aborted: false }) })],
      ['drained with null as options', wrongType, (bev) => bev.drained(wrong(null))],
      ['drained with such a signal', wrongType, (bev) => bev.drained({ signal: wrong({ aborted: false }) })],
      ['trigger with null as options', wrongType, (bev) => bev.trigger('read', wrong(null))],
      ['readLine of an unknown style', wrongType, (bev) => bev.readLine(wrong('cr'))],
      ['readLine with a bad maxBytes', outOfRange, (bev) => bev.readLine('lf', { maxBytes: -1 })],
      ['readLine with an unknown encoding', wrongType, (bev) => bev.readLine('lf', { encoding: wrong('utf9') })],
      ['drained with a bad signal', wrongType, (bev) => bev.drained({ signal: wrong(1) })],
    ];

    for (const [name, expected, call] of calls) {
      it(`B13: ${name} is a mistake and changes nothing`, async () => {
        const { bev, peer } = await world.accepted(world.record('server'));
        bev.setTimeouts({ readMs: 1000, writeMs: 1000 });
        const state = () => ({
          enabled: bev.enabled,
          marks: [bev.getWatermarks('read'), bev.getWatermarks('write')],
          handlers: bev.handlers,
          output: bev.output.length,
          ended: bev.writeEnded,
        });
        const before = state();
        const error = await failure(() => call(bev));
        expect(error).toMatchObject(expected);
        expect(error).toBeInstanceOf(Error);
        expect(state()).toEqual(before);
        peer.send('unharmed');
        await world.settle();
        expect(world.log).toEqual(['server read 8']);
        await world.advance(999);
        expect(world.log).toHaveLength(1);
        await world.advance(1);
        expect(world.log).toEqual(['server read 8', 'server timeout read']);
      });
    }

    const targets: Array<[string, object, unknown]> = [
      ['no target', wrongType, undefined],
      ['a string', wrongType, '127.0.0.1:80'],
      ['an empty object', wrongType, {}],
      ['a host that is no string', wrongType, { host: 5, port: 80 }],
      ['a port that is no number', wrongType, { ip: '127.0.0.1', port: '80' }],
      ['a port above 65535', outOfRange, { ip: '127.0.0.1', port: 65_536 }],
      ['a negative port', outOfRange, { host: 'localhost', port: -1 }],
      ['a fraction as port', outOfRange, { host: 'localhost', port: 80.5 }],
      ['a host beside a path', severalKinds('host and path'), { host: 'localhost', port: 80, path: '/a' }],
      ['a host beside an ip', severalKinds('host and ip'), { host: 'localhost', ip: '127.0.0.1', port: 80 }],
      ['an ip beside a path', severalKinds('ip and path'), { ip: '127.0.0.1', port: 80, path: '/a' }],
      [
        'a host beside addresses',
        severalKinds('host and addresses'),
        { host: 'localhost', port: 80, addresses: [here] },
      ],
      ['a path beside addresses', severalKinds('path and addresses'), { path: '/a', addresses: [here] }],
    ];

    for (const [name, expected, target] of targets) {
      it(`B13: ${name} is no target to connect to or listen on`, async () => {
        const bev = world.keep(new SocketBufferevent(world.base, { handlers: world.record('client') }));
        const attempts: Array<() => unknown> = [
          () => bev.connect(wrong(target)),
          () => connect(wrong(target), {}, { base: world.base }),
          () => listen(wrong(target), {}, { base: world.base }),
        ];
        for (const attempt of attempts) {
          const error = await failure(attempt);
          expect(error, String(attempt)).toMatchObject(expected);
        }
        await world.settle();
        expect(world.log).toEqual([]);
        expect(world.base.stats().port).toMatchObject({ streams: 0, listeners: 0, pending: 0 });
        const listener = await world.listen({});
        bev.connect(listener.address as Address);
        await world.settle();
        expect(world.log).toEqual(['client connected']);
      });
    }

    it('B13: wrong options are mistakes of connect, listen and the constructors', async () => {
      const here = { ip: '127.0.0.1', port: 0 };
      const cases: Array<[object, () => unknown]> = [
        [wrongType, () => new SocketBufferevent(wrong(null))],
        [wrongType, () => new SocketBufferevent(world.base, { descriptor: wrong('3') })],
        [wrongType, () => new SocketBufferevent(world.base, { handlers: wrong(3) })],
        [wrongType, () => connect(here, wrong(5), { base: world.base })],
        [wrongType, () => connect(here, {}, { base: wrong({}) })],
        [wrongType, () => connect(here, {}, { base: world.base, signal: wrong({}) })],
        [wrongType, () => connect(here, {}, { base: world.base, enable: [wrong<Direction>('x')] })],
        [wrongType, () => connect(here, {}, wrong(null))],
        [wrongType, () => connect(here, {}, { base: world.base, enable: wrong('read') })],
        [wrongType, () => connect(here, {}, { base: world.base, signal: wrong({ aborted: false }) })],
        [wrongType, () => new SocketBufferevent(world.base).connect({ ip: '127.0.0.1', port: 80 }, wrong(null))],
        [wrongType, () => new SocketBufferevent(world.base, { closeOnFree: wrong(null) })],
        [wrongType, () => listen(here, wrong(5), { base: world.base })],
        [wrongType, () => listen(here, {}, wrong(null))],
        [wrongType, () => listen(here, {}, { base: world.base, enable: wrong('read') })],
        [wrongType, () => listen(here, {}, { base: world.base, signal: wrong({ aborted: false }) })],
        [wrongType, () => listen(here, {}, { base: wrong({}) })],
        [outOfRange, () => listen(here, {}, { base: world.base, maxConnections: -1 })],
        [outOfRange, () => listen(here, {}, { base: world.base, maxConnections: Number.NaN })],
        [wrongType, () => new EventBase({ backend: wrong({}) })],
        [wrongType, () => new EventBase({ backend: world.backend, clock: wrong(5) })],
        [outOfRange, () => new EventBase({ backend: world.backend, limits: { readMaxBytes: -1 } })],
        [outOfRange, () => new EventBase({ backend: world.backend, limits: wrong({ readMaxByte: 5 }) })],
        [wrongType, () => new EventBase({ backend: world.backend, limits: wrong(null) })],
        [wrongType, () => new EventBase({ backend: world.backend, asyncContext: wrong('no') })],
        [outOfRange, () => new EventBase({ backend: world.backend, callbacksPerTurn: 0 })],
        [outOfRange, () => new EventBase({ backend: world.backend, turnTimeMs: -1 })],
        [wrongType, () => new EventBase({ backend: world.backend, lookup: wrong('dns') })],
      ];
      for (const [expected, attempt] of cases) {
        const error = await failure(attempt);
        expect(error, String(attempt)).toMatchObject(expected);
      }
      await world.settle();
      expect(world.base.stats().port).toMatchObject({ streams: 0, listeners: 0, pending: 0 });
    });

    it('B13: an option of a name that there is not is a mistake, whatever its value, and nothing is begun', async () => {
      const { base, backend } = world;
      const [under] = createPair(base);
      const cases: Array<[string, () => unknown]> = [
        ['maxConnection', () => listen(here, {}, wrong({ base, maxConnection: 1 }))],
        ['layers', () => listen(here, {}, wrong({ base, layers: undefined }))],
        ['localAdress', () => connect(here, {}, wrong({ base, localAdress: here }))],
        ['maxConnections', () => connect(here, {}, wrong({ base, maxConnections: 1, signal: AbortSignal.abort() }))],
        ['enable', () => new SocketBufferevent(base).connect(here, wrong({ enable: [] }))],
        ['handler', () => new SocketBufferevent(base, wrong({ handler: {} }))],
        ['handler', () => new FilterBufferevent(under, wrong({ handler: {} }))],
        ['handler', () => createPair(base, wrong({ handler: [] }))],
        ['callbackPerTurn', () => new EventBase(wrong({ backend, callbackPerTurn: 1 }))],
        ['counts', () => under.setRateLimit(null, wrong({ counts: 'payload' }))],
        ['counts', () => new RateLimitGroup(base, new TokenBucketConfig({}), wrong({ counts: 'payload' }))],
        ['tick', () => new TokenBucketConfig(wrong({ tick: 50 }))],
        ['halfOpen', () => toDuplex(under, wrong({ halfOpen: false }))],
        ['copy', () => fromDuplex(new PassThrough(), base, wrong({ copy: true }))],
        ['eol', () => lineCodec(wrong({ eol: 'lf' }))],
        ['max', () => lengthPrefixCodec(wrong({ max: 5 }))],
        ['level', () => gzipLayer(wrong({ level: 9 }))],
      ];
      const before = base.stats();
      for (const [name, attempt] of cases) {
        const error = await failure(attempt);
        expect(error, String(attempt)).toMatchObject(outOfRange);
        expect(error.message).toMatch(new RegExp(`"options" must be made of .*, got "${name}"$`));
      }
      expect(await failure(() => createPair(base, wrong(null)))).toMatchObject(wrongType);
      expect(base.stats()).toEqual(before);
      // It lies under nothing.
      world.keep(new FilterBufferevent(under));
    });

    it('B13: a layer whose handshakeMs is no duration is refused, and stays the caller’s', async () => {
      const cases: Array<[object, unknown]> = [
        [outOfRange, -5],
        [outOfRange, Number.NaN],
        [wrongType, '5'],
      ];
      for (const [expected, handshakeMs] of cases) {
        let calls = 0;
        const layer = { ...passing, attach: () => calls++, free: () => calls++, handshakeMs } as unknown as Layer;
        const { bev } = await world.accepted({});
        expect(await failure(() => bev.insertLayer(layer))).toMatchObject(expected);
        expect(await failure(() => new FilterBufferevent(bev, { layer }))).toMatchObject(expected);
        const target = { ip: '127.0.0.1', port: 1 };
        expect(await failure(() => connect(target, {}, { base: world.base, layers: [layer] }))).toMatchObject(expected);
        expect(bev.layers).toEqual([]);
        expect(calls).toBe(0);
        // Nothing lies over it.
        world.keep(new FilterBufferevent(bev)).free();
        expect(bev.freed).toBe(true);
        expect(calls).toBe(0);
      }
      for (const handshakeMs of [0, null, undefined, 5]) {
        const { bev } = await world.accepted({});
        const layer = { ...passing, handshakeMs } as unknown as Layer;
        await bev.insertLayer(layer);
        expect(bev.layers).toEqual([layer]);
      }
    });

    it('B13: a host that is undefined is no host: the address beside it is used', async () => {
      const { ip, port } = ipOf(
        await listen(wrong({ host: undefined, ip: '127.0.0.1', port: 0 }), {}, { base: world.base }),
      );
      const bev = world.keep(await connect(wrong({ host: undefined, ip, port }), {}, { base: world.base }));
      expect(bev.address.peer).toEqual({ ip, port });
    });

    it('B45: errors of this layer are BuffereventErrors, also across copies of the package', async () => {
      const { bev } = await world.accepted({});
      bev.free();
      const error = await failure(() => bev.write('x'));
      expect(error).toBeInstanceOf(BuffereventError);
      expect(error).toMatchObject({ name: 'BuffereventError', code: 'ERR_BUFFEREVENT_FREED' });
      expect(error.message).not.toBe('');
      expect(new Error('x')).not.toBeInstanceOf(BuffereventError);
      expect(error).not.toBeInstanceOf(BuffereventTimeoutError);
      expect(new BuffereventTimeoutError('read', 1)).toBeInstanceOf(BuffereventTimeoutError);
      expect(new BuffereventTimeoutError('read', 1)).toBeInstanceOf(BuffereventError);
    });

    it('B63: a descriptor is refused where the backend has none', async () => {
      const { createMemoryBackend } = await import('bufferevent-backend/memory');
      const base = world.newBase({ backend: createMemoryBackend(world.network, { supports: { descriptors: false } }) });
      const unsupported = expect.objectContaining({ code: 'ERR_BUFFEREVENT_UNSUPPORTED' });
      expect(() => new SocketBufferevent(base, { descriptor: 3 })).toThrow(unsupported);
      expect(() => new SocketBufferevent(base, { closeOnFree: false })).toThrow(unsupported);
    });
  });
});
