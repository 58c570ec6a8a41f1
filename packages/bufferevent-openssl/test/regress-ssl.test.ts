// The cases of libevent's regress_ssl.c, for TLS 1.2 and 1.3, on sockets and as filters. Callbacks are always queued here,
// so that each case exists once.
import type { Bufferevent, BuffereventEvent, SocketBufferevent } from 'bufferevent';
import { listen } from 'bufferevent';
import { Evbuffer } from 'evbuffer';
import { expect, it } from 'vitest';
import {
  getSsl,
  OpensslBufferevent,
  type OpensslOptions,
  renegotiate,
  type Ssl,
  TlsLayer,
  type TlsState,
} from '../src/index.js';
import { describeWithOpenssl, thrownBy } from './in-memory.js';
import { type Bed, beds, inBeds, type Kind, kindsOf, loopback, type Transport } from './support/beds.js';
import { type Contexts, contextsOf, newSsl, type Version, versions } from './support/versions.js';
import { turn, until } from './support/wait.js';

const LAST_NUMBER = 1001;
const RENEGOTIATED_AT = 600;

interface GameOptions {
  readonly allowDirtyShutdown?: boolean;
  readonly writesWhenConnected?: boolean;
  readonly renegotiates?: boolean;
  readonly startsOpen?: boolean;
  readonly contexts?: Contexts;
}

/** What has happened on both sides of {@link play}. */
class Game {
  done = 0;
  connected = 0;
  errors = 0;
  closes = 0;
  timeouts = 0;
  readonly codes: unknown[] = [];
  readonly options: GameOptions;

  constructor(options: GameOptions) {
    this.options = options;
  }

  get outcome() {
    const { done, connected, errors, closes, timeouts } = this;
    return { done, connected, errors, closes, timeouts };
  }

  onRead(bev: Bufferevent): void {
    for (let line = bev.input.readLine(); line !== null; line = bev.input.readLine()) {
      const number = Number(line);
      if (number === LAST_NUMBER) {
        this.done++;
        bev.free();
        return;
      }
      if (this.options.renegotiates === true && number === RENEGOTIATED_AT) renegotiate(bev);
      bev.write(`${number + 1}\n`);
    }
  }

  onEvent(bev: Bufferevent, event: BuffereventEvent): void {
    if (event.kind === 'connected') {
      this.connected++;
      const { isServer, peerCertificate } = getSsl(bev) as Ssl;
      expect(peerCertificate === null).toBe(isServer);
      if (this.options.writesWhenConnected === true && isServer === false) bev.write('1\n');
      return;
    }
    if (event.kind === 'eof') this.closes++;
    else if (event.kind === 'error') this.errors++;
    else if (event.kind === 'timeout') this.timeouts++;
    if ('error' in event) this.codes.push((event.error as { code?: string }).code ?? event.error.message);
    bev.free();
  }
}

/** Each side adds 1 to the number that it reads, and answers; who reads the last one frees its bufferevent. */
async function play(bed: Bed, kind: Kind, version: Version, options: GameOptions = {}): Promise<Game> {
  const game = new Game(options);
  const transports = await bed.transports(kind);
  const ssls = [
    newSsl(version, 'connecting', options.contexts),
    newSsl(version, 'accepting', options.contexts),
  ] as const;
  if (options.startsOpen === true) await shakeHands(bed, transports, ssls, game);
  const [client, server] = transports.map((transport, index) => {
    const ssl = ssls[index] as Ssl;
    const state: TlsState = options.startsOpen === true ? 'open' : index === 0 ? 'connecting' : 'accepting';
    const bev = bed.secure(transport, ssl, state, tlsOptions(options));
    expectDescriptor(bev, transport);
    bev.setHandlers(game);
    bev.enable('read', 'write');
    return bev;
  }) as [OpensslBufferevent, OpensslBufferevent];
  if (options.writesWhenConnected !== true) client.write('1\n');
  await until(
    () => client.freed && server.freed,
    'the end of the game',
    () => JSON.stringify([game.outcome, game.codes]),
  );
  // What is wrong could be told twice.
  await turn();
  return game;
}

function tlsOptions({ allowDirtyShutdown }: GameOptions): OpensslOptions {
  return { batchWrites: true, ...(allowDirtyShutdown !== undefined && { allowDirtyShutdown }) };
}

function expectDescriptor(bev: OpensslBufferevent, transport: Transport): void {
  if (typeof transport === 'number') expect(bev.descriptor).toBe(transport);
  else {
    expect(bev.underlying).toBe(transport);
    expect(bev.descriptor).toBe(transport.descriptor);
  }
}

