// Kinds of TLS connections for the compliance suite, each made of a plain kind.
import { type Bufferevent, createPair, EventBase, type Listener, listen, type SocketBufferevent } from 'bufferevent';
import type { Dialled, Ends, Flavour, OpenOptions } from 'bufferevent/compliance';
import { ManualClock } from 'bufferevent/testing';
import { createMemoryBackend } from 'bufferevent-backend/memory';
import { getSsl, OpensslBufferevent, type Ssl, TlsLayer, type TlsState } from '../../src/index.js';
import { newSsl, type Version } from './versions.js';
import { turn, until } from './wait.js';

/** What TLS holds besides: the buffers between the layers and their transports, and records in OpenSSL. */
const HELD_BYTES: number = 2 * 320 * 1024;

export interface Held {
  /** At most, where there can't be as much. */
  readonly heldBytes?: number;
}
const DEFAULT_TRANSIT_BYTES: number = 16 * 1024 * 1024;

/** Two halves without a transport between them. */
export const plainPairs: Flavour = {
  name: 'pairs',
  supports: { clock: true, halfClose: true, abruptClose: true, files: true },
  transitBytes: 0,
  async open({ limits = {} } = {}): Promise<Ends> {
    const clock = new ManualClock();
    const base = new EventBase({ backend: createMemoryBackend(), clock, limits });
    const [a, b] = createPair(base);
    const settle = async (): Promise<void> => {
      for (let turns = 0; turns < 60; turns++) await turn();
    };
    return { a, b, clock, settle, close: () => base[Symbol.asyncDispose]() };
  },
};

/** TLS filters over both ends of another kind. */
export function tlsFilters(below: Flavour, version: Version, held: Held = {}): Flavour {
  return overEnds('TLS filters', below, version, held, (bev, state) =>
    OpensslBufferevent.filter(bev, newSsl(version, state), state),
  );
}

/** Connections that were plain, and were upgraded in place. */
export function upgraded(below: Flavour, version: Version, held: Held = {}): Flavour {
  return overEnds('upgraded connections', below, version, held, (bev, state) => {
    void bev.insertLayer(new TlsLayer(newSsl(version, state), state));
    return bev;
  });
}

function overEnds(
  name: string,
  below: Flavour,
  version: Version,
  held: Held,
  cover: (bev: Bufferevent, state: TlsState) => Bufferevent,
): Flavour {
  const { dial: _, ...others } = below;
  return {
    ...others,
    ...tlsNamed(name, below, version, held),
    async open(options) {
      const { a, b, ...setting } = await below.open(options);
      const ends = { a: cover(a, 'connecting'), b: cover(b, 'accepting') };
      await allSecure(Object.values(ends));
      return { ...setting, ...ends };
    },
  };
}

/** TLS bufferevents on sockets: those that accept take the descriptor over where there is one. */
export function tlsSockets(plain: Flavour, version: Version, held: Held = {}): Flavour {
  return {
    ...plain,
    ...tlsNamed('TLS sockets', plain, version, held),
    async open(options) {
      const place = await Place.open(plain, version, options);
      const a = place.client();
      a.connect(place.address);
      await until(() => place.accepted !== null, 'the other end');
      const b = place.accepted as Bufferevent;
      // At once: a client of TLS 1.3 is told after one round trip, and closing a listener may take longer.
      await allSecure([a, b]);
      await place.listener.close();
      return { ...place.setting, a, b };
    },
    async dial(outcome, options): Promise<Dialled> {
      const place = await Place.open(plain, version, options);
      if (outcome === 'refused') await place.listener.close();
      const a = place.client();
      const { address, setting } = place;
      return {
        ...setting,
        a,
        connect: () => a.connect(address),
        get b() {
          return place.secured;
        },
      };
    },
  };
}

function tlsNamed(
  name: string,
  { name: below, transitBytes = DEFAULT_TRANSIT_BYTES }: Flavour,
  version: Version,
  { heldBytes = HELD_BYTES }: Held,
): Pick<Flavour, 'name' | 'transitBytes'> {
  return { name: `${name} over ${below}, ${version}`, transitBytes: transitBytes + heldBytes };
}

/** Somewhere to connect to over the backend of a plain kind, whose setting it keeps. */
class Place {
  readonly setting: Omit<Ends, 'a' | 'b'>;
  readonly listener: Listener;
  readonly address: { readonly ip: string; readonly port: number };
  readonly #version: Version;
  readonly #base: EventBase;
  readonly #made: Bufferevent[] = [];
  accepted: Bufferevent | null = null;
  /** The same, when its handshake is done. */
  secured: Bufferevent | null = null;

  static async open(plain: Flavour, version: Version, options: OpenOptions | undefined): Promise<Place> {
    const { a, b, ...setting } = await plain.open(options);
    const { base } = a;
    a.free();
    b.free();
    let place!: Place;
    const onConnection = (bev: SocketBufferevent): void => void place.#accept(bev);
    const listener = await listen({ ip: '127.0.0.1', port: 0 }, { onConnection }, { base });
    place = new Place(version, base, listener, setting);
    return place;
  }

  private constructor(version: Version, base: EventBase, listener: Listener, setting: Omit<Ends, 'a' | 'b'>) {
    this.#version = version;
    this.#base = base;
    this.listener = listener;
    this.address = listener.address as { ip: string; port: number };
    this.setting = {
      ...setting,
      close: async () => {
        await setting.close();
        // What was never connected is no member of the base.
        for (const bev of this.#made) bev.free();
      },
    };
  }

  client(): SocketBufferevent {
    const bev = OpensslBufferevent.socket(this.#base, -1, newSsl(this.#version, 'connecting'), 'connecting');
    this.#made.push(bev);
    return bev;
  }

  async #accept(plain: SocketBufferevent): Promise<void> {
    plain.setHandlers(null);
    const ssl = newSsl(this.#version, 'accepting');
    let bev = plain;
    if (this.#base.backend.supports.descriptors) {
      const { descriptor } = plain;
      await plain.setDescriptor(-1);
      plain.free();
      bev = OpensslBufferevent.socket(this.#base, descriptor, ssl, 'accepting');
    } else void plain.insertLayer(new TlsLayer(ssl, 'accepting'));
    this.accepted = bev;
    bev.setHandlers({
      onEvent: (_, event) => {
        if (event.kind !== 'connected') return;
        bev.setHandlers(null);
        this.secured = bev;
      },
    });
  }
}

/** Both handshakes are done, and told, and the client has its tickets; nobody listens any more, and nobody reads. */
async function allSecure(ends: readonly Bufferevent[]): Promise<void> {
  let secure = 0;
  let sessions = 0;
  const events: string[] = [];
  const [client] = ends as [Bufferevent];
  const ssl = getSsl(client) as Ssl;
  ssl.onSession = () => void sessions++;
  for (const bev of ends) {
    bev.setHandlers({
      onEvent: (_, event) => {
        events.push('error' in event ? `${event.kind} ${event.error.message}` : event.kind);
        if (event.kind === 'connected') secure++;
      },
    });
  }
  client.enable('read');
  const expected = (): number => (ssl.protocol === 'TLSv1.3' ? 2 : 1);
  const isDone = (): boolean => secure === ends.length && sessions === expected();
  await until(isDone, 'the handshakes', () => events.join(', '));
  client.disable('read');
  for (const bev of ends) bev.setHandlers(null);
}
