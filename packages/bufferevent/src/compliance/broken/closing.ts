import type { Evbuffer } from 'evbuffer';
import { BuffereventError } from '../../errors.js';
import type { CloseCause } from '../../events.js';
import { type BrokenFake, brokenFake } from './fake.js';
import { Fault } from './fault.js';

class HalfCloseLosesBytes extends Fault {
  halfClose(): void {
    if (this.below.output.length > 0) this.below.free();
    else this.below.halfClose();
  }
}

class HalfCloseStopsReading extends Fault {
  halfClose(): void {
    this.below.halfClose();
    this.below.disable('read');
  }
}

class HalfCloseOnce extends Fault {
  #closed = false;

  halfClose(): void {
    if (this.#closed) throw new BuffereventError('ERR_BUFFEREVENT_CLOSED', 'closed already');
    this.#closed = true;
    this.below.halfClose();
  }
}

class HalfCloseEnablesWriting extends Fault {
  halfClose(): void {
    this.below.halfClose();
    this.below.enable('write');
  }
}

class EndDropsOutput extends Fault {
  end(): Promise<CloseCause> {
    this.below.free();
    return this.below.end();
  }
}

class EndDoesNotWait extends Fault {
  async end(): Promise<CloseCause> {
    this.below.halfClose();
    await this.below.drained();
    this.below.free();
    return { kind: 'clean' };
  }
}

class EndStopsReading extends Fault {
  end(): Promise<CloseCause> {
    const ended = this.below.end();
    this.attempt(() => this.below.setHandlers(null));
    return ended;
  }
}

class EndAbortsPulls extends Fault {
  readonly #ending: AbortController = new AbortController();

  read(count?: number): Promise<Uint8Array | null> {
    return this.below.read(count, { signal: this.#ending.signal });
  }

  end(): Promise<CloseCause> {
    this.#ending.abort(new BuffereventError('ERR_BUFFEREVENT_CLOSED', 'ended'));
    return this.below.end();
  }
}

class EndIsStuckWhenFull extends Fault {
  #ending = false;

  end(): Promise<CloseCause> {
    if (!this.below.freed && !this.#ending && this.handlers?.onRead === undefined) {
      // As somebody who could take bytes and does not: nothing may be discarded then.
      this.below.setHandlers({ onRead: () => undefined });
      this.below.enable('read');
    }
    this.#ending = true;
    return this.below.end();
  }
}

class EndForgetsWhatIsLeft extends Fault {
  end(): Promise<CloseCause> {
    const ended = this.below.end();
    const drop = (): void => {
      if (this.below.freed) return;
      if (this.below.readEnded) this.below.input.drain();
      else setImmediate(drop);
    };
    drop();
    return ended;
  }
}

class EndOutlastsFree extends Fault {
  end(): Promise<CloseCause> {
    return this.below.end().then((cause) => (cause.kind === 'freed' ? new Promise(() => undefined) : cause));
  }
}

class DisposalIsAbrupt extends Fault {
  async [Symbol.asyncDispose](): Promise<void> {
    this.below.free();
  }
}

class FreesLater extends Fault {
  free(): void {
    setImmediate(() => this.below.free());
  }
}

class FreeFlushes extends Fault {
  free(): void {
    if (!this.below.freed && this.below.output.length > 0) void this.below.end();
    else this.below.free();
  }
}

class FreesOnce extends Fault {
  free(): void {
    if (this.below.freed) throw new BuffereventError('ERR_BUFFEREVENT_FREED', 'freed already');
    this.below.free();
  }
}

class AlwaysClean extends Fault {
  get closed(): Promise<CloseCause> {
    return Promise.resolve({ kind: 'clean' });
  }
}

/** Uses the memory of received bytes again when the connection is gone, whoever has them by then. */
class TakesMemoryBack extends Fault {
  readonly #lent: Set<Uint8Array> = new Set();

  get input(): Evbuffer {
    const { input } = this.below;
    for (const bytes of input.peek()) this.#lent.add(bytes);
    return input;
  }

  free(): void {
    this.below.free();
    for (const bytes of this.#lent) bytes.fill(0);
  }
}

class SaysItIsOpen extends Fault {
  get freed(): boolean {
    return false;
  }
}

export const closingFakes: readonly BrokenFake[] = [
  brokenFake('B60', 'loses what is queued at halfClose', HalfCloseLosesBytes),
  brokenFake('B60', 'stops reading at halfClose', HalfCloseStopsReading),
  brokenFake('B60', 'can be half-closed once only', HalfCloseOnce),
  brokenFake('B60', 'enables writing at halfClose', HalfCloseEnablesWriting),
  brokenFake('B61', 'drops the output in end', EndDropsOutput),
  brokenFake('B61', 'does not wait for the end of the peer', EndDoesNotWait),
  brokenFake('B61', 'gives nobody what comes after end', EndStopsReading),
  brokenFake('B61', 'lets end reject the pulls that wait', EndAbortsPulls),
  brokenFake('B61', 'never ends when the input is full', EndIsStuckWhenFull),
  brokenFake('B61', 'goes on ending after free', EndOutlastsFree),
  brokenFake('B68', 'discards what nobody took before a clean end', EndForgetsWhatIsLeft),
  brokenFake('B65', 'closes abruptly when it is disposed of', DisposalIsAbrupt),
  brokenFake('FR-2', 'is freed a turn later', FreesLater),
  brokenFake('FR-3', 'sends what is queued before it is freed', FreeFlushes),
  brokenFake('B62', 'cannot be freed twice', FreesOnce),
  brokenFake('B64', 'says that every end was clean', AlwaysClean),
  brokenFake('FR-5', 'takes the memory of received bytes back', TakesMemoryBack),
  brokenFake('B67', 'is not freed with its base', SaysItIsOpen),
];
