import { type Digest, Meter, payload } from './payload.js';
import { Program, type ProgramOptions } from './program.js';

/** A program that sends what it reads from its standard input, and writes to its standard output what it receives. */
export class PipedProgram extends Program {
  readonly #take: Taker;

  constructor(command: string, words: readonly string[], options: Pick<ProgramOptions, 'cwd'> = {}) {
    const take: Taker = { meter: new Meter(), told: () => {} };
    super(command, words, {
      ...options,
      onData(chunk) {
        take.meter.add(chunk);
        take.told();
      },
    });
    this.#take = take;
    take.told = () => this.again();
  }

  /** Has so many bytes sent and takes as many. */
  async exchange(bytes: number): Promise<{ sent: Digest; received: Digest }> {
    const take = this.#take;
    const sending = this.#send(bytes);
    await this.when(`${bytes} bytes`, () => (take.meter.bytes >= bytes ? true : null));
    const sent = await sending;
    const received = take.meter.digest();
    take.meter = new Meter();
    return { sent, received };
  }

  /** What has come beyond what was exchanged. */
  get surplus(): number {
    return this.#take.meter.bytes;
  }

  async #send(bytes: number): Promise<Digest> {
    const sent = new Meter();
    for (const piece of payload(bytes)) {
      sent.add(piece);
      await this.write(piece);
    }
    return sent.digest();
  }
}

interface Taker {
  meter: Meter;
  told: () => void;
}
