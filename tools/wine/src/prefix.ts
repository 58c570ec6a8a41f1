// A prefix is a Windows of its own: a drive, a registry, and a server process, with which everything in it ends. Each run has
// one to itself, so that it can be ended without regard to others; they are kept, because making one takes 10 s and 700 MB.
import { spawn, spawnSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import { once } from 'node:events';
import { existsSync, mkdirSync, renameSync, rmSync } from 'node:fs';
import { createServer, type Server } from 'node:net';
import { join } from 'node:path';
import { cacheFolder } from '../../run/fetch-node.mjs';
import { atSameAddresses } from './addresses.js';
import { wine, wineServer } from './programs.js';
import { inSurroundings, type Surroundings } from './surroundings.js';

const MOST_PREFIXES = 16;

/** Windows' names of its editions. */
const productTypes = { client: 'WinNT', server: 'ServerNT' } as const;

export type Edition = keyof typeof productTypes;

export class Prefix implements Disposable {
  readonly folder: string;
  readonly #claim: Server;

  /** The first that nobody uses, made where it does not exist. */
  static async take(): Promise<Prefix> {
    for (let number = 0; number < MOST_PREFIXES; number++) {
      const folder = join(cacheFolder, `wine-prefix-${number}`);
      const claim = await claimed(folder);
      if (claim === null) continue;
      const prefix = new Prefix(folder, claim);
      try {
        // Of a run that was killed.
        prefix.end();
        await prefix.#prepare();
        // Wine makes a client, where the backend sends no files; and so may have a run that was killed.
        await prefix.become('server');
        rmSync(prefix.scratch, { recursive: true, force: true });
        mkdirSync(prefix.scratch);
      } catch (error) {
        prefix[Symbol.dispose]();
        throw error;
      }
      return prefix;
    }
    throw new Error(`${MOST_PREFIXES} prefixes are in use`);
  }

  private constructor(folder: string, claim: Server) {
    this.folder = folder;
    this.#claim = claim;
  }

  /** For files of the run that has the prefix. Empty at first. */
  get scratch(): string {
    return join(this.folder, 'scratch');
  }

  /** Ours, but for what is about programs of Linux. Without a screen, and without what Wine would offer to install. */
  get environment(): NodeJS.ProcessEnv {
    return {
      ...process.env,
      NODE_OPTIONS: undefined,
      REQUIRE_TOOLS: undefined,
      // For tests that Wine fails where Windows would not.
      UNDER_WINE: '1',
      DISPLAY: undefined,
      WAYLAND_DISPLAY: undefined,
      WINEARCH: 'win64',
      WINEDEBUG: '-all',
      WINEDLLOVERRIDES: 'mscoree=d;mshtml=d;winemenubuilder.exe=d',
      WINEPREFIX: this.folder,
    };
  }

  /** Ends every process of the prefix. Those that are started now run in such surroundings, until {@link end}. */
  surround(surroundings: Surroundings): void {
    this.end();
    const [command, ...words] = inSurroundings(surroundings, wineServer, '--persistent');
    // Not a pipe: the server would keep it open.
    const { status } = spawnSync(command, words, { env: this.environment, stdio: ['ignore', 'ignore', 'inherit'] });
    if (status !== 0) throw new Error(`wineserver in ${surroundings} ended with ${status}`);
  }

  /** Programs that are started from now on are in this edition of Windows. At first it is a server. */
  async become(edition: Edition): Promise<void> {
    const key = 'HKLM\\System\\CurrentControlSet\\Control\\ProductOptions';
    await this.#run('reg', 'add', key, '/v', 'ProductType', '/d', productTypes[edition], '/f');
  }

  /** Ends every process of the prefix. */
  end(): void {
    if (existsSync(this.folder)) this.#server('--kill');
  }

  [Symbol.dispose](): void {
    this.end();
    rmSync(this.scratch, { recursive: true, force: true });
    this.#claim.close();
  }

  async #prepare(): Promise<void> {
    if (existsSync(this.folder)) return;
    mkdirSync(cacheFolder, { recursive: true });
    const unfinished = `${this.folder}-unfinished`;
    rmSync(unfinished, { recursive: true, force: true });
    const making = new Prefix(unfinished, this.#claim);
    await making.#run('wineboot', '--init');
    // Wine 8 would be Windows 7, on which Node 20 does not start.
    await making.#run('winecfg', '-v', 'win10');
    making.#server('--wait');
    renameSync(unfinished, this.folder);
  }

  async #run(...words: string[]): Promise<void> {
    const [program, ...all] = atSameAddresses(wine, ...words);
    const child = spawn(program, all, { env: this.environment, stdio: 'ignore' });
    const [code] = (await once(child, 'exit')) as [number | null];
    if (code !== 0) throw new Error(`wine64 ${words.join(' ')} ended with ${code}`);
  }

  #server(word: '--kill' | '--wait'): void {
    spawnSync(wineServer, [word], { env: this.environment, stdio: 'ignore' });
    // What was ended is gone only after a moment.
    if (word === '--kill') spawnSync(wineServer, ['--wait'], { env: this.environment, stdio: 'ignore' });
  }
}

/**
 * Held as long as this process lives, however it ends: a name that the kernel gives to one process only. Of each network: runs in
 * two of them do not see each other, and want caches of their own.
 */
async function claimed(folder: string): Promise<Server | null> {
  const server = createServer();
  // In the abstract space of Linux, where names are short.
  server.listen({ path: `\0bufferevent-${createHash('sha256').update(folder).digest('hex')}` });
  try {
    await once(server, 'listening');
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'EADDRINUSE') return null;
    throw error;
  }
  server.unref();
  return server;
}
