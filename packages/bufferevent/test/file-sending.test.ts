// Bytes in files: sent from the file where the backend can, else read a little ahead of the sending.
import { closeSync, mkdtempSync, openSync, rmSync, truncateSync, writeFileSync, writeSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Evbuffer, type EventBase } from 'bufferevent';
import { type Backend, Operation, type Port } from 'bufferevent-backend';
import { createMemoryBackend, withFaults } from 'bufferevent-backend/memory';
import type { FileSource } from 'evbuffer';
import { FileSegment, type FileSegmentOptions } from 'evbuffer/file';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { KiB, MiB, pattern, same, text } from './support/bytes.js';
import { Program } from './support/program.js';
import { ScriptedFile } from './support/scripted-file.js';
import { importOfBackend, type SystemBackendName, sockets } from './support/system-backends.js';
import { inMemory, inWorlds, type World } from './support/world.js';

const BLOCK = 64 * KiB;

let folder: string;
beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), 'bufferevent-file-sending-'));
});
afterAll(() => rmSync(folder, { recursive: true }));

function fileOf(name: string, bytes: Uint8Array): string {
  const path = join(folder, name);
  writeFileSync(path, bytes);
  return path;
}

/** A segment that its opener has closed when `body` is over: what is left of it then is the output's. */
async function withSegment(
  path: string,
  options: FileSegmentOptions,
  body: (segment: FileSegment) => void | Promise<void>,
): Promise<FileSegment> {
  const segment = await FileSegment.open(path, options);
  try {
    await body(segment);
  } finally {
    segment.close();
  }
  return segment;
}

/** How often a segment told that it was closed, and with what. */
function closes(): { options: FileSegmentOptions; readonly count: number } {
  const told: unknown[] = [];
  return {
    options: {
      onClose: (error) => {
        expect(error).toBeUndefined();
        told.push(error);
      },
    },
    get count() {
      return told.length;
    },
  };
}

