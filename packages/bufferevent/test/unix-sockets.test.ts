// Listening on paths for real: permissions of the socket file, and files that others left behind. B89, B124.

import { chmodSync, existsSync, mkdirSync, mkdtempSync, rmSync, statSync, symlinkSync, writeFileSync } from 'node:fs';
import { createServer, type Server } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { connect, listen, type SocketBufferevent } from 'bufferevent';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { text } from './support/bytes.js';
import { noteOptions } from './support/options.js';
import { Program, run } from './support/program.js';
import { sockets } from './support/system-backends.js';
import { rejection } from './support/wait.js';
import { inWorlds } from './support/world.js';

describe.skipIf(process.platform === 'win32')('Unix-domain sockets', () => {
  let folder = '';
  let path = '';
  beforeEach(() => {
    folder = mkdtempSync(join(tmpdir(), 'bev-'));
    path = join(folder, 'socket');
  });
  afterEach(() => rmSync(folder, { recursive: true, force: true }));

  const permissions = () => statSync(path).mode & 0o777;

  /** Leaves a socket file behind on which nobody listens, as a process does that is killed. */
  async function leaveStale(): Promise<void> {
    const crashed = new Program(`
      import { createServer } from 'node:net';
      createServer().listen(${JSON.stringify(path)}, () => console.log('listening'));
    `);
    await crashed.says('listening');
    await crashed.kill();
    expect(existsSync(path)).toBe(true);
  }

  inWorlds(sockets, (world) => {
    it('B89: mode gives the socket file its permissions, and only those who may write can connect', async () => {
      for (const mode of [0o600, 0o660, 0o666, 0o700]) {
        const umask = process.umask(0);
        try {
          const listener = await listen({ path }, {}, { base: world.base, mode });
          expect(permissions()).toBe(mode);
          expect(process.umask()).toBe(0);
          await listener.close();
        } finally {
          process.umask(umask);
        }
        expect(existsSync(path)).toBe(false);
      }
    });

    it('B89: without mode the umask decides, as for every file', async () => {
      const umask = process.umask(0o027);
      try {
        await listen({ path }, {}, { base: world.base });
        expect(permissions()).toBe(0o750);
      } finally {
        process.umask(umask);
      }
    });

    it('B89: a listen() with mode that fails changes neither the umask nor the file of another', async () => {
      const first = await listen({ path }, {}, { base: world.base, mode: 0o600 });
      const umask = process.umask(0o022);
      try {
        const error = await rejection(listen({ path }, {}, { base: world.base, mode: 0o666 }));
        expect(error).toMatchObject({ code: 'EADDRINUSE', syscall: 'listen', address: path });
        expect(process.umask()).toBe(0o022);
      } finally {
        process.umask(umask);
      }
      expect(permissions()).toBe(0o600);
      await first.close();
    });

    it('B89: a path that is too long is refused, and none is made of its beginning', async () => {
      const long = join(folder, 'x'.repeat(200));
      for (const call of [
        listen({ path: long }, {}, { base: world.base }),
        connect({ path: long }, {}, { base: world.base }),
      ]) {
        expect(await rejection(call)).toMatchObject({ code: 'ENAMETOOLONG', address: long });
      }
      await world.until(() => world.base.stats().port.streams + world.base.stats().port.listeners === 0, 'the end');
    });

    it('B48: options of TCP are without effect on paths', async () => {
      const noted = noteOptions(world.backend);
      const base = world.newBase({ backend: noted.backend });
      const options = { base, noDelay: true, keepAlive: 1000 };
      await listen({ path }, { onConnection: (bev) => void world.keep(bev).write('hello') }, options);
      const bev = world.keep(await connect({ path }, {}, options));
      expect(text(await bev.read(5))).toBe('hello');
      expect(noted.log.filter((line) => line.startsWith('noDelay')).length).toBe(2);
    });

    it('B124: a stale socket is EADDRINUSE, unless unlinkStale asks for its removal', async () => {
      await leaveStale();
      const error = await rejection(listen({ path }, {}, { base: world.base }));
      expect(error).toMatchObject({ code: 'EADDRINUSE', address: path });
      expect(existsSync(path)).toBe(true);
      const accepted: SocketBufferevent[] = [];
      const listener = await listen(
        { path },
        { onConnection: (bev) => void accepted.push(world.keep(bev)) },
        { base: world.base, unlinkStale: true, mode: 0o600 },
      );
      expect(permissions()).toBe(0o600);
      world.keep(await connect({ path }, {}, { base: world.base }));
      await world.until(() => accepted.length === 1, 'a connection');
      await listener.close();
    });

    it('B124: a socket that answers is left alone', async () => {
      const server: Server = createServer((socket) => socket.on('error', () => {}).resume());
      await new Promise<void>((resolve) => server.listen(path, resolve));
      const error = await rejection(listen({ path }, {}, { base: world.base, unlinkStale: true }));
      expect(error).toMatchObject({ code: 'EADDRINUSE' });
      const bev = world.keep(await connect({ path }, {}, { base: world.base }));
      bev.free();
      await world.until(() => world.base.stats().port.streams === 0, 'the probe to be gone');
      await new Promise((resolve) => server.close(resolve));
    });

    it.skipIf(process.platform !== 'linux')('B124: a server that is too busy to answer is left alone', async () => {
      const busy = new Program(`
        import { createServer } from 'node:net';
        createServer().listen({ path: ${JSON.stringify(path)}, backlog: 1 }, () => console.log(process.pid, 'listens'));
      `);
      process.kill(Number.parseInt(await busy.says('listens'), 10), 'SIGSTOP');
      const waiting: SocketBufferevent[] = [];
      const fill = async (): Promise<never> => {
        for (;;) waiting.push(world.keep(await connect({ path }, {}, { base: world.base })));
      };
      expect(await rejection(fill())).toMatchObject({ code: 'EAGAIN' });
      const error = await rejection(listen({ path }, {}, { base: world.base, unlinkStale: true }));
      expect(error).toMatchObject({ code: 'EADDRINUSE' });
      expect(existsSync(path)).toBe(true);
      for (const bev of waiting) bev.free();
      await busy.kill();
    });

    it.skipIf(process.getuid?.() === 0)('B124: a socket that may not be connected to is left alone', async () => {
      await leaveStale();
      chmodSync(path, 0);
      const error = await rejection(listen({ path }, {}, { base: world.base, unlinkStale: true }));
      expect(error).toMatchObject({ code: 'EADDRINUSE' });
      expect(existsSync(path)).toBe(true);
    });

    it('B124: what is no socket is left alone, also behind a symbolic link', async () => {
      await leaveStale();
      const others: Record<string, (at: string) => void> = {
        file: (at) => writeFileSync(at, 'precious'),
        folder: (at) => mkdirSync(at),
        link: (at) => symlinkSync(path, at),
        'broken link': (at) => symlinkSync(join(folder, 'nowhere'), at),
      };
      for (const [name, make] of Object.entries(others)) {
        const at = join(folder, name);
        make(at);
        const before = statSync(at, { throwIfNoEntry: false })?.ino;
        const error = await rejection(listen({ path: at }, {}, { base: world.base, unlinkStale: true }));
        expect(error, name).toMatchObject({ code: 'EADDRINUSE', address: at });
        expect(statSync(at, { throwIfNoEntry: false })?.ino).toBe(before);
        expect(existsSync(path), name).toBe(true);
      }
    });

    it('B124: with nothing in the way, or in the abstract space, it does nothing', async () => {
      const listener = await listen({ path }, {}, { base: world.base, unlinkStale: true });
      await listener.close();
      if (process.platform !== 'linux') return;
      const abstract = { path: `\0bev-${process.pid}` };
      const first = await listen(abstract, {}, { base: world.base, unlinkStale: true });
      const error = await rejection(listen(abstract, {}, { base: world.base, unlinkStale: true }));
      expect(error).toMatchObject({ code: 'EADDRINUSE' });
      await first.close();
    });

    it('B85, B124: a signal, or disposal of the base, gives up while the old socket is being tried', async () => {
      await leaveStale();
      const controller = new AbortController();
      const reason = new Error('changed my mind');
      const aborted = rejection(
        listen({ path }, {}, { base: world.base, unlinkStale: true, signal: controller.signal }),
      );
      controller.abort(reason);
      expect(await aborted).toBe(reason);
      const base = world.newBase();
      const disposed = rejection(listen({ path }, {}, { base, unlinkStale: true }));
      await base[Symbol.asyncDispose]();
      expect(await disposed).toMatchObject({ code: 'ERR_BUFFEREVENT_CLOSED' });
      await world.until(() => world.base.stats().port.streams === 0, 'the probe to be gone');
      expect(existsSync(path)).toBe(true);
      expect(world.base.stats().port.listeners).toBe(0);
    });

    it('B86: the peer of a connection dropped on a path has no address', async () => {
      const dropped: unknown[] = [];
      const handlers = {
        onConnection: (bev: SocketBufferevent) => void world.keep(bev),
        onDrop: (peer: unknown) => void dropped.push(peer),
      };
      await listen({ path }, handlers, { base: world.base, maxConnections: 1, overflow: 'drop' });
      for (let index = 0; index < 2; index++) world.keep(await connect({ path }, {}, { base: world.base }));
      await world.until(() => dropped.length === 1, 'the second to be dropped');
      expect(dropped).toEqual([null]);
    });

    it('LI-7: reusePort is refused on a path, and a path alone works (regress E10)', async () => {
      const { supports } = world.backend;
      for (const reusePort of [true]) {
        const code = supports.reusePort
          ? 'ERR_OUT_OF_RANGE'
          : expect.stringMatching(/^ERR_(OUT_OF_RANGE|BUFFEREVENT_UNSUPPORTED)$/);
        expect(() => void listen({ path }, {}, { base: world.base, reusePort })).toThrow(
          expect.objectContaining({ code }),
        );
      }
      expect(existsSync(path)).toBe(false);
      const listener = await listen({ path }, {}, { base: world.base, reusePort: false });
      expect(listener.address).toEqual({ path });
      expect(statSync(path).isSocket()).toBe(true);
      await listener.close();
      expect(existsSync(path)).toBe(false);
    });
  });

  it('B89: in a worker, which has no umask of its own, the permissions are right when listen() resolves', async () => {
    const outcome = await run(`
      import { Worker } from 'node:worker_threads';
      const worker = new Worker(\`
        import { statSync } from 'node:fs';
        import { listen } from 'bufferevent';
        const path = ${JSON.stringify(path)};
        const listener = await listen({ path }, {}, { mode: 0o600 });
        console.log((statSync(path).mode & 0o777).toString(8));
        const taken = await listen({ path }, {}, { mode: 0o666 }).catch(({ code }) => code);
        console.log(taken, (statSync(path).mode & 0o777).toString(8));
        await listener.close();
      \`, { eval: true, execArgv: ['--input-type=module'] });
      worker.on('error', (error) => console.log(error));
    `);
    expect(outcome).toEqual({ code: 0, signal: null, stdout: '600\nEADDRINUSE 600\n', stderr: '' });
  });
});
