// toDuplex below node:tls, at either end.
import { once } from 'node:events';
import { createServer, get } from 'node:https';
import { Readable } from 'node:stream';
import { finished, pipeline } from 'node:stream/promises';
import { connect as connectTls, TLSSocket } from 'node:tls';
import { toDuplex } from 'bufferevent/duplex';
import { describe, expect, it } from 'vitest';
import { KiB, pattern, same } from './support/bytes.js';
import { type Certificate, certificate } from './support/certificate.js';
import { type ConnectedPair, onEveryPair } from './support/pairs.js';
import { collect, piecesOf } from './support/streams.js';
import { rejection } from './support/wait.js';

const { key, cert } = certificate ?? ({} as Certificate);

interface Secured {
  readonly client: TLSSocket;
  readonly server: TLSSocket;
}

async function secured({ left, right }: ConnectedPair): Promise<Secured> {
  const server = new TLSSocket(toDuplex(right), { isServer: true, key, cert });
  const client = connectTls({ socket: toDuplex(left), ca: cert, servername: 'localhost' });
  await once(client, 'secureConnect');
  return { client, server };
}

describe.skipIf(certificate === null)('tls over a bufferevent (needs the openssl program)', () => {
  onEveryPair((world, connect) => {
    it('bytes go both ways, and the ends arrive', async () => {
      const pair = await connect();
      const { client, server } = await secured(pair);
      const data = pattern(world.bytes(3 * 1024 * KiB));
      const echo = pipeline(server, server);
      const got = collect(client);
      await pipeline(Readable.from(piecesOf(data, 12_345)), client);
      await echo;
      expect(same(await got, data)).toBe(true);
      expect(client.authorized).toBe(true);
      await world.until(() => pair.left.freed && pair.right.freed, 'both ends to close');
    });

    it('destroying one end is seen by the other', async () => {
      const pair = await connect();
      const { client, server } = await secured(pair);
      // A pair whose other half is gone stays half-open until somebody ends this side, too.
      client.on('end', () => client.end());
      const outcome = finished(client.resume()).then(
        () => 'end',
        (error: NodeJS.ErrnoException) => error.code,
      );
      server.destroy();
      expect(await outcome).toMatch(/^(end|ECONNRESET|ERR_STREAM_PREMATURE_CLOSE|EPIPE)$/);
      client.destroy();
      await world.until(() => pair.left.freed && pair.right.freed, 'both ends to close');
    });

    it('a peer that does not speak tls is an error, and frees the connection', async () => {
      const { left, right } = await connect();
      const client = connectTls({ socket: toDuplex(left), ca: cert, servername: 'localhost' });
      const outcome = rejection(once(client, 'secureConnect'));
      right.write('HTTP/1.1 400 Bad Request\r\n\r\n');
      expect((await outcome).code).toMatch(/^ERR_SSL_/);
      await world.until(() => left.freed, 'the connection to be freed');
      right.free();
    });

    it('https answers over it', async () => {
      const { left, right } = await connect();
      const server = createServer({ key, cert }, (_, outgoing) => outgoing.end('secret'));
      server.emit('connection', toDuplex(right));
      const socket = connectTls({ socket: toDuplex(left), ca: cert, servername: 'localhost' });
      const outgoing = get({ host: 'localhost', createConnection: () => socket });
      // The server closes at once after its end; memory tells who still says goodbye, sockets do not.
      outgoing.on('error', (error: NodeJS.ErrnoException) => expect(error.code).toBe('EPIPE'));
      const [answer] = (await once(outgoing, 'response')) as [Readable];
      expect((await collect(answer)).toString()).toBe('secret');
      await world.until(() => left.freed && right.freed, 'both ends to close');
    });
  });
});
