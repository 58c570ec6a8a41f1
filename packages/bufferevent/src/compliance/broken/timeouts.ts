import type { Timer } from '../../clock.js';
import { BuffereventTimeoutError } from '../../errors.js';
import type { BuffereventEvent, Direction, TimeoutName } from '../../events.js';
import type { ReadOptions } from '../../pull.js';
import type { TimeoutOptions } from '../../timeouts.js';
import { type BrokenFake, brokenFake } from './fake.js';
import { Fault } from './fault.js';

/** Keeps a time-out from what is below, and has a timer of its own for it. */
class OwnTimer extends Fault {
  protected readonly direction: Direction = 'read';
  #ms = 0;
  #timer: Timer | null = null;

  setTimeouts(timeouts: TimeoutOptions): void {
    const key = `${this.direction}Ms` as const;
    const { [key]: own, ...others } = timeouts;
    this.below.setTimeouts(others);
    if (own === undefined) return;
    this.#ms = own ?? 0;
    this.start();
  }

  enable(...directions: Direction[]): void {
    this.below.enable(...directions);
    if (directions.includes(this.direction)) this.start();
  }

  disable(...directions: Direction[]): void {
    this.below.disable(...directions);
    if (directions.includes(this.direction)) this.#timer?.cancel();
  }

  free(): void {
    this.#timer?.cancel();
    this.below.free();
  }

  protected get counts(): boolean {
    return this.below.enabled.includes(this.direction);
  }

  protected start(): void {
    this.#timer?.cancel();
    if (this.#ms === 0 || !this.counts) return;
    this.#timer = this.below.base.clock.setTimer(() => {
      if (this.below.freed) return;
      this.below.disable(this.direction);
      const error = new BuffereventTimeoutError(this.direction, this.#ms);
      this.deliverEvent({ kind: 'timeout', timeout: this.direction, direction: this.direction, error });
    }, this.#ms);
  }
}

class CountsWhileFull extends OwnTimer {
  override deliverRead(): void {
    this.start();
    super.deliverRead();
  }
}

class CountsFromEnable extends OwnTimer {}

/** libevent #470. */
class CountsWithNothingToWrite extends OwnTimer {
  protected override readonly direction = 'write';
}

class CountsWhenDisabled extends OwnTimer {
  protected override get counts(): boolean {
    return true;
  }
}

class EnableDoesNotStartAnew extends Fault {
  enable(...directions: Direction[]): void {
    this.below.enable(...directions.filter((direction) => !this.below.enabled.includes(direction)));
  }
}

class Repeats extends Fault {
  override deliverEvent(event: BuffereventEvent): void {
    super.deliverEvent(event);
    if (event.kind === 'timeout' && event.direction !== undefined) {
      const { direction } = event;
      this.attempt(() => this.below.enable(direction));
    }
  }
}

class IdleDisables extends Fault {
  override deliverEvent(event: BuffereventEvent): void {
    if (event.kind === 'timeout' && event.timeout === 'idle') this.below.disable('read', 'write');
    super.deliverEvent(event);
  }
}

class IdleRepeats extends Fault {
  #idleMs = 0;

  setTimeouts(timeouts: TimeoutOptions): void {
    this.below.setTimeouts(timeouts);
    this.#idleMs = timeouts.idleMs ?? 0;
  }

