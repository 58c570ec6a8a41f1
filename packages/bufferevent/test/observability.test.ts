// stats(), inspect, diagnostics channels and NODE_DEBUG.
import { execFileSync } from 'node:child_process';
import { subscribe, unsubscribe } from 'node:diagnostics_channel';
import { fileURLToPath } from 'node:url';
import { inspect } from 'node:util';
import { type Bufferevent, createPair, EventBase, FilterBufferevent, TokenBucketConfig } from 'bufferevent';
import { gzipLayer } from 'bufferevent/codecs';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { sockets } from './support/system-backends.js';
import { turns } from './support/wait.js';
import { inWorlds } from './support/world.js';

describe('stats()', () => {
  inWorlds(['memory', ...sockets], (world) => {
    it('counts bytes and operations of both directions (B116)', async () => {
      const { client, server } = await world.pair({}, { onRead: (bev) => bev.input.drain() });
      client.write('12345');
      await client.drained();
      await world.until(() => server.stats().payloadReceived === 5, 'five bytes');
      expect(client.stats()).toMatchObject({ bytesSent: 5, payloadSent: 5, bytesReceived: 0, receives: 0, sends: 1 });
      expect(server.stats()).toMatchObject({ bytesReceived: 5, payloadReceived: 5, bytesSent: 0, inputLength: 0 });
      expect(server.stats().receives).toBeGreaterThan(0);
    });

    it('says why a direction rests, and how often it has', async () => {
      const { client, server } = await world.pair({}, { onRead() {} });
      server.setWatermarks('read', { high: 4 });
      client.write('12345678');
      for (let round = 1; round <= 2; round++) {
        await world.until(() => server.input.length === 4, 'a full input');
        expect(server.stats().suspended).toEqual({ read: ['watermark'], write: [] });
        expect(server.stats().suspensions.read).toEqual({ watermark: round });
        server.input.drain();
      }
      expect(server.stats().suspended.read).toEqual([]);
    });
  });
});

describe('over a base in memory', () => {
  let base: EventBase;
  beforeEach(() => {
    base = new EventBase();
  });
  afterEach(() => base[Symbol.asyncDispose]());

  it('stats() shows the level of the rate limit, and the members of the base', async () => {
    const [a, b] = createPair(base);
    expect(base.stats().members).toBe(2);
    expect(a.stats()).toMatchObject({ readLimit: Infinity, writeLimit: Infinity });
    a.setRateLimit(new TokenBucketConfig({ writeRate: 100, tickMs: 1_000_000 }));
    b.enable('read');
    a.write(new Uint8Array(150));
    await turns();
    expect(a.stats()).toMatchObject({ writeLimit: 0, outputLength: 50, suspended: { write: ['rate'] } });
    a.free();
    b.free();
    expect(base.stats().members).toBe(0);
  });

  it('stats() tells payload from what the transport moved (B99)', async () => {
    const [lower, b] = createPair(base);
    const doubling = new FilterBufferevent(lower, {
      output(source, target) {
        if (source.length === 0) return 'need-more';
        for (const byte of source.remove(source.length)) target.add(Uint8Array.of(byte, byte));
        return 'ok';
      },
    });
    doubling.write('abc');
    b.enable('read');
    await doubling.drained();
    expect(doubling.stats()).toMatchObject({ payloadSent: 3, bytesSent: 6 });
    expect(lower.stats()).toMatchObject({ bytesSent: 6 });
  });

  it('stats() counts on when a layer is inserted into a connection that was used', async () => {
    const [a, b] = createPair(base);
    for (const bev of [a, b]) bev.enable('read');
    a.write('hello');
    b.write('you');
    await Promise.all([a.drained(), b.drained()]);
    expect([...((await a.read(3)) as Uint8Array), ...((await b.read(5)) as Uint8Array)]).toHaveLength(8);
    for (const bev of [a, b]) void bev.insertLayer(gzipLayer({ autoFlush: true }));
    expect(a.stats()).toMatchObject({ bytesReceived: 3, bytesSent: 5, payloadReceived: 3, payloadSent: 5 });
    a.write('compressed');
    await b.read(10);
    expect(a.stats().payloadSent).toBe(15);
    expect(a.stats().bytesSent).toBeGreaterThan(15);
    expect(b.stats()).toMatchObject({ bytesReceived: a.stats().bytesSent, payloadReceived: 15 });
  });

  it('inspect shows kind, state, buffers, layers and what is below (B116)', async () => {
    const [lower, b] = createPair(base);
    const filter = new FilterBufferevent(lower, { name: 'rot13' });
    filter.write('waits');
    const shown = inspect(filter);
    expect(shown).toMatch(/^FilterBufferevent \{/);
    for (const part of ["state: 'open'", 'output: 5', "layers: [ 'rot13' ]", 'underlying: PairBufferevent {']) {
      expect(shown).toContain(part);
    }
    expect(inspect({ deep: { deeper: { bev: filter } } })).toContain('[FilterBufferevent open]');
    filter.free();
    b.free();
    expect(inspect(filter)).toContain("state: 'freed'");
  });

  it('channels tell of open, suspension, error and close, with the bufferevent (B117)', async () => {
    const seen: string[] = [];
    const names = ['open', 'close', 'error', 'suspend', 'resume'].map((name) => `bufferevent:${name}`);
    const listen = (message: unknown, name: string | symbol): void => {
      const { bufferevent, ...rest } = message as { bufferevent: Bufferevent };
      seen.push([String(name).slice(12), bufferevent.context ?? '-', ...Object.values(rest)].map(text).join(' '));
    };
    for (const name of names) subscribe(name, listen);
    try {
      const [a, b] = createPair(base);
      a.context = 'a';
      b.context = 'b';
      b.enable('read');
      b.setWatermarks('read', { high: 2 });
      a.write('123');
      await turns();
      b.input.drain();
      await turns();
      b.free();
      a.write('too late');
      await turns();
      a.free();
    } finally {
      for (const name of names) unsubscribe(name, listen);
    }
    expect(seen).toEqual([
      'open -',
      'open -',
      'suspend b read watermark',
      'resume b read watermark',
      'close b freed',
      'error a write EPIPE',
      'close a reset',
    ]);
  });
});

function text(value: unknown): string {
  if (typeof value === 'string') return value;
  const { kind, code } = value as { kind?: string; code?: string };
  return String(kind ?? code);
}

it('NODE_DEBUG=bufferevent prints what the channels tell (B117)', () => {
  const entry = new URL('../dist/index.js', import.meta.url).href;
  const program = `
    const { createPair } = await import('${entry}');
    const [a, b] = createPair();
    a.free();
    b.free();
  `;
  const words = ['--input-type=module', '-e', program];
  const run = (debug: string): string =>
    execFileSync('/bin/sh', ['-c', `"$0" "$@" 2>&1`, process.execPath, ...words], {
      cwd: fileURLToPath(new URL('..', import.meta.url)),
      encoding: 'utf8',
      env: { ...process.env, NODE_DEBUG: debug },
    });
  const printed = run('bufferevent');
  expect(printed.match(/bufferevent:open \[PairBufferevent open\]/g)).toHaveLength(2);
  expect(printed).toMatch(/bufferevent:close \[PairBufferevent freed\] \{ cause: \{ kind: 'freed' \} \}/);
  expect(run('')).toBe('');
});