describe('files of the system', () => {
  inWorlds(sockets, (world) => {
    const small = new TextEncoder().encode('this is what we add as file data.\n');
    const large = pattern(512 * KiB, 44);

    interface Range {
      readonly segment?: readonly [offset: number, length: number];
      readonly view?: readonly [offset: number, length: number];
    }
    const cases: readonly (readonly [cases: string, name: string, bytes: Uint8Array, range: Range])[] = [
      ['regress A44–A47', '34 bytes', small, {}],
      ['regress A48–A51', '524,288 bytes', large, {}],
      ['regress A52–A55', 'a segment that begins inside the file', large, { segment: [131_073, 262_143] }],
      ['regress A56–A58', 'a view of the whole file', large, { view: [174_762, 262_144] }],
      ['regress A59–A61', 'a view of a segment', large, { segment: [131_073, 262_143], view: [87_381, 131_071] }],
    ];
    for (const [regress, name, bytes, { segment: part = [0, bytes.length], view }] of cases) {
      it(`${name} arrive as they are in the file (${regress})`, async () => {
        const { bev, peer } = await world.accepted({});
        const closed = closes();
        const path = fileOf('regress', bytes);
        const [offset, length] = part;
        await withSegment(path, { offset, length, ...closed.options }, (segment) =>
          bev.output.addFileSegment(segment, view?.[0] ?? 0, view?.[1]),
        );
        const start = offset + (view?.[0] ?? 0);
        const expected = bytes.subarray(start, start + (view?.[1] ?? length));
        expect(bev.output.length).toBe(expected.length);
        await bev.drained();
        await world.until(() => peer.receivedBytes >= expected.length, 'the file');
        expect(same(peer.received, expected)).toBe(true);
        await world.until(() => closed.count > 0, 'the file to be closed');
        expect(closed.count).toBe(1);
      });
    }

    it('B39: memory and files leave in the order in which they were added', async () => {
      const { bev, peer } = await world.accepted({});
      const path = fileOf('mixture', large);
      const expected: Uint8Array[] = [];
      const add = (text: string): void => {
        bev.write(text);
        expected.push(Buffer.from(text));
      };
      await withSegment(path, {}, (segment) => {
        for (const [offset, length] of [
          [0, 10],
          [100, 200_000],
          [BLOCK, BLOCK],
          [7, 1],
        ] as const) {
          add(`<${offset}>`);
          bev.output.addFileSegment(segment, offset, length);
          bev.output.addFileSegment(segment, offset + 1, length);
          expected.push(large.subarray(offset, offset + length), large.subarray(offset + 1, offset + 1 + length));
        }
        add('the end');
      });
      const whole = Buffer.concat(expected);
      await world.until(() => peer.receivedBytes >= whole.length, 'all');
      expect(same(peer.received, whole)).toBe(true);
      expect(bev.output.length).toBe(0);
    });

    it('B39: they are sent from the file where the backend can, and read where it can not', async () => {
      const calls: number[][] = [];
      const base = world.newBase({ backend: recordingSendFile(world.backend, calls) });
      const { bev, peer } = await world.accepted({}, { base });
      await withSegment(fileOf('from-the-file', large), {}, (segment) => bev.output.addFileSegment(segment, 1));
      await world.until(() => peer.receivedBytes === large.length - 1, 'the file');
      expect(same(peer.received, large.subarray(1))).toBe(true);
      expect(calls.map(([, offset]) => offset)[0]).toBe(world.backend.supports.sendFile ? 1 : undefined);
    });

    it('one segment goes to several connections, each at its own pace', async () => {
      const closed = closes();
      const pairs = [await world.accepted({}), await world.accepted({}), await world.accepted({})];
      await withSegment(fileOf('several', large), closed.options, (segment) => {
        for (const { bev } of pairs) {
          bev.output.addFileSegment(segment);
          bev.output.addFileSegment(segment);
        }
        pairs[0]?.peer.stopReading();
      });
      for (const { peer } of pairs.slice(1)) {
        await world.until(() => peer.receivedBytes === 2 * large.length, 'the file, twice');
      }
      pairs[0]?.peer.readOn();
      await world.until(() => pairs[0]?.peer.receivedBytes === 2 * large.length, 'the file, twice, late');
      for (const { peer } of pairs) expect(same(peer.received, Buffer.concat([large, large]))).toBe(true);
      await world.until(() => closed.count > 0, 'the file to be closed');
      expect(closed.count).toBe(1);
    });

    it('bytes that somebody looked at meanwhile are sent once', async () => {
      const { bev, peer } = await world.accepted({});
      const bytes = pattern(8 * MiB, 3);
      await withSegment(fileOf('looked-at', bytes), {}, (segment) => bev.output.addFileSegment(segment));
      let looks = 0;
      bev.output.watch(({ length }) => {
        if (length === 0 || looks++ % 3 !== 0) return;
        bev.output.copyOut(new Uint8Array(10));
        bev.output.peek({ length: 10, start: looks % 2 === 0 ? 0 : Math.min(length, 100_000) });
      });
      await world.until(() => peer.receivedBytes === bytes.length, 'the file');
      expect(same(peer.received, bytes)).toBe(true);
      expect(looks).toBeGreaterThan(10);
    });

    it('B39: a file that shrinks while it is being sent is one error, after all that is left of it', async () => {
      const { bev, peer } = await world.accepted(world.record('server'));
      const bytes = pattern(32 * MiB, 5);
      const path = fileOf('shrinks', bytes);
      const closed = closes();
      bev.write('head');
      await withSegment(path, closed.options, (segment) => bev.output.addFileSegment(segment));
      bev.write('tail');
      const drained = bev.drained().catch((error: unknown) => error);
      await world.until(() => peer.receivedBytes > 4, 'the first bytes');
      peer.stopReading();
      const left = 24 * MiB + 12_345;
      truncateSync(path, left);
      expect(bytes.length + 4 - bev.output.length, 'sent when the file shrank').toBeLessThan(left);
      peer.readOn();
      await world.until(() => world.log.some((line) => line.includes('error')), 'the error');
      await world.until(() => peer.receivedBytes >= left + 4, 'what was left');
      expect(peer.receivedBytes).toBe(left + 4);
      expect(same(peer.received.subarray(4), bytes.subarray(0, left))).toBe(true);
      expect(world.log.filter((line) => line !== 'server write')).toEqual([
        'server error ERR_EVBUFFER_FILE_SHRANK write',
      ]);
      expect(await drained).toMatchObject({ code: 'ERR_EVBUFFER_FILE_SHRANK' });
      expect(await bev.closed).toMatchObject({ kind: 'error', error: { code: 'ERR_EVBUFFER_FILE_SHRANK' } });
      expect(bev.output.length, 'the rest stays').toBe(bytes.length - left + 4);
      const answer = bev.read(5);
      peer.send('still');
      expect(text(await answer)).toBe('still');
      expect(closed.count).toBe(0);
      bev.free();
      await world.until(() => closed.count > 0, 'the file to be closed');
      expect(closed.count).toBe(1);
    });

    it('free() in the middle closes the file once', async () => {
      const { bev, peer } = await world.accepted(world.record('server'));
      const closed = closes();
      const bytes = pattern(32 * MiB, 6);
      await withSegment(fileOf('freed', bytes), closed.options, (segment) => bev.output.addFileSegment(segment));
      await world.until(() => peer.receivedBytes > 0, 'the first bytes');
      bev.free();
      await world.until(() => closed.count > 0 && (peer.ended || peer.failure !== null), 'the end');
      expect(closed.count).toBe(1);
      expect(same(peer.received, bytes.subarray(0, peer.receivedBytes))).toBe(true);
      expect(world.log.filter((line) => line !== 'server write')).toEqual([]);
    });

    it('end() sends the whole file first', async () => {
      const { bev, peer } = await world.accepted({});
      const bytes = pattern(8 * MiB, 7);
      await withSegment(fileOf('ended', bytes), {}, (segment) => bev.output.addFileSegment(segment));
      const ended = bev.end();
      await world.until(() => peer.ended, 'the end');
      expect(same(peer.received, bytes)).toBe(true);
      peer.end();
      expect(await ended).toEqual({ kind: 'clean' });
    });

    it('TO-3: the write time-out tells of a peer that does not read, and enabling goes on', async () => {
      const { bev, peer } = await world.accepted(world.record('server'));
      const bytes = pattern(32 * MiB, 8);
      peer.stopReading();
      bev.setTimeouts({ writeMs: 150 });
      await withSegment(fileOf('timed', bytes), {}, (segment) => bev.output.addFileSegment(segment));
      await world.until(() => world.log.includes('server timeout write'), 'the time-out');
      expect(bev.enabled).not.toContain('write');
      bev.setTimeouts({ writeMs: 0 });
      peer.readOn();
      bev.enable('write');
      await world.until(() => peer.receivedBytes === bytes.length, 'the file');
      expect(same(peer.received, bytes)).toBe(true);
    });

    it('a peer that resets in the middle is one error, and the file is closed with the connection', async () => {
      const { bev, peer } = await world.accepted(world.record('server'));
      const closed = closes();
      const bytes = pattern(32 * MiB, 9);
      bev.enable('read');
      await withSegment(fileOf('reset', bytes), closed.options, (segment) => bev.output.addFileSegment(segment));
      await world.until(() => peer.receivedBytes > 0, 'the first bytes');
      peer.reset();
      await world.until(() => world.log.some((line) => line.includes('error')), 'the error');
      expect(world.log.filter((line) => /error/.test(line))).toHaveLength(1);
      expect(await bev.closed).toMatchObject({ kind: 'reset' });
      bev.free();
      await world.until(() => closed.count > 0, 'the file to be closed');
      expect(closed.count).toBe(1);
    });

    it('B33, WR-4: bytes in files do not count against the hard cap, those in memory do', async () => {
      const { bev } = await world.accepted(world.record('server'));
      const path = fileOf('sparse', new Uint8Array(0));
      truncateSync(path, 3 * 1024 * MiB);
      bev.disable('write');
      await withSegment(path, {}, (segment) => bev.output.addFileSegment(segment));
      const moved = new Evbuffer();
      await withSegment(path, {}, (segment) => moved.addFileSegment(segment));
      expect(bev.write(moved), 'the mark counts all').toBe(false);
      expect(bev.output.length).toBe(6 * 1024 * MiB);
      const chunk = new Uint8Array(16 * MiB);
      for (let index = 0; index < 4; index++) bev.write(chunk);
      expect(() => bev.write('!')).toThrow(expect.objectContaining({ code: 'ERR_BUFFEREVENT_OUTPUT_LIMIT' }));
      bev.free();
    });
  });
});

