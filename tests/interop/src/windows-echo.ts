// The echo server and client with Node for Windows, under Wine.
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { Prefix, Staging, WindowsProgram } from 'wine';
import { echoIsReady } from './echo-program.js';
import { type Digest, Meter, payload } from './payload.js';

const startMs = 60_000;
const clientMs = 120_000;

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

  /** Has a client send so many bytes, and take all that comes back. */
  async exchange(bytes: number, ...words: string[]): Promise<{ sent: Digest; received: Digest }> {
    const input = join(this.#prefix.scratch, 'input');
    const sent = new Meter();
    const pieces = [...payload(bytes)];
    for (const piece of pieces) sent.add(piece);
    writeFileSync(input, Buffer.concat(pieces));
    const client = this.#run(['client', ...words], input);
    const code = await client.end(clientMs);
    if (code !== 0) throw new Error(`the client ended with ${code}: ${client.output().slice(-2000)}`);
    const received = new Meter();
    received.add(client.outputBytes());
    return { sent: sent.digest(), received: received.digest() };
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
