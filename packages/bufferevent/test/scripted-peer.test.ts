// What users of this package test with: bufferevent/testing.
import { type Bufferevent, connect, listen, type SocketBufferevent } from 'bufferevent';
import { createTestBase, type ScriptedPeer, type TestBase } from 'bufferevent/testing';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { rejection } from './support/wait.js';

let world: TestBase;

beforeEach(() => {
  world = createTestBase();
});

afterEach(async () => {
  await world[Symbol.asyncDispose]();
  expect(world.base.stats().port).toMatchObject({ streams: 0, listeners: 0, pending: 0, leases: 0 });
  expect(world.network.openDescriptors).toBe(0);
});

const echo = { onRead: (bev: Bufferevent) => void bev.write(bev.input) };

/** A peer whose other side writes what it is told. */
async function written(...pieces: (string | Uint8Array)[]): Promise<[SocketBufferevent, ScriptedPeer]> {
  const [bev, peer] = await world.connect();
  for (const piece of pieces) bev.write(piece);
  return [bev, peer];
}

async function messageOf(promise: Promise<unknown>): Promise<string> {
  return (await rejection(promise)).message;
}

describe('connections of a test base', () => {
  it('connect() gives a connection and its far end', async () => {
    const [bev, peer] = await world.connect(echo);
    await peer.send('ping');
    await peer.expect('ping');
    expect(bev.address.peer).toMatchObject({ ip: '127.0.0.1' });
    expect(peer.connected).toBe(true);
  });

  it('accept() gives an accepted connection and its far end, after onConnection', async () => {
    const greeted: unknown[] = [];
    const [bev, peer] = await world.accept({
      onConnection(arrived) {
        greeted.push(arrived);
        arrived.write('hello');
      },
    });
    expect(greeted).toEqual([bev]);
    await peer.expect('hello');
  });

  it('peers dial a listener, and an address that the code under test chose', async () => {
    const listener = await world.listen(echo);
    const own = await listen({ ip: '127.0.0.1', port: 7 }, echo, { base: world.base });
    for (const target of [listener, own, { ip: '127.0.0.1', port: 7 }]) {
      const peer = await world.dial(target);
      await peer.send('x');
      await peer.expect('x');
    }
    expect(await rejection(world.dial({ ip: '127.0.0.1', port: 8 }))).toMatchObject({ code: 'ECONNREFUSED' });
  });

  it('peers wait at an address for what the code under test connects to, in the order of arrival', async () => {
    const server = await world.listenAsPeer({ ip: '127.0.0.1', port: 25 });
    const early = server.accept();
    const first = await connect(server.address, {}, { base: world.base });
    const second = await connect(server.address, {}, { base: world.base });
    first.write('1');
    second.write('2');
    await (await early).expect('1');
    await (await server.accept()).expect('2');
    const none = server.accept();
    server.close();
    expect(await rejection(none)).toMatchObject({ code: 'ERR_BUFFEREVENT_CLOSED' });
    expect(await rejection(connect(server.address, {}, { base: world.base }))).toMatchObject({ code: 'ECONNREFUSED' });
    expect(await rejection(world.listenAsPeer({ ip: '10.0.0.1', port: 1 }))).toMatchObject({ code: 'EADDRNOTAVAIL' });
  });

  it('faults happen below the base, and scripts do not notice', async () => {
    await using faulty = createTestBase({ faults: { maxRecv: 1, maxSend: 3, delay: 1 } });
    const reads: number[] = [];
    const [, peer] = await faulty.accept({
      onRead(bev) {
        reads.push(bev.input.length);
        bev.write(bev.input);
      },
    });
    await peer.send('0123456789');
    await peer.expect('0123456789');
    expect(Math.max(...reads)).toBe(1);
  });

  it('little fits between two ends when the network is made so', async () => {
    await using narrow = createTestBase({ network: { capacity: 10 } });
    const [bev, peer] = await narrow.connect();
    peer.stopReading();
    bev.write('0123456789abcdef');
    await narrow.settle();
    expect(bev.output.length).toBe(6);
    peer.readOn();
    await peer.expect('0123456789abcdef');
  });

  it('a mistake in the options throws', () => {
    expect(() => createTestBase({ guardMs: -1 })).toThrow(RangeError);
    expect(() => createTestBase({ limits: { closeMs: -1 } })).toThrow(RangeError);
  });
});