describe('a large file', () => {
  /** Takes one connection to its end, then says how many bytes came and their hash, and that of the file. */
  const receiver = `
    import { createHash } from 'node:crypto';
    import { createReadStream } from 'node:fs';
    import { createServer } from 'node:net';
    let path;
    const hash = createHash('sha1');
    let bytes = 0;
    const server = createServer((socket) => {
      socket.on('data', (chunk) => { bytes += chunk.length; hash.update(chunk); });
      socket.on('error', () => process.send('failed'));
      socket.on('end', () => {
        server.close();
        const expected = createHash('sha1');
        createReadStream(path, { highWaterMark: 1 << 20 })
          .on('data', (chunk) => expected.update(chunk))
          .on('end', () => {
            process.send({ bytes, same: hash.digest('hex') === expected.digest('hex') });
            process.disconnect();
          });
      });
    }).listen(0, '127.0.0.1', () => process.send(server.address().port));
    process.on('message', (message) => { path = message; });
  `;

  /** Sends a file, and says by how many MiB the process grew meanwhile. */
  const sender = (name: SystemBackendName): string => `
    import { connect, EventBase } from 'bufferevent';
    ${importOfBackend(name)}
    import { FileSegment } from 'evbuffer/file';
    process.on('message', async ({ path, port }) => {
      const base = new EventBase({ backend });
      const bev = await connect({ ip: '127.0.0.1', port }, {}, { base });
      const before = process.memoryUsage.rss();
      let most = before;
      let changes = 0;
      const start = performance.now();
      let onClose;
      const fileClosed = new Promise((resolve) => { onClose = resolve; });
      const segment = await FileSegment.open(path, { onClose });
      bev.output.addFileSegment(segment);
      bev.output.watch(() => { if (++changes % 64 === 0) most = Math.max(most, process.memoryUsage.rss()); });
      segment.close();
      const { kind } = await bev.end();
      const ms = Math.round(performance.now() - start);
      // By another thread: before or after the end of the connection.
      await fileClosed;
      process.send({ kind, ms, grownMiB: (most - before) / 2 ** 20 });
      process.disconnect();
    });
  `;

  it.each(
    sockets.map((name) => ({ name, megabytes: name === 'epoll' || process.env['NIGHTLY'] === '1' ? 1024 : 256 })),
  )(
    'of $megabytes MiB arrives whole over $name, and takes no memory of the sender',
    { timeout: 120_000 },
    async ({ name, megabytes }) => {
      const path = fileOf('large', pattern(MiB, 10));
      truncateSync(path, megabytes * MiB);
      const file = openSync(path, 'r+');
      // A pattern of its own every 16 MiB, across the borders of blocks; zeros between.
      for (let at = 1; at < megabytes; at += 16) writeSync(file, pattern(300_001, at), 0, 300_001, at * MiB - 77);
      closeSync(file);
      const receiving = new Program(receiver, { ipc: true });
      const sending = new Program(sender(name), { ipc: true });
      try {
        const port = await receiving.hear<number>();
        receiving.tell(path);
        sending.tell({ path, port });
        expect(await receiving.hear()).toEqual({ bytes: megabytes * MiB, same: true });
        const report = await sending.hear<{ kind: string; ms: number; grownMiB: number }>();
        expect(report.kind).toBe('clean');
        if (process.env['REPORT']) console.log(report);
        expect(report.grownMiB, 'growth of the sender').toBeLessThan(48);
      } finally {
        await Promise.all([receiving.kill(), sending.kill()]);
      }
    },
  );
});

