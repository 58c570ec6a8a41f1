import { type Evbuffer, type EvbufferEncoding, isEvbuffer } from 'evbuffer';
import { BuffereventError } from '../../errors.js';
import type { Direction } from '../../events.js';
import type { PullOptions } from '../../pull.js';
import type { Watermarks } from '../../watermarks.js';
import { type BrokenFake, brokenFake } from './fake.js';
import { Fault } from './fault.js';

type Data = string | Uint8Array | Evbuffer;

class CopiesEvbuffers extends Fault {
  write(data: Data, encoding?: EvbufferEncoding): boolean {
    if (!isEvbuffer(data)) return this.below.write(data, encoding);
    const copy = new Uint8Array(data.length);
    data.copyOut(copy);
    return this.below.write(copy);
  }
}

class KeepsReferences extends Fault {
  write(data: Data, encoding?: EvbufferEncoding): boolean {
    if (!(data instanceof Uint8Array)) return this.below.write(data, encoding);
    const more = this.below.write('');
    this.below.output.addReference(data);
    return more;
  }
}

class IgnoresEncodings extends Fault {
  write(data: Data): boolean {
    return this.below.write(data);
  }
}

/** As a codec does that waits for the rest of a block. */
class HoldsTheLastByte extends Fault {
  #held = new Uint8Array(0);

  write(data: Data, encoding?: EvbufferEncoding): boolean {
    if (!(data instanceof Uint8Array) || data.length === 0) return this.below.write(data, encoding);
    const whole = Buffer.concat([this.#held, data]);
    this.#held = whole.subarray(-1);
    return this.below.write(whole.subarray(0, -1));
  }
}

/** State that belongs to a connection, kept for all of them. */
class SharesItsState extends Fault {
  static #held: Uint8Array = new Uint8Array(0);

  write(data: Data, encoding?: EvbufferEncoding): boolean {
    if (!(data instanceof Uint8Array) || data.length !== 250) return this.below.write(data, encoding);
    const more = SharesItsState.#held.length === 0 || this.below.write(SharesItsState.#held);
    SharesItsState.#held = Uint8Array.from(data);
    return more;
  }
}

class SendsFilesLater extends Fault {
  get output(): Evbuffer {
    return new Proxy(this.below.output, {
      get: (target, name) => {
        const value: unknown = Reflect.get(target, name, target);
        if (name === 'addFileSegment') return (...range: Parameters<Evbuffer['addFileSegment']>) => this.#add(range);
        return typeof value === 'function' ? value.bind(target) : value;
      },
    });
  }

  #add([segment, offset, length]: Parameters<Evbuffer['addFileSegment']>): void {
    segment.retain();
    setImmediate(() => {
      this.attempt(() => this.below.output.addFileSegment(segment, offset, length));
      segment.release();
    });
  }
}

class SwapsPieces extends Fault {
  #earlier: Uint8Array | null = null;

  write(data: Data, encoding?: EvbufferEncoding): boolean {
    if (!(data instanceof Uint8Array) || data.length !== 1000) return this.below.write(data, encoding);
    if (this.#earlier === null) {
      this.#earlier = Uint8Array.from(data);
      return true;
    }
    this.below.write(data);
    const earlier = this.#earlier;
    this.#earlier = null;
    return this.below.write(earlier);
  }
}

class DoublesLargeWrites extends Fault {
  write(data: Data, encoding?: EvbufferEncoding): boolean {
    if (data instanceof Uint8Array && data.length > 1500) this.below.write(data.subarray(0, 1));
    return this.below.write(data, encoding);
  }
}

class CallsForEmptyWrites extends Fault {
  write(data: Data, encoding?: EvbufferEncoding): boolean {
    const empty = data.length === 0;
    const more = this.below.write(data, encoding);
    if (empty) this.below.trigger('write');
    return more;
  }
}

class CallsForEachSend extends Fault {
  constructor(below: Fault['below']) {
    super(below);
    below.setWatermarks('write', { low: 2 ** 40, high: 0 });
  }

  setWatermarks(direction: Direction, marks: Partial<Watermarks>): void {
    if (direction === 'read') this.below.setWatermarks('read', marks);
  }
}

class NeverCallsOnWrite extends Fault {
  override deliverWrite(): void {}
}

class CallsOnWriteForNothing extends Fault {
  override deliverWrite(): void {
    super.deliverWrite();
    setImmediate(() => this.attempt(() => super.deliverWrite()));
  }
}

class NoCallOnEnable extends Fault {
  #enabling = false;

  enable(...directions: Direction[]): void {
    this.#enabling = directions.includes('write') && this.below.output.length === 0;
    this.below.enable(...directions);
  }