/**
 * With bufferevents that are freed when both are connected, and leave the rest to others. The tickets of TLS 1.3, which
 * come behind the handshake, are read before: what a connection has received and not decrypted goes with it.
 */
async function shakeHands(
  bed: Bed,
  transports: readonly Transport[],
  [client, server]: readonly [Ssl, Ssl],
  game: Game,
): Promise<void> {
  let tickets = 0;
  client.onSession = () => void tickets++;
  const bevs = [
    bed.secure(transports[0] as Transport, client, 'connecting', { closeOnFree: false, handlers: game }),
    bed.secure(transports[1] as Transport, server, 'accepting', { closeOnFree: false, handlers: game }),
  ];
  for (const bev of bevs) bev.enable('read');
  await until(() => game.connected === 2, 'both handshakes');
  await until(() => client.protocol === 'TLSv1.2' || tickets === 2, 'both tickets');
  for (const bev of bevs) bev.free();
  // Descriptors are given back when the system is done with them.
  for (const bev of bevs) await bev.closed;
}

const clean = { done: 1, connected: 2, errors: 0, closes: 1, timeouts: 0 };
const truncated = { ...clean, errors: 1, closes: 0 };

interface Row {
  readonly ids: Readonly<Record<Kind, string>>;
  readonly what: string;
  readonly options: GameOptions;
}

const rows: readonly Row[] = [
  {
    ids: { socket: 'regress C1, C2', filter: 'regress C4' },
    what: 'numbers are counted up, and the end is a truncation',
    options: {},
  },
  {
    ids: { socket: 'regress C3', filter: 'regress C5' },
    what: 'the first number is written when connected',
    options: { writesWhenConnected: true },
  },
  {
    ids: { socket: 'regress C8', filter: 'regress C9' },
    what: 'others go on with the Ssl where the handshake was done',
    options: { startsOpen: true },
  },
  {
    ids: { socket: 'regress C10', filter: 'regress C11' },
    what: 'an unclean end is an end where that is allowed',
    options: { allowDirtyShutdown: true },
  },
  {
    ids: { socket: 'regress C14', filter: 'regress C15' },
    what: 'others go on with the Ssl, and an unclean end is an end',
    options: { startsOpen: true, allowDirtyShutdown: true },
  },
];

const renegotiations: readonly Row[] = [
  {
    ids: { socket: 'regress C6', filter: 'regress C7' },
    what: 'a client renegotiates on the way',
    options: { renegotiates: true },
  },
  {
    ids: { socket: 'regress C12', filter: 'regress C13' },
    what: 'a client renegotiates on the way, and an unclean end is an end',
    options: { renegotiates: true, allowDirtyShutdown: true },
  },
  {
    ids: { socket: 'regress C6, C8', filter: 'regress C7, C9' },
    what: 'a client renegotiates that goes on with the Ssl of another',
    options: { renegotiates: true, startsOpen: true },
  },
];

const allowing = new Map<Version, Contexts>();

/** Of a server that lets its clients renegotiate. */
function allowingContexts(version: Version): Contexts {
  const both = allowing.get(version) ?? contextsOf(version, { renegotiation: { perMinute: 10 } });
  allowing.set(version, both);
  return both;
}