describe('reading ahead', () => {
  inMemory((world) => {
    /** A connection over a backend that can't send from files. */
    const connection = (handlers = world.record('server')) =>
      world.accepted(handlers, { base: baseWith(world, { sendFile: false }) });

    it('B39: reads two blocks at most before they can be sent, and more only as they are', async () => {
      const file = new ScriptedFile(pattern(10 * BLOCK));
      const { bev, peer } = await connection();
      peer.stopReading();
      bev.output.addFileSegment(file);
      await world.settle();
      const taken = file.length - bev.output.length;
      expect(taken, 'what fits between the two ends').toBeLessThan(BLOCK);
      expect(file.asked).toBe(2 * BLOCK);
      peer.readOn();
      await world.until(() => peer.receivedBytes === file.length, 'the file');
      expect(same(peer.received, file.content)).toBe(true);
      expect(file.asked, 'nothing is read twice').toBe(file.length);
      expect(file.users).toBe(0);
    });

    it('nothing is sent before it was read, and what follows waits its turn', async () => {
      const file = new ScriptedFile(pattern(1000), true);
      const { bev, peer } = await connection();
      bev.write('a');
      bev.output.addFileSegment(file);
      bev.write('z');
      await world.settle();
      expect(peer.receivedBytes).toBe(1);
      expect(bev.output.length).toBe(1001);
      expect(file.held).toMatchObject([{ offset: 0, bytes: 1000 }]);
      file.letGo();
      await world.until(() => peer.receivedBytes === 1002, 'the rest');
      expect(`${peer.received.subarray(0, 1)}${peer.received.subarray(1001)}`).toBe('az');
      expect(same(peer.received.subarray(1, 1001), file.content)).toBe(true);
    });

    it('WR-1: write() of a buffer with a small file reads nothing', async () => {
      const file = new ScriptedFile(pattern(10));
      const { bev, peer } = await connection();
      const source = new Evbuffer();
      source.add('<');
      source.addFileSegment(file);
      bev.write('(');
      bev.write(source);
      bev.write(')');
      expect(source.length).toBe(0);
      await world.until(() => peer.receivedBytes === 13, 'all');
      expect(same(peer.received.subarray(2, 12), file.content)).toBe(true);
    });

    it('TO-3: the write time-out runs while the file is being read', async () => {
      const file = new ScriptedFile(pattern(1000), true);
      const { bev, peer } = await connection();
      bev.setTimeouts({ writeMs: 100 });
      bev.output.addFileSegment(file);
      await world.advance(99);
      expect(world.log).toEqual([]);
      await world.advance(1);
      expect(world.log).toEqual(['server timeout write']);
      file.letGo();
      await world.settle();
      expect(peer.receivedBytes, 'writing is disabled').toBe(0);
      bev.enable('write');
      await world.until(() => peer.receivedBytes === 1000, 'the file');
      expect(same(peer.received, file.content)).toBe(true);
    });

    it('disabling while a block is being read sends nothing, and reads no more', async () => {
      const file = new ScriptedFile(pattern(5 * BLOCK), true);
      const { bev, peer } = await connection();
      bev.output.addFileSegment(file);
      await world.settle();
      bev.disable('write');
      file.letGo();
      await world.settle();
      expect(peer.receivedBytes).toBe(0);
      expect(file.asked).toBe(BLOCK);
      file.holds = false;
      bev.enable('write');
      await world.until(() => peer.receivedBytes === file.length, 'the file');
      expect(same(peer.received, file.content)).toBe(true);
      expect(file.asked).toBe(file.length);
    });

    it('FR-1: free() while a block is being read lets go of the file when the read is over', async () => {
      const file = new ScriptedFile(pattern(5 * BLOCK), true);
      const { bev, peer } = await connection();
      bev.output.addFileSegment(file);
      await world.settle();
      expect(file.held).toHaveLength(1);
      bev.free();
      await world.settle();
      expect(file.users, 'the read in flight').toBe(1);
      file.letGo();
      await world.settle();
      expect(file.users).toBe(0);
      expect(file.asked).toBe(BLOCK);
      expect(peer.receivedBytes).toBe(0);
      expect(world.log).toEqual([]);
    });

    it('disposing of the base while a block is being read leaves nothing behind', async () => {
      const file = new ScriptedFile(pattern(5 * BLOCK), true);
      const base = baseWith(world, { sendFile: false });
      const { bev } = await world.accepted(world.record('server'), { base });
      bev.output.addFileSegment(file);
      await world.settle();
      await base[Symbol.asyncDispose]();
      file.letGo();
      await world.settle();
      expect(file.users).toBe(0);
      expect(bev.freed).toBe(true);
    });

    it('end() waits for the block that is being read', async () => {
      const file = new ScriptedFile(pattern(100), true);
      const { bev, peer } = await connection();
      bev.output.addFileSegment(file);
      const ended = bev.end();
      await world.settle();
      expect(peer.ended).toBe(false);
      file.letGo();
      await world.until(() => peer.ended, 'the end');
      expect(same(peer.received, file.content)).toBe(true);
      peer.end();
      expect(await ended).toEqual({ kind: 'clean' });
    });

    for (const readableTo of [0, 1, 1000, BLOCK - 1, BLOCK, BLOCK + 1, 2 * BLOCK + 33_333, 3 * BLOCK - 1]) {
      it(`B39: a read that fails at ${readableTo} is one error, after all bytes before it`, async () => {
        const file = new ScriptedFile(pattern(3 * BLOCK));
        file.readableTo = readableTo;
        const { bev, peer } = await connection();
        bev.write('head');
        bev.output.addFileSegment(file);
        bev.write('tail');
        await world.until(() => world.log.length > 0, 'the error');
        await world.until(() => peer.receivedBytes === readableTo + 4, 'all bytes before it');
        await world.settle();
        expect(world.log).toEqual(['server error ERR_EVBUFFER_FILE_READ write']);
        expect(same(peer.received.subarray(4), file.content.subarray(0, readableTo))).toBe(true);
        expect(bev.output.length).toBe(file.length - readableTo + 4);
        expect(bev.write('more')).toBe(false);
        bev.free();
        await world.settle();
        expect(file.users).toBe(0);
      });
    }

    it('a failed read after end() closes the connection, with its cause', async () => {
      const file = new ScriptedFile(pattern(100));
      file.readableTo = 50;
      const { bev } = await connection();
      bev.output.addFileSegment(file);
      expect(await bev.end()).toMatchObject({ kind: 'error', error: { code: 'ERR_EVBUFFER_FILE_READ' } });
      expect(file.users).toBe(0);
    });

    it('a file that grows again while its end is searched for is sent as it is', async () => {
      const file = new ScriptedFile(pattern(2 * BLOCK), true);
      file.readableTo = 10;
      const { bev, peer } = await connection();
      bev.output.addFileSegment(file);
      await world.settle();
      file.letGo();
      await world.settle();
      file.readableTo = Infinity;
      file.holds = false;
      file.letGo();
      await world.until(() => peer.receivedBytes === file.length, 'the file');
      expect(same(peer.received, file.content)).toBe(true);
      expect(bev.output.length).toBe(0);
      expect(world.log.filter((line) => line !== 'server write')).toEqual([]);
    });

    it('C9: short sends go on where they stopped', async () => {
      const file = new ScriptedFile(pattern(2000));
      const plain = createMemoryBackend(world.network, { supports: { sendFile: false } });
      const base = world.newBase({ backend: withFaults(plain, { maxSend: 7, delay: 1 }) });
      const { bev, peer } = await world.accepted({}, { base });
      bev.write('<');
      bev.output.addFileSegment(file);
      bev.write('>');
      await world.until(() => peer.receivedBytes === 2002, 'all');
      expect(same(peer.received.subarray(1, 2001), file.content)).toBe(true);
      expect(bev.output.length).toBe(0);
    });

    it('no more than the bytes of a turn are sent at once', async () => {
      const file = new ScriptedFile(pattern(2000));
      const base = baseWith(world, { sendFile: false }, { bytesPerTurn: 100 });
      const sizes: number[] = [];
      const { bev, peer } = await world.accepted({}, { base });
      bev.output.watch((_, { removed }) => {
        if (removed > 0) sizes.push(removed);
      });
      bev.output.addFileSegment(file);
      await world.until(() => peer.receivedBytes === 2000, 'all');
      expect(Math.max(...sizes)).toBe(100);
    });
  });
});