  override deliverEvent(event: BuffereventEvent): void {
    super.deliverEvent(event);
    if (event.kind === 'timeout' && event.timeout === 'idle') {
      this.attempt(() => this.below.setTimeouts({ idleMs: this.#idleMs }));
    }
  }
}

class TimesOutBothWays extends Fault {
  override deliverEvent(event: BuffereventEvent): void {
    super.deliverEvent(event);
    if (event.kind === 'timeout' && event.timeout === 'write') {
      this.attempt(() => super.deliverEvent({ ...event, timeout: 'read', direction: 'read' }));
    }
  }
}

class TakesFromTheOutput extends Fault {
  override deliverEvent(event: BuffereventEvent): void {
    if (event.kind === 'timeout' && event.timeout === 'write') this.below.free();
    else super.deliverEvent(event);
  }
}

class CannotClear extends Fault {
  setTimeouts(timeouts: TimeoutOptions): void {
    const set = Object.entries(timeouts).filter(([, ms]) => ms !== 0 && ms !== null);
    this.below.setTimeouts(Object.fromEntries(set));
  }
}

class ClearsWhatIsLeftOut extends Fault {
  setTimeouts(timeouts: TimeoutOptions): void {
    this.below.setTimeouts({ readMs: 0, writeMs: 0, idleMs: 0, ...timeouts });
  }
}

class LeavesATimer extends Fault {
  #timed = false;

  setTimeouts(timeouts: TimeoutOptions): void {
    this.below.setTimeouts(timeouts);
    this.#timed = true;
  }

  free(): void {
    this.below.free();
    if (this.#timed) this.below.base.clock.setTimer(() => undefined, 1000);
  }
}

class ReadsOnAfterTimeout extends Fault {
  read(count?: number, options?: ReadOptions): Promise<Uint8Array | null> {
    const again = (error: { code?: string }): Promise<Uint8Array | null> => {
      if (error.code === 'ERR_BUFFEREVENT_TIMEOUT') return this.below.read(count, options);
      throw error;
    };
    return this.below.read(count, options).catch(again);
  }
}

class WaitsForEverToClose extends Fault {
  setTimeouts(timeouts: TimeoutOptions): void {
    this.below.setTimeouts({ ...timeouts, closeMs: 0 });
  }
}

class NamesTheWrongTimeout extends Fault {
  override deliverEvent(event: BuffereventEvent): void {
    const wrong: TimeoutName = 'idle';
    super.deliverEvent(event.kind === 'timeout' && event.timeout === 'close' ? { ...event, timeout: wrong } : event);
  }
}

class ArmsOnce extends Fault {
  #fired = false;

  override deliverEvent(event: BuffereventEvent): void {
    const again = this.#fired && event.kind === 'timeout';
    this.#fired ||= event.kind === 'timeout';
    if (!again) super.deliverEvent(event);
  }
}

export const timeoutFakes: readonly BrokenFake[] = [
  brokenFake('TO-1', 'counts while reading is disabled', CountsWhenDisabled),
  brokenFake('TO-1', 'counts while the input is full', CountsWhileFull),
  brokenFake('TO-2', 'does not start anew when bytes arrive', CountsFromEnable),
  brokenFake('TO-2', 'does not start anew when reading is enabled', EnableDoesNotStartAnew),
  brokenFake('TO-3', 'loses the connection when the peer takes nothing', TakesFromTheOutput),
  brokenFake('TO-6', 'times out in writing with nothing to write', CountsWithNothingToWrite),
  brokenFake('TO-4', 'repeats time-outs', Repeats),
  brokenFake('TO-4', 'repeats the idle time-out', IdleRepeats),
  brokenFake('TO-4', 'arms a time-out only once', ArmsOnce),
  brokenFake('TO-7', 'cannot clear a time-out', CannotClear),
  brokenFake('B54', 'clears the time-outs that are left out', ClearsWhatIsLeftOut),
  brokenFake('TO-7', 'leaves a timer after free', LeavesATimer),
  brokenFake('TO-8', 'times out in both directions at once', TimesOutBothWays),
  brokenFake('B44', 'disables both directions when idle', IdleDisables),
  brokenFake('B53', 'keeps pulls waiting after a time-out', ReadsOnAfterTimeout),
  brokenFake('B55', 'waits for ever for the end of the peer', WaitsForEverToClose),
  brokenFake('EV-6', 'gives the time-out of closing another name', NamesTheWrongTimeout),
];