describe('what a peer sends', () => {
  it('sendSlowly() sends pieces, each on its own', async () => {
    const seen: string[] = [];
    const [, peer] = await world.accept({
      onRead: (bev) => void seen.push(Buffer.from(bev.input.remove(bev.input.length)).toString()),
    });
    await peer.sendSlowly('abcdefgh', 3);
    await peer.sendSlowly(new Uint8Array([120, 121]));
    expect(seen).toEqual(['abc', 'def', 'gh', 'x', 'y']);
    expect(await rejection(peer.sendSlowly('x', 0))).toBeInstanceOf(RangeError);
  });

  it('send() is done when the network has taken everything, and not before', async () => {
    await using narrow = createTestBase({ network: { capacity: 10 }, limits: { inputHighWatermark: 5 } });
    const [bev, peer] = await narrow.accept({});
    let done = false;
    const sent = peer.send('0123456789abcdef').then(() => {
      done = true;
    });
    await narrow.settle();
    expect(done).toBe(false);
    expect(peer.unsentBytes).toBe(6);
    expect(Buffer.from((await bev.read(16)) ?? []).toString()).toBe('0123456789abcdef');
    await sent;
    expect(peer.unsentBytes).toBe(0);
  });

  it('send() rejects when the connection is lost first, which may be ignored', async () => {
    await using narrow = createTestBase({ network: { capacity: 10 } });
    const [bev, peer] = await narrow.accept({});
    const lost = rejection(peer.send('0123456789abcdef'));
    void peer.send('ignored');
    await narrow.settle();
    bev.free();
    expect(await lost).toMatchObject({ code: 'EPIPE' });
    expect(peer.failure).toMatchObject({ code: 'EPIPE' });
    expect(await rejection(peer.send('more'))).toMatchObject({ code: 'EPIPE' });
  });

  it('end() comes after what was sent, and reset() at once', async () => {
    const [ending, first] = await world.accept({});
    void first.send('last words');
    first.end();
    expect(Buffer.from((await ending.read(10)) ?? []).toString()).toBe('last words');
    expect(await ending.read()).toBeNull();
    const [broken, second] = await world.accept({});
    const failed = rejection(broken.read());
    second.reset();
    expect(await failed).toMatchObject({ code: 'ECONNRESET' });
    const [closed, third] = await world.accept({});
    third.close();
    expect(await closed.read()).toBeNull();
    expect(await rejection(third.send('x'))).toMatchObject({ code: 'ERR_BUFFEREVENT_CLOSED' });
  });
});