describe('files over a backend that sends from them', () => {
  inMemory((world) => {
    const nothing = new Uint8Array(0);

    /** A file of the memory network as a source: it can't be read, only sent from. */
    const memoryFile = (bytes: Uint8Array, at = 0): SentFile =>
      new SentFile(world.network.openFile(bytes, at), at + bytes.length);

    it('B39: a file that the system sends, right behind one that has to be read', async () => {
      const { bev, peer } = await world.accepted({});
      const [read, sent] = [pattern(500), pattern(1000)];
      const descriptor = world.network.openFile(sent);
      bev.output.addFileSegment(new ScriptedFile(read));
      bev.output.addFileSegment(new ScriptedFile(sent, false, descriptor));
      await world.until(() => peer.receivedBytes === 1500, 'both');
      await bev.drained();
      expect(same(peer.received, Buffer.concat([read, sent]))).toBe(true);
      world.network.closeDescriptor(descriptor);
    });

    it('B39: sendFile is used, between the memory around it', async () => {
      const calls: number[][] = [];
      const base = world.newBase({ backend: recordingSendFile(world.plain, calls) });
      const { bev, peer } = await world.accepted({}, { base });
      const bytes = pattern(5000);
      const file = memoryFile(bytes);
      bev.write('<');
      bev.output.addFileSegment(file, 100, 4000);
      bev.write('>');
      await world.until(() => peer.receivedBytes === 4002, 'all');
      expect(same(peer.received.subarray(1, 4001), bytes.subarray(100, 4100))).toBe(true);
      expect(`${peer.received.subarray(0, 1)}${peer.received.subarray(4001)}`).toBe('<>');
      expect(calls).toEqual([[file.descriptor, 100, 4000]]);
      expect(file.users).toBe(0);
      world.network.closeDescriptor(file.descriptor);
    });

    it('offsets beyond 4 GiB are those of the file', async () => {
      const calls: number[][] = [];
      const base = world.newBase({ backend: recordingSendFile(world.plain, calls) });
      const { bev, peer } = await world.accepted({}, { base });
      const at = 2 ** 33 - 10;
      const bytes = pattern(3000);
      const file = memoryFile(bytes, at);
      const part = new SentFile(file.descriptor, 3000, at);
      bev.output.addFileSegment(file, at, 3000);
      bev.output.addFileSegment(part, 1000);
      await world.until(() => peer.receivedBytes === 5000, 'both');
      expect(same(peer.received, Buffer.concat([bytes, bytes.subarray(1000)]))).toBe(true);
      expect(calls).toEqual([
        [file.descriptor, at, 3000],
        [file.descriptor, at + 1000, 2000],
      ]);
      world.network.closeDescriptor(file.descriptor);
    });

    it('C9: a short sendFile goes on where it stopped, within the bytes of files of a turn (CB-7)', async () => {
      const calls: number[][] = [];
      const faulty = withFaults(world.plain, { maxSend: 30 });
      const base = world.newBase({
        backend: recordingSendFile(faulty, calls),
        limits: { bytesPerTurn: 20, fileBytesPerTurn: 50 },
      });
      const { bev, peer } = await world.accepted({}, { base });
      const bytes = pattern(1000);
      const file = memoryFile(bytes);
      bev.output.addFileSegment(file);
      await world.until(() => peer.receivedBytes === 1000, 'all');
      expect(same(peer.received, bytes)).toBe(true);
      expect(calls.slice(0, 2)).toEqual([
        [file.descriptor, 0, 50],
        [file.descriptor, 30, 50],
      ]);
      expect(calls.at(-1)).toEqual([file.descriptor, 990, 10]);
      world.network.closeDescriptor(file.descriptor);
    });

    it('B39: a file that ends early is one error, after what there was of it; the rest stays', async () => {
      const { bev, peer } = await world.accepted(world.record('server'));
      const bytes = pattern(1000);
      const file = new SentFile(world.network.openFile(bytes), 3000);
      bev.write('head');
      bev.output.addFileSegment(file);
      bev.write('tail');
      await world.until(() => world.log.length > 0, 'the error');
      await world.settle();
      expect(world.log).toEqual(['server error ERR_EVBUFFER_FILE_SHRANK write']);
      expect(same(peer.received.subarray(4), bytes)).toBe(true);
      expect(bev.output.length).toBe(2004);
      const cause = await bev.closed;
      expect(cause).toMatchObject({
        kind: 'error',
        error: { name: 'EvbufferError', code: 'ERR_EVBUFFER_FILE_SHRANK' },
      });
      expect((cause as { error: Error }).error.message).toContain('ends at 1000,');
      expect(() => {
        bev.output.pin(4);
        bev.output.unpin();
      }, 'unpinned').not.toThrow();
      peer.send('!');
      expect(text(await bev.read(1))).toBe('!');
      bev.free();
      await world.settle();
      expect(file.users).toBe(0);
      world.network.closeDescriptor(file.descriptor);
    });

    it('C4: the file is held while it is being sent, whatever happens to the connection', async () => {
      const { bev, peer } = await world.accepted(world.record('server'));
      peer.stopReading();
      const file = memoryFile(nothing, 100 * MiB);
      bev.output.addFileSegment(file);
      await world.settle();
      expect(() => bev.output.pin(1), 'pinned').toThrow(
        expect.objectContaining({ code: 'ERR_EVBUFFER_INVALID_STATE' }),
      );
      bev.free();
      expect(file.users).toBe(1);
      await world.settle();
      expect(file.users).toBe(0);
      expect(world.log).toEqual([]);
      world.network.closeDescriptor(file.descriptor);
    });

    it('C13: what the system answers keeps its code', async () => {
      const base = world.newBase({
        backend: withFaults(world.plain, { errors: [{ operation: Operation.sendFile, nth: 1, error: 'EINVAL' }] }),
      });
      const { bev } = await world.accepted(world.record('server'), { base });
      const file = memoryFile(pattern(10));
      bev.output.addFileSegment(file);
      await world.until(() => world.log.length > 0, 'the error');
      expect(world.log).toEqual(['server error EINVAL write']);
      bev.free();
      await world.settle();
      expect(file.users).toBe(0);
      world.network.closeDescriptor(file.descriptor);
    });

    it('TO-3: the write time-out runs while the file is being sent', async () => {
      const { bev, peer } = await world.accepted(world.record('server'));
      peer.stopReading();
      bev.setTimeouts({ writeMs: 100 });
      const file = memoryFile(nothing, 1 * MiB);
      bev.output.addFileSegment(file);
      await world.settle();
      await world.advance(100);
      expect(world.log).toEqual(['server timeout write']);
      peer.readOn();
      bev.enable('write');
      await world.until(() => peer.receivedBytes === MiB, 'all');
      world.network.closeDescriptor(file.descriptor);
    });
  });
});

/** A file by its descriptor, which nobody reads. */
class SentFile implements FileSource {
  readonly descriptor: number;
  readonly length: number;
  readonly offset: number;
  users = 0;

  constructor(descriptor: number, length: number, offset = 0) {
    this.descriptor = descriptor;
    this.length = length;
    this.offset = offset;
  }

  readSync(): void {
    throw new Error('read, where it should be sent');
  }

  async read(): Promise<void> {
    this.readSync();
  }

  retain(): void {
    this.users += 1;
  }

  release(): void {
    this.users -= 1;
  }
}

function baseWith(world: World, supports: { sendFile: boolean }, limits = {}): EventBase {
  return world.newBase({ backend: createMemoryBackend(world.network, { supports }), limits });
}

/** Writes down the arguments of each `sendFile`, without the handle. */
function recordingSendFile(below: Backend, calls: number[][]): Backend {
  return {
    ...below,
    createPort(sink, options): Port {
      const port = below.createPort(sink, options);
      const sendFile = port.sendFile.bind(port);
      port.sendFile = (stream, ...rest) => {
        calls.push(rest);
        sendFile(stream, ...rest);
      };
      return port;
    },
  };
}
