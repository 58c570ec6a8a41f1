// The echo server and client with Node for Windows, under Wine.
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { Prefix } from './prefix.js';
import { Staging } from './staging.js';
import { WindowsProgram } from './windows-node.js';

const startMs = 60_000;

/** What the server says when it is ready, wherever it runs. */
export const echoIsReady: RegExp = /listening on 127\.0\.0\.1:(\d+) /;

export class WindowsEcho implements Disposable {
  readonly #prefix: Prefix;
  readonly #echo: string;
  #programs = 0;

  static async open(): Promise<WindowsEcho> {
    return new WindowsEcho(await Prefix.take());
  }

  private constructor(prefix: Prefix) {
    this.#prefix = prefix;
    this.#echo = new Staging(prefix.scratch).add('echo');
  }

  /** Starts a server, which runs to the end of this object. Resolves with its port. */
  async serve(...words: string[]): Promise<number> {
    const server = this.#run(['serve', '--port', '0', '--quiet', ...words]);
    const [, port] = await server.said(echoIsReady, startMs);
    return Number(port);
  }

  /** Starts a client that sends what it is given here, and puts out all that comes back. */
  client(input: Uint8Array, ...words: string[]): WindowsProgram {
    const file = join(this.#prefix.scratch, 'input');
    writeFileSync(file, input);
    return this.#run(['client', ...words], file);
  }

  [Symbol.dispose](): void {
    this.#prefix[Symbol.dispose]();
  }

  #run(words: readonly string[], input?: string): WindowsProgram {
    return new WindowsProgram(this.#prefix, ['dist/main.js', ...words], {
      node: 20,
      folder: this.#echo,
      log: join(this.#prefix.scratch, `log-${++this.#programs}`),
      ...(input === undefined ? {} : { input }),
    });
  }
}
