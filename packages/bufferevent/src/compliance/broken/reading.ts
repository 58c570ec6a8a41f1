import type { Evbuffer } from 'evbuffer';
import type { BuffereventEvent, BuffereventHandlers, Direction } from '../../events.js';
import type { Watermarks } from '../../watermarks.js';
import { type BrokenFake, brokenFake } from './fake.js';
import { Fault } from './fault.js';

class CallsOncePerEdge extends Fault {
  #told = false;

  override deliverRead(): void {
    if (this.#told && this.below.input.length > 0) return;
    super.deliverRead();
    this.#told = this.below.input.length > 0;
  }
}

/** A mark that is remembered and not obeyed. */
class IgnoresLowMark extends Fault {
  #marks: Watermarks | null = null;

  setWatermarks(direction: Direction, marks: Partial<Watermarks>): void {
    this.below.setWatermarks(direction, marks);
    if (direction === 'write') return;
    this.#marks = this.below.getWatermarks('read');
    this.below.setWatermarks('read', { low: 0 });
  }

  getWatermarks(direction: Direction): Watermarks {
    return direction === 'read' && this.#marks !== null ? this.#marks : this.below.getWatermarks(direction);
  }
}

class IgnoresHighMark extends Fault {
  setWatermarks(direction: Direction, marks: Partial<Watermarks>): void {
    this.below.setWatermarks(direction, direction === 'read' ? { ...marks, high: 0 } : marks);
  }
}

class CallsForOldBytes extends Fault {
  override setHandlers(handlers: BuffereventHandlers | null): void {
    super.setHandlers(handlers);
    if (handlers !== null && this.below.input.length > 0) this.below.trigger('read', { ignoreWatermarks: true });
  }
}

class StopsAtTheMark extends Fault {
  override deliverRead(): void {
    const { input } = this.below;
    const { high } = this.below.getWatermarks('read');
    if (high > 0 && input.length >= high) this.below.disable('read');
    super.deliverRead();
  }
}

class KeepsOldMark extends Fault {
  setWatermarks(direction: Direction, marks: Partial<Watermarks>): void {
    if (direction === 'write' || marks.high !== 0) this.below.setWatermarks(direction, marks);
  }
}

/** libevent #891. */
class SpinsAtTheMark extends Fault {
  override deliverRead(): void {
    super.deliverRead();
    this.attempt(() => {
      const { high } = this.below.getWatermarks('read');
      if (high > 0 && this.below.input.length >= high) this.below.trigger('read', { ignoreWatermarks: true });
    });
  }
}

class TakesCrossedMarks extends Fault {
  setWatermarks(direction: Direction, marks: Partial<Watermarks>): void {
    const { low, high } = { ...this.below.getWatermarks(direction), ...marks };
    this.below.setWatermarks(direction, high > 0 && low > high ? { low: high, high } : marks);
  }
}

class ReadsUnasked extends Fault {
  constructor(below: Fault['below']) {
    super(below);
    below.enable('read');
  }
}

class ReadsWhenDisabled extends Fault {
  #enabled = false;

  enable(...directions: Direction[]): void {
    this.below.enable(...directions);
    this.#enabled ||= directions.includes('read');
  }

  disable(...directions: Direction[]): void {
    this.below.disable(...directions);
    if (this.#enabled && directions.includes('read') && !this.below.readEnded) this.below.enable('read');
  }
}

class DisableDropsInput extends Fault {
  disable(...directions: Direction[]): void {
    this.below.disable(...directions);
    if (directions.includes('read')) this.below.input.drain();
  }
}

class TellsTheEndFirst extends Fault {
  #late = false;

  override deliverRead(): void {
    if (this.#late) return;
    this.#late = true;
    setTimeout(() => {
      this.#late = false;
      this.attempt(() => super.deliverRead());
    }, 5);
  }
}

class ShowsSuspension extends Fault {
  get enabled(): readonly Direction[] {
    const { high } = this.below.getWatermarks('read');
    const full = high > 0 && this.below.input.length >= high;
    return this.below.enabled.filter((direction) => direction === 'write' || !full);
  }
}

class EnableLiftsSuspension extends Fault {
  enable(...directions: Direction[]): void {
    const { input } = this.below;
    const { high } = this.below.getWatermarks('read');
    const full = high > 0 && input.length >= high;
    if (full && directions.includes('read')) this.below.setWatermarks('read', { high: input.length + high });
    this.below.enable(...directions);
  }
}

class HandsOutItsBuffers extends Fault {
  get input(): Evbuffer {
    this.below.input.unfreeze('back');
    return this.below.input;
  }

  get output(): Evbuffer {
    this.below.output.unfreeze('front');
    return this.below.output;
  }
}

class PrependsFree extends Fault {
  #prepended = 0;

  constructor(below: Fault['below']) {
    super(below);
    below.input.watch((_, { added }) => {
      if (below.enabled.includes('read') || added === 0) return;
      this.#prepended += added;
      const { high, low } = below.getWatermarks('read');
      if (high > 0) below.setWatermarks('read', { low, high: high + this.#prepended });
    });
  }
}

class DoublesReads extends Fault {
  override deliverRead(): void {
    super.deliverRead();
    this.attempt(() => super.deliverRead());
  }
}

class RepeatsTheEnd extends Fault {
  override deliverEvent(event: BuffereventEvent): void {
    super.deliverEvent(event);
    if (event.kind === 'eof') setImmediate(() => this.attempt(() => super.deliverEvent(event)));
  }
}

export const readingFakes: readonly BrokenFake[] = [
  brokenFake('RD-1', 'calls onRead only when the input was emptied before', CallsOncePerEdge),
  brokenFake('RD-2', 'ignores the low mark', IgnoresLowMark),
  brokenFake('RD-2', 'calls onRead twice for one arrival', DoublesReads),
  brokenFake('RD-3', 'calls new handlers for bytes that are there already', CallsForOldBytes),
  brokenFake('RD-4', 'ignores the high mark', IgnoresHighMark),
  brokenFake('RD-4', 'stays suspended once the high mark was reached', StopsAtTheMark),
  brokenFake('RD-5', 'calls again and again while the input is full', SpinsAtTheMark),
  brokenFake('RD-6', 'takes a low mark above the high one', TakesCrossedMarks),
  brokenFake('RD-7', 'reads on to the end although the input is full', IgnoresHighMark),
  brokenFake('RD-7', 'notices the end although reading was never enabled', ReadsUnasked),
  brokenFake('B20', 'reads although reading was never enabled', ReadsUnasked),
  brokenFake('B20', 'drops the input when reading is disabled', DisableDropsInput),
  brokenFake('B20', 'goes on reading when reading is disabled', ReadsWhenDisabled),
  brokenFake('RD-8', 'tells the end before the bytes that came with it', TellsTheEndFirst),
  brokenFake('RD-9', 'shows a suspension as disabled', ShowsSuspension),
  brokenFake('RD-9', 'lets enable lift a suspension', EnableLiftsSuspension),
  brokenFake('RD-10', 'cannot take a high mark away', KeepsOldMark),
  brokenFake('RD-11', 'delivers fewer bytes than the low mark', IgnoresLowMark),
  brokenFake('B23', 'does not count what is put in front', PrependsFree),
  brokenFake('B27', 'lets users add to the input and take from the output', HandsOutItsBuffers),
  brokenFake('EV-4', 'tells the end twice', RepeatsTheEnd),
];