describeWithOpenssl('regress_ssl.c', () => {
  inBeds(beds, (bed) => {
    for (const version of versions) {
      for (const kind of kindsOf(bed)) {
        for (const { ids, what, options } of rows) {
          it(`${ids[kind]}: ${what} (${kind}, ${version})`, async () => {
            const game = await play(bed, kind, version, options);
            expect(game.outcome).toEqual(options.allowDirtyShutdown === true ? clean : truncated);
            expect(game.codes).toEqual(options.allowDirtyShutdown === true ? [] : ['ERR_OPENSSL_TRUNCATED']);
          });
        }

        for (const { ids, what, options } of renegotiations) {
          it.runIf(version === 'TLSv1.2')(`${ids[kind]}, TL-14: ${what} (${kind})`, async () => {
            const game = await play(bed, kind, version, { ...options, contexts: allowingContexts(version) });
            const expected = options.allowDirtyShutdown === true ? clean : truncated;
            // One more, of who has asked for it.
            expect(game.outcome).toEqual({ ...expected, connected: 3 });
          });

          it.runIf(version === 'TLSv1.3' && options.startsOpen !== true)(
            `${ids[kind]}, TL-14: TLS 1.3 refuses it, and goes on (${kind})`,
            async () => {
              const [near, far] = await bed.transports(kind);
              const client = bed.secure(near, newSsl(version, 'connecting'), 'connecting', tlsOptions(options));
              const server = bed.secure(far, newSsl(version, 'accepting'), 'accepting', tlsOptions(options));
              client.write('1\n');
              expect(`${await server.read(2)}`).toBe('1\n');
              const error = thrownBy(() => renegotiate(client));
              expect(error['code']).toBe('ERR_OPENSSL_UNSUPPORTED');
              expect(error.message).toContain('updateKeys');
              server.write('2\n');
              expect(`${await client.read(2)}`).toBe('2\n');
            },
          );
        }

        it(`regress C24, TL-20: marks of 5,120 and payload by reference (${kind}, ${version})`, async () => {
          const total = 40_960;
          const payload = new Evbuffer();
          payload.add(new Uint8Array(1024).fill(0x61));
          const [near, far] = await bed.transports(kind);
          const received = { client: 0, server: 0 };
          const side = (name: keyof typeof received, transport: Transport, state: TlsState): OpensslBufferevent => {
            const bev = bed.secure(transport, newSsl(version, state), state);
            bev.setWatermarks('read', { low: 0, high: 5120 });
            bev.setHandlers({
              onRead() {
                const count = Math.min(512, bev.input.length, total - received[name]);
                expect([...new Set(bev.input.remove(count))]).toEqual(count === 0 ? [] : [0x61]);
                received[name] += count;
                // One record over the mark at most.
                expect(bev.input.length).toBeLessThanOrEqual(5120 + 16_384);
                if (received[name] < total) {
                  bev.output.addBufferReference(payload);
                  // What is left is told again when asked for: nothing more may come before it is taken.
                  if (bev.input.length > 0) bev.trigger('read');
                  return;
                }
                bev.setHandlers(null);
                bev.disable('read');
              },
            });
            bev.enable('read', 'write');
            bev.output.addBufferReference(payload);
            return bev;
          };
          const client = side('client', near, 'connecting');
          const server = side('server', far, 'accepting');
          await until(
            () => received.client === total && received.server === total,
            'both sides to have all',
            () => JSON.stringify(received),
            20_000,
          );
          client.free();
          server.free();
          payload.clear();
        }, 30_000);
      }

      it(`regress C22: a client that connects frees itself when it has written (${version})`, async () => {
        const accepted: SocketBufferevent[] = [];
        const listener = await listen(
          loopback,
          {
            onConnection(bev, { disable }) {
              accepted.push(bev);
              bev.setHandlers(null);
              void bev.insertLayer(new TlsLayer(newSsl(version, 'accepting'), 'accepting'));
              disable.call(listener);
            },
          },
          { base: bed.base },
        );
        const events: string[] = [];
        const client = OpensslBufferevent.socket(bed.base, -1, newSsl(version, 'connecting'), 'connecting', {
          handlers: {
            onWrite: (bev) => bev.free(),
            onEvent: (_, { kind }) => void events.push(kind),
          },
        });
        client.write('1\n');
        client.connect(listener.address as { ip: string; port: number });
        await until(() => client.freed, 'the first write');
        expect(events).toEqual(['connected']);
        expect(accepted).toHaveLength(1);
        expect(listener.enabled).toBe(false);
        await listener.close();
      });
    }
  });

  inBeds(beds.slice(0, 2), (bed) => {
    for (const version of versions) {
      for (const kind of kindsOf(bed)) {
        const ids = kind === 'socket' ? 'regress C20, C21' : 'regress C20';
        it(`${ids}: a server that says nothing is one time-out (${kind}, ${version})`, async () => {
          const game = new Game({});
          const [near, far] = await bed.transports(kind);
          const descriptor = typeof near === 'number' ? near : near.descriptor;
          const client = bed.secure(near, newSsl(version, 'connecting'), 'connecting', { handshakeMs: 2_000 });
          let seen = 0;
          client.setHandlers({
            onRead: (bev) => game.onRead(bev),
            onEvent(bev, event) {
              seen = bev.descriptor;
              expect(event).toMatchObject({ kind: 'timeout', timeout: 'handshake' });
              game.onEvent(bev, event);
            },
          });
          client.setTimeouts({ readMs: 2_000, writeMs: 2_000 });
          client.enable('read', 'write');
          client.write('1\n');
          await bed.advance(1_999);
          expect(game.outcome).toEqual({ done: 0, connected: 0, errors: 0, closes: 0, timeouts: 0 });
          await bed.advance(1);
          await bed.advance(10_000);
          expect(game.outcome).toEqual({ done: 0, connected: 0, errors: 0, closes: 0, timeouts: 1 });
          expect(client.freed).toBe(true);
          expect(seen).toBe(descriptor);
          if (typeof far === 'number') bed.closeDescriptor(far);
        });
      }
    }
  });
});