describe('what a peer expects', () => {
  it('text, bytes and patterns are consumed in order, whatever the pieces they came in', async () => {
    const [bev, peer] = await world.connect();
    const all = [
      peer.expect('220 é\r\n'),
      peer.expect(new Uint8Array([0, 255])),
      peer.expect(/^250 (\w+)\r\n/),
      peer.expect('end'),
      peer.expectEnd(),
    ] as const;
    for (const byte of Buffer.from('220 é\r\n')) bev.write(Uint8Array.of(byte));
    bev.write(Uint8Array.of(0, 255));
    bev.write('250 fine\r\nend');
    bev.halfClose();
    expect((await all[2])[1]).toBe('fine');
    await Promise.all(all);
    expect(peer.received.toString()).toContain('end');
    expect(peer.receivedBytes).toBe(8 + 2 + 10 + 3);
    expect(peer.unexpected.length).toBe(0);
    expect(peer.ended).toBe(true);
  });

  it('a pattern consumes what stands before the match, and leaves what stands behind', async () => {
    const [, peer] = await written('é noise 42; rest');
    await peer.expect(/\d+;/g);
    expect(peer.unexpected.toString()).toBe(' rest');
    await peer.expect(' rest');
  });

  it('other text is shown at once, both sides with a mark where they differ', async () => {
    const [, peer] = await written('220 ready\r\n', '250 NO\r\n');
    await peer.expect('220 ready\r\n');
    expect(await messageOf(peer.expect('250 OK\r\n'))).toBe(
      [
        'byte 4 differs, after 11 bytes as expected',
        '  expected  "250 OK\\r\\n"',
        '  received  "250 NO\\r\\n"',
        '                 ^',
      ].join('\n'),
    );
  });

  it('what was not as expected is not consumed', async () => {
    const [, peer] = await written('abc');
    await rejection(peer.expect('abd'));
    await peer.expect('abc');
  });

  it('other bytes are shown as numbers', async () => {
    const [, peer] = await written(Uint8Array.of(1, 2, 254));
    expect(await messageOf(peer.expect(Uint8Array.of(1, 2, 255)))).toBe(
      [
        'byte 2 differs, after 0 bytes as expected',
        '  expected  01 02 ff',
        '  received  01 02 fe',
        '                  ^',
      ].join('\n'),
    );
  });

  it('of long texts, what surrounds the difference is shown', async () => {
    const before = 'a'.repeat(1000);
    const [, peer] = await written(`${before}X${'b'.repeat(1000)}`);
    const message = await messageOf(peer.expect(`${before}Y${'b'.repeat(1000)}`));
    const [first, expected, received, mark] = message.split('\n') as [string, string, string, string];
    expect(first).toBe('byte 1000 differs, after 0 bytes as expected');
    expect(expected).toMatch(/^ {2}expected {2}…"a{32}Yb{47}"…$/);
    expect(received).toMatch(/^ {2}received {2}…"a{32}Xb{47}"…$/);
    expect(received[mark.indexOf('^')]).toBe('X');
  });

  it('an end or a failure that comes too early is named, with what had come', async () => {
    const [bev, peer] = await written('part');
    bev.halfClose();
    expect(await messageOf(peer.expect('partial'))).toBe(
      'the stream ended, after 0 bytes as expected\n  expected  "partial"\n  received  "part"\n                 ^',
    );
    expect(await messageOf(peer.expect(/\n/))).toBe(
      'the stream ended, after 0 bytes as expected\n  expected  /\\n/\n  received  "part"',
    );
    expect(await messageOf(peer.expectEnd())).toBe(
      'bytes came instead of the end, after 0 bytes as expected\n  expected  the end of the stream\n  received  "part"',
    );
    const [cut, other] = await world.connect();
    const waiting = messageOf(other.expect('x'));
    cut.setTimeouts({ closeMs: 10 });
    void cut.end();
    await world.advance(10);
    expect(await waiting).toContain('the stream ended');
  });

  it('a reset is met by expectReset(), and is not an end', async () => {
    const [bev, peer] = await world.connect();
    bev.setTimeouts({ closeMs: 10 });
    peer.stopReading();
    void bev.end();
    await world.advance(10);
    peer.readOn();
    expect(await messageOf(peer.expectEnd())).toContain('the connection failed with ECONNRESET');
    await peer.expectReset();
    const [ended, other] = await world.connect();
    ended.halfClose();
    expect(await messageOf(other.expectReset())).toContain('the stream ended');
  });

  it('nothing is waited for longer than the guard says', async () => {
    const [bev, peer] = await written('250 ');
    await world.settle();
    const behind = peer.expect('250 OK', { guardMs: 1 });
    const message = await messageOf(behind);
    expect(message).toContain('nothing more came within 1 ms, after 0 bytes as expected');
    expect(message).toContain('  received  "250 "');
    bev.write('OK');
    await peer.expect('250 OK');
  });

  it('an expectation whose time is over lets those behind it go on', async () => {
    const [, peer] = await written('abc');
    await world.settle();
    const [first, second] = [rejection(peer.expect(/never/, { guardMs: 1 })), peer.expect('abc')];
    expect(await first).toMatchObject({ code: 'ERR_ASSERTION' });
    await second;
  });

  it('expectNothing() rejects for bytes, an end and a reset', async () => {
    const [bev, peer] = await world.connect();
    await peer.expectNothing();
    bev.write('surprise');
    expect(await messageOf(peer.expectNothing())).toContain('"surprise"');
    await peer.expect('surprise');
    bev.halfClose();
    expect(await messageOf(peer.expectNothing())).toContain('the end came');
    await peer.expectEnd();
  });

  it('a mistake in what is expected throws', async () => {
    const [, peer] = await world.connect();
    expect(() => peer.expect(5 as unknown as string)).toThrow(TypeError);
  });
});

describe('time', () => {
  it('it passes in steps: what a timer causes is dealt with before the next one fires', async () => {
    const [bev, peer] = await world.connect({
      onEvent(at, event) {
        if (event.kind !== 'timeout') return;
        at.write(`${world.clock.now()};`);
        at.enable('read');
      },
    });
    bev.setTimeouts({ readMs: 10 });
    bev.enable('read');
    await world.advance(35);
    await peer.expect('10;20;30;');
    await peer.expectNothing();
    expect(world.clock.now()).toBe(35);
  });

  it('it stands still while everything settles', async () => {
    const [, peer] = await world.accept(echo);
    void peer.send('x'.repeat(1_000_000));
    await world.settle();
    expect(peer.receivedBytes).toBe(1_000_000);
    expect(world.clock.now()).toBe(0);
  });

  it('settle() waits for code that takes turns of its own', async () => {
    const [, peer] = await world.accept({
      async onConnection(bev) {
        for await (const line of bev.lines()) {
          for (let turns = 0; turns < 5; turns++) await new Promise((resolve) => setImmediate(resolve));
          bev.write(line);
        }
      },
    });
    void peer.send('1\n2\n3\n');
    await world.settle();
    expect(peer.received.toString()).toBe('123');
    peer.end();
    await world.settle();
  });

  it('settle() gives up on what answers itself for ever', async () => {
    const listener = await world.listen(echo);
    await world.dial(listener);
    const ends = await Promise.all([1, 2].map(() => connect(listener.address, echo, { base: world.base })));
    ends[0]?.write('for ever');
    expect(await messageOf(world.settle())).toMatch(/did not come to rest/);
  });
});
