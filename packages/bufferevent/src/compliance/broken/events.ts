import type { BuffereventEvent, Direction } from '../../events.js';
import { type BrokenFake, brokenFake } from './fake.js';
import { Fault } from './fault.js';

class TellsErrorsTwice extends Fault {
  override deliverEvent(event: BuffereventEvent): void {
    super.deliverEvent(event);
    if (event.kind === 'error') this.attempt(() => super.deliverEvent(event));
  }
}

class FreesAtTheEnd extends Fault {
  override deliverEvent(event: BuffereventEvent): void {
    super.deliverEvent(event);
    if (event.kind === 'eof' || event.kind === 'error') this.below.free();
  }
}

class EndStopsWriting extends Fault {
  override deliverEvent(event: BuffereventEvent): void {
    if (event.kind === 'eof') this.below.disable('write');
    super.deliverEvent(event);
  }
}

class EndLeavesReading extends Fault {
  #ended = false;

  override deliverEvent(event: BuffereventEvent): void {
    this.#ended ||= event.kind === 'eof';
    super.deliverEvent(event);
  }

  get enabled(): readonly Direction[] {
    return this.#ended && !this.below.freed ? ['read', 'write'] : this.below.enabled;
  }
}

class TellsTheEndOnce extends Fault {
  #told = false;

  override deliverEvent(event: BuffereventEvent): void {
    if (event.kind === 'eof') {
      if (this.#told) return;
      this.#told = true;
    }
    super.deliverEvent(event);
  }
}

class NeverTellsTheEnd extends Fault {
  override deliverEvent(event: BuffereventEvent): void {
    if (event.kind !== 'eof') super.deliverEvent(event);
  }
}

class ConnectedLate extends Fault {
  override deliverEvent(event: BuffereventEvent): void {
    if (event.kind === 'connected') setTimeout(() => this.attempt(() => super.deliverEvent(event)), 5);
    else super.deliverEvent(event);
  }
}

class ConnectedTwice extends Fault {
  override deliverEvent(event: BuffereventEvent): void {
    super.deliverEvent(event);
    if (event.kind === 'connected') this.attempt(() => super.deliverEvent(event));
  }
}

class ConnectedIsAWrite extends Fault {
  override deliverEvent(event: BuffereventEvent): void {
    super.deliverEvent(event);
    if (event.kind === 'connected') this.attempt(() => this.deliverWrite());
  }
}

class RefusedIsRead extends Fault {
  override deliverEvent(event: BuffereventEvent): void {
    if (event.kind === 'error') this.deliverRead();
    super.deliverEvent(event);
  }
}

class RefusedInSilence extends Fault {
  override deliverEvent(event: BuffereventEvent): void {
    if (event.kind !== 'error' || event.direction !== undefined) super.deliverEvent(event);
  }
}

export const eventFakes: readonly BrokenFake[] = [
  brokenFake('EV-1', 'tells an error twice', TellsErrorsTwice),
  brokenFake('EV-1', 'calls onRead for a connection that was refused', RefusedIsRead),
  brokenFake('EV-2', 'does not tell that it was refused', RefusedInSilence),
  brokenFake('EV-4', 'frees itself at the end of the peer', FreesAtTheEnd),
  brokenFake('EV-4', 'stops writing at the end of the peer', EndStopsWriting),
  brokenFake('EV-4', 'leaves reading enabled at the end', EndLeavesReading),
  brokenFake('EV-4', 'tells the end once although reading is enabled again', TellsTheEndOnce),
  brokenFake('FR-3', 'does not tell that the peer is gone', NeverTellsTheEnd),
  brokenFake('EV-5', 'is connected after the first bytes', ConnectedLate),
  brokenFake('EV-5', 'is connected twice', ConnectedTwice),
  brokenFake('WR-8', 'calls onWrite for being connected', ConnectedIsAWrite),
];
