import type { Address, Backend } from 'bufferevent-backend';
import type { Bufferevent } from '../bufferevent.js';
import { connect } from '../connect.js';
import { EventBase } from '../event-base.js';
import { listen } from '../listen.js';
import type { Listener } from '../listener.js';
import { SocketBufferevent } from '../socket-bufferevent.js';
import { ManualClock } from '../testing/manual-clock.js';
import type { Dialled, Ends, Flavour, FlavourSupports, OpenOptions, Setting } from './flavour.js';

export interface SocketFlavourOptions {
  /** Called for every connection that a case opens. */
  createBackend(): Backend;
  /** Whether time passes by hand. Default true: over sockets of the system, silence can't be told from slowness. */
  readonly manualClock?: boolean;
  /** {@link FlavourSupports.files}. Default false. */
  readonly files?: boolean;
  readonly bulkBytes?: number;
  readonly transitBytes?: number;
  readonly scripts?: number;
  readonly timeoutMs?: number;
}

/** `SocketBufferevent` over a backend. A start for other flavours, which are made of two such ends. */
export function socketFlavour(name: string, options: SocketFlavourOptions): Flavour {
  const { createBackend, manualClock = true, files = false, ...sizes } = options;
  const setting = (openOptions: OpenOptions = {}) => new SocketSetting(createBackend(), manualClock, openOptions);
  return {
    ...sizes,
    name,
    supports: { clock: manualClock, halfClose: true, abruptClose: true, files },
    open: (openOptions) => setting(openOptions).connected(),
    dial: (outcome, openOptions) => setting(openOptions).dial(outcome),
  };
}

const loopback: Address = { ip: '127.0.0.1', port: 0 };

/** Round trips that everything due is sure to have happened after. */
const SETTLING_ROUNDS = 20;

/** One event base, and what is made on it for a case. */
class SocketSetting {
  readonly #clock: ManualClock | undefined;
  readonly #base: EventBase;
  readonly #heartbeat: Heartbeat;
  readonly #made: Bufferevent[] = [];
  #accepted: Bufferevent | null = null;

  constructor(backend: Backend, manualClock: boolean, { limits = {} }: OpenOptions) {
    this.#clock = manualClock ? new ManualClock() : undefined;
    this.#base = new EventBase({ backend, limits, ...(this.#clock && { clock: this.#clock }) });
    this.#heartbeat = new Heartbeat(backend);
  }

  async connected(): Promise<Ends> {
    const listener = await this.#listen();
    const a = await connect(addressOf(listener), undefined, { base: this.#base });
    this.#made.push(a);
    while (this.#accepted === null) await new Promise(setImmediate);
    await listener.close();
    return { ...this.#setting, a, b: this.#accepted };
  }

  async dial(outcome: 'accepted' | 'refused'): Promise<Dialled> {
    const listener = await this.#listen();
    const address = addressOf(listener);
    if (outcome === 'refused') await listener.close();
    const a = new SocketBufferevent(this.#base);
    this.#made.push(a);
    const accepted = (): Bufferevent | null => this.#accepted;
    return {
      ...this.#setting,
      a,
      connect: () => a.connect(address),
      get b() {
        return accepted();
      },
    };
  }

  get #setting(): Setting {
    return { clock: this.#clock, settle: () => this.#heartbeat.beat(SETTLING_ROUNDS), close: () => this.#close() };
  }

  async #close(): Promise<void> {
    await this.#base[Symbol.asyncDispose]();
    await this.#heartbeat.stop();
    // What was never connected is no member of the base.
    for (const bev of this.#made) bev.free();
  }

  #listen(): Promise<Listener> {
    const onConnection = (bev: Bufferevent): void => {
      bev.setHandlers(null);
      this.#accepted = bev;
    };
    return listen(loopback, { onConnection }, { base: this.#base });
  }
}

/**
 * A connection beside the one under test, on a base of its own: whatever the backend had to report when a byte was sent
 * has been reported when the answer is back.
 */
class Heartbeat {
  readonly #base: EventBase;
  #ends: Promise<readonly [Bufferevent, Bufferevent]> | null = null;

  constructor(backend: Backend) {
    this.#base = new EventBase({ backend });
  }

  async beat(rounds: number): Promise<void> {
    this.#ends ??= this.#connect();
    const [near, far] = await this.#ends;
    for (let round = 0; round < rounds; round++) {
      near.write('.');
      await far.read(1);
      far.write('.');
      await near.read(1);
      await new Promise(setImmediate);
    }
  }

  async stop(): Promise<void> {
    await this.#base[Symbol.asyncDispose]();
  }

  async #connect(): Promise<readonly [Bufferevent, Bufferevent]> {
    let accept = (_: Bufferevent): void => undefined;
    const accepted = new Promise<Bufferevent>((resolve) => {
      accept = resolve;
    });
    const listener = await listen(loopback, { onConnection: (bev) => accept(bev) }, { base: this.#base });
    const near = await connect(addressOf(listener), undefined, { base: this.#base });
    const far = await accepted;
    await listener.close();
    return [near, far];
  }
}

function addressOf(listener: Listener): { ip: string; port: number } {
  const { address } = listener;
  if ('path' in address) throw new Error('listens on a path');
  return address;
}
