import type { EolStyle } from 'evbuffer';
import type { ReadLineOptions, ReadOptions } from '../../pull.js';
import { type BrokenFake, brokenFake } from './fake.js';
import { Fault } from './fault.js';

const never = new Promise<never>(() => undefined);

class GivesFewer extends Fault {
  read(): Promise<Uint8Array | null> {
    return this.below.read();
  }
}

class EndsInSilence extends Fault {
  read(count?: number, options?: ReadOptions): Promise<Uint8Array | null> {
    return this.below.read(count, options).catch((error: { code?: string }) => {
      if (error.code === 'ERR_BUFFEREVENT_UNEXPECTED_END') return null;
      throw error;
    });
  }
}

class LosesThePartAtTheEnd extends Fault {
  read(count?: number, options?: ReadOptions): Promise<Uint8Array | null> {
    return this.below.read(count, options).catch((error: { code?: string }) => {
      if (error.code === 'ERR_BUFFEREVENT_UNEXPECTED_END') this.below.input.drain();
      throw error;
    });
  }
}

class KeepsTheMarkLifted extends Fault {
  read(count?: number, options?: ReadOptions): Promise<Uint8Array | null> {
    const { high } = this.below.getWatermarks('read');
    if (count !== undefined && count > high) this.below.setWatermarks('read', { high: 0 });
    return this.below.read(count, options);
  }
}

class ReadsWithoutLimit extends Fault {
  read(count?: number, { signal }: ReadOptions = {}): Promise<Uint8Array | null> {
    return this.below.read(count, { maxBytes: Infinity, ...(signal && { signal }) });
  }
}

class GoesOnReading extends Fault {
  read(count?: number, options?: ReadOptions): Promise<Uint8Array | null> {
    this.below.enable('read');
    return this.below.read(count, options);
  }
}

class KeepsTerminators extends Fault {
  readLine(style?: EolStyle, options?: ReadLineOptions): Promise<string | null> {
    return this.below.readLine(style, options).then((line) => (line === null ? null : `${line}\n`));
  }
}

class LinesInOneEncoding extends Fault {
  readLine(style?: EolStyle, options: ReadLineOptions = {}): Promise<string | null> {
    return this.below.readLine(style, { ...options, encoding: 'utf8' });
  }
}

class CutsLongLines extends Fault {
  readLine(style?: EolStyle, options?: ReadLineOptions): Promise<string | null> {
    return this.below.readLine(style, options).catch((error: { code?: string }) => {
      if (error.code !== 'ERR_BUFFEREVENT_LINE_LIMIT') throw error;
      return Buffer.from(this.below.input.remove(options?.maxBytes ?? 0)).toString();
    });
  }
}

class LateToTheQueue extends Fault {
  async read(count?: number, options?: ReadOptions): Promise<Uint8Array | null> {
    await new Promise(setImmediate);
    return this.below.read(count, options);
  }
}

class LastComeFirstServed extends Fault {
  #last: Promise<unknown> | null = null;

  read(count?: number, options?: ReadOptions): Promise<Uint8Array | null> {
    const earlier = this.#last;
    const pull = this.below.read(count, options);
    this.#last = pull;
    return earlier === null ? this.#afterTheLast(pull) : pull;
  }

  async #afterTheLast(pull: Promise<Uint8Array | null>): Promise<Uint8Array | null> {
    const value = await pull;
    await this.#last?.catch(() => null);
    return value;
  }
}

class IgnoresSignals extends Fault {
  read(count?: number, options: ReadOptions = {}): Promise<Uint8Array | null> {
    const { signal: _, ...others } = options;
    return this.below.read(count, others);
  }
}

class AbortLosesBytes extends Fault {
  read(count?: number, options?: ReadOptions): Promise<Uint8Array | null> {
    options?.signal?.addEventListener('abort', () => this.attempt(() => this.below.input.drain(1)));
    return this.below.read(count, options);
  }
}

class WaitsAfterFree extends Fault {
  read(count?: number, options?: ReadOptions): Promise<Uint8Array | null> {
    return this.below.read(count, options).catch((error: { code?: string }) => {
      if (error.code === 'ERR_BUFFEREVENT_FREED') return never;
      throw error;
    });
  }
}

class EndsOnFailure extends Fault {
  read(count?: number, options?: ReadOptions): Promise<Uint8Array | null> {
    return this.below.read(count, options).catch(() => null);
  }
}

class LoopOwnsTheConnection extends Fault {
  async *[Symbol.asyncIterator](): AsyncGenerator<Uint8Array, void, undefined> {
    try {
      for await (const chunk of this.below) yield chunk;
    } finally {
      this.below.free();
    }
  }
}

class LoopNeverEnds extends Fault {
  async *[Symbol.asyncIterator](): AsyncGenerator<Uint8Array, void, undefined> {
    yield* this.below;
    await never;
  }
}

export const pullingFakes: readonly BrokenFake[] = [
  brokenFake('B70', 'gives fewer bytes than asked for', GivesFewer),
  brokenFake('B70', 'takes an early end for a clean one', EndsInSilence),
  brokenFake('B70', 'loses the bytes before an early end', LosesThePartAtTheEnd),
  brokenFake('B71', 'keeps the mark lifted', KeepsTheMarkLifted),
  brokenFake('B71', 'reads any number of bytes', ReadsWithoutLimit),
  brokenFake('B72', 'keeps the terminators of lines', KeepsTerminators),
  brokenFake('B72', 'decodes every line as UTF-8', LinesInOneEncoding),
  brokenFake('B72', 'cuts lines that are too long', CutsLongLines),
  brokenFake('B73', 'goes on reading after a pull', GoesOnReading),
  brokenFake('B73', 'lets onRead see the bytes of a pull', LateToTheQueue),
  brokenFake('B73', 'answers pulls in another order', LastComeFirstServed),
  brokenFake('B74', 'ignores signals', IgnoresSignals),
  brokenFake('B74', 'loses bytes with an aborted pull', AbortLosesBytes),
  brokenFake('B75', 'keeps pulls waiting after free', WaitsAfterFree),
  brokenFake('B75', 'ends pulls cleanly after a failure', EndsOnFailure),
  brokenFake('B76', 'frees itself when a loop is left', LoopOwnsTheConnection),
  brokenFake('B76', 'never ends a loop', LoopNeverEnds),
];