  override deliverWrite(): void {
    const skip = this.#enabling;
    this.#enabling = false;
    if (!skip) super.deliverWrite();
  }
}

class NeverRefuses extends Fault {
  write(data: Data, encoding?: EvbufferEncoding): boolean {
    this.below.write(data, encoding);
    return true;
  }
}

/** A full queue drops what comes. */
class RefusesAboveTheMark extends Fault {
  write(data: Data, encoding?: EvbufferEncoding): boolean {
    const { high } = this.below.getWatermarks('write');
    return (high === 0 || this.below.output.length < high) && this.below.write(data, encoding);
  }
}

class SilentCap extends Fault {
  write(data: Data, encoding?: EvbufferEncoding): boolean {
    try {
      return this.below.write(data, encoding);
    } catch (error) {
      if ((error as { code?: string }).code === 'ERR_BUFFEREVENT_OUTPUT_LIMIT') return false;
      throw error;
    }
  }
}

class ThrowsAfterFailure extends Fault {
  write(data: Data, encoding?: EvbufferEncoding): boolean {
    const before = this.below.output.length;
    const more = this.below.write(data, encoding);
    if (!more && this.below.output.length === before && !isEvbuffer(data))
      throw new BuffereventError('ERR_BUFFEREVENT_CLOSED', 'write after a failure');
    return more;
  }
}

class WritesAfterEnd extends Fault {
  write(data: Data, encoding?: EvbufferEncoding): boolean {
    try {
      return this.below.write(data, encoding);
    } catch (error) {
      if ((error as { code?: string }).code === 'ERR_BUFFEREVENT_WRITE_AFTER_END') return false;
      throw error;
    }
  }
}

class WritesWhenDisabled extends Fault {
  disable(...directions: Direction[]): void {
    this.below.disable(...directions.filter((direction) => direction !== 'write'));
  }
}

class DropsWhenDisabled extends Fault {
  write(data: Data, encoding?: EvbufferEncoding): boolean {
    return this.below.enabled.includes('write') ? this.below.write(data, encoding) : true;
  }
}

class NeverDrained extends Fault {
  drained(): Promise<void> {
    return new Promise(() => undefined);
  }
}

/** Handed to the layer below is not sent. */
class DrainedAtOnce extends Fault {
  drained(): Promise<void> {
    return Promise.resolve();
  }
}

class DrainedForOne extends Fault {
  #waiting = false;

  drained(options?: PullOptions): Promise<void> {
    if (this.#waiting) return new Promise(() => undefined);
    this.#waiting = true;
    return this.below.drained(options).finally(() => {
      this.#waiting = false;
    });
  }
}

class DrainedForEver extends Fault {
  drained(): Promise<void> {
    return this.below.drained().catch(() => new Promise<void>(() => undefined));
  }
}

export const writingFakes: readonly BrokenFake[] = [
  brokenFake('B30', 'copies an Evbuffer that is written', CopiesEvbuffers),
  brokenFake('B30', 'refers to the bytes of the caller', KeepsReferences),
  brokenFake('B30', 'writes every string as UTF-8', IgnoresEncodings),
  brokenFake('B30', 'holds the last byte back', HoldsTheLastByte),
  brokenFake('B30', 'calls onWrite for writing nothing', CallsForEmptyWrites),
  brokenFake('B30', 'mixes the bytes of its connections', SharesItsState),
  brokenFake('B39', 'sends files after what was written behind them', SendsFilesLater),
  brokenFake('WR-1', 'sends pieces in another order', SwapsPieces),
  brokenFake('WR-1', 'sends a byte twice', DoublesLargeWrites),
  brokenFake('WR-2', 'calls onWrite for every send', CallsForEachSend),
  brokenFake('WR-2', 'never calls onWrite', NeverCallsOnWrite),
  brokenFake('WR-2', 'calls onWrite although nothing was sent', CallsOnWriteForNothing),
  brokenFake('WR-3', 'does not call onWrite when writing is enabled', NoCallOnEnable),
  brokenFake('WR-4', 'answers true above the high mark', NeverRefuses),
  brokenFake('B32', 'drops what is written above the high mark', RefusesAboveTheMark),
  brokenFake('B33', 'hides that it gave the connection up', SilentCap),
  brokenFake('B36', 'throws after a failure', ThrowsAfterFailure),
  brokenFake('B36', 'drops what is written after the end in silence', WritesAfterEnd),
  brokenFake('B37', 'sends although writing is disabled', WritesWhenDisabled),
  brokenFake('WR-5', 'drops what is written while writing is disabled', DropsWhenDisabled),
  brokenFake('B38', 'never resolves drained', NeverDrained),
  brokenFake('FI-10', 'resolves drained when the bytes went one layer down', DrainedAtOnce),
  brokenFake('B38', 'resolves drained for one caller only', DrainedForOne),
  brokenFake('B38', 'keeps drained waiting after a failure', DrainedForEver),
];
