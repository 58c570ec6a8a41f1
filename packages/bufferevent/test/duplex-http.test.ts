// toDuplex as the connection of node:http, at either end.
import { createHash } from 'node:crypto';
import { once } from 'node:events';
import { Agent, createServer, type IncomingMessage, type RequestOptions, request, type Server } from 'node:http';
import { Readable } from 'node:stream';
import { finished, pipeline } from 'node:stream/promises';
import { toDuplex } from 'bufferevent/duplex';
import { describe, expect, it } from 'vitest';
import { MiB, pattern } from './support/bytes.js';
import { type ConnectedPair, onEveryPair } from './support/pairs.js';
import { collect } from './support/streams.js';
import { rejection } from './support/wait.js';
import { inMemory } from './support/world.js';

/** An agent whose one connection is the left end of a pair; the server gets the right end. */
function overPair({ left, right }: ConnectedPair, server: Server, keepAlive: boolean): Agent {
  const agent = new Agent({ keepAlive, maxSockets: 1 });
  // As sockets of Node: an idle connection that the server ends is closed, and not used again.
  const connection = toDuplex(left, { allowHalfOpen: false });
  agent.createConnection = () => connection;
  server.emit('connection', toDuplex(right));
  return agent;
}

async function respond(options: RequestOptions, body: Readable | string = ''): Promise<IncomingMessage> {
  const outgoing = request({ host: 'localhost', ...options });
  const answer = once(outgoing, 'response') as Promise<[IncomingMessage]>;
  // A connection that is reset under an answer is told to the request, too.
  outgoing.on('error', () => {});
  if (typeof body === 'string') outgoing.end(body);
  else await pipeline(body, outgoing);
  return (await answer)[0];
}

/** So many bytes in chunks of different sizes, made when they are asked for. */
function* chunksOf(bytes: number): Generator<Uint8Array> {
  const block = pattern(200_003);
  for (let at = 0, size = 1; at < bytes; at += size) {
    size = Math.min(bytes - at, 1 + ((at * 7) % block.length));
    yield block.subarray(0, size);
  }
}

function digestOf(chunks: Iterable<Uint8Array>): string {
  const hash = createHash('sha256');
  for (const chunk of chunks) hash.update(chunk);
  return hash.digest('hex');
}

describe('http over a bufferevent', () => {
  onEveryPair((world, connect) => {
    it('a chunked body of 100 MiB goes there and comes back whole', async () => {
      const pair = await connect();
      const bytes = world.bytes(100 * MiB);
      const server = createServer((incoming, outgoing) => void pipeline(incoming, outgoing));
      const agent = overPair(pair, server, false);
      const hash = createHash('sha256');
      let received = 0;
      const outgoing = request({ host: 'localhost', method: 'POST', agent });
      const answered = once(outgoing, 'response').then(([answer]: IncomingMessage[]) => {
        expect(answer?.headers['transfer-encoding']).toBe('chunked');
        answer?.on('data', (chunk: Buffer) => {
          received += chunk.length;
          hash.update(chunk);
        });
        return finished(answer as IncomingMessage);
      });
      await Promise.all([pipeline(Readable.from(chunksOf(bytes)), outgoing), answered]);
      expect(received).toBe(bytes);
      expect(hash.digest('hex')).toBe(digestOf(chunksOf(bytes)));
      // Node destroys the stream of whichever side it is done with first.
      for (const bev of [pair.left, pair.right]) expect((await bev.closed).kind).toMatch(/^(clean|freed|reset)$/);
    }, 60_000);

    it('keep-alive: several requests, one connection, then both ends close', async () => {
      const pair = await connect();
      const connections = new Set<unknown>();
      const server = createServer((incoming, outgoing) => {
        connections.add(incoming.socket);
        void collect(incoming).then((body) => outgoing.end(`${incoming.url} ${body}`));
      });
      const agent = overPair(pair, server, true);
      for (let index = 0; index < 5; index++) {
        const answer = await respond({ agent, path: `/${index}`, method: 'PUT' }, `body ${index}`);
        expect(answer.headers.connection).toBe('keep-alive');
        expect((await collect(answer)).toString()).toBe(`/${index} body ${index}`);
      }
      expect(connections.size).toBe(1);
      agent.destroy();
      await world.until(() => pair.left.freed && pair.right.freed, 'both ends to close');
    });

    it('a client that gives up half-way through a body is seen by the server', async () => {
      const pair = await connect();
      let failure: Promise<Error & { code?: string }> | undefined;
      const server = createServer((incoming) => {
        failure = rejection(collect(incoming));
      });
      const agent = overPair(pair, server, false);
      const outgoing = request({ host: 'localhost', method: 'POST', agent });
      const gone = rejection(once(outgoing, 'response'));
      outgoing.write(pattern(world.bytes(100_000)));
      await world.until(() => failure !== undefined, 'the request');
      outgoing.destroy();
      expect(await failure).toMatchObject({ code: 'ECONNRESET' });
      expect(await gone).toMatchObject({ code: 'ECONNRESET' });
      await world.until(() => pair.left.freed && pair.right.freed, 'both ends to close');
    });

    it('a server that gives up half-way through a body is seen by the client', async () => {
      const pair = await connect();
      let giveUp = (): void => {};
      const server = createServer((_, outgoing) => {
        giveUp = () => outgoing.destroy();
        outgoing.writeHead(200, { 'content-length': 1000 });
        outgoing.write('half');
      });
      const agent = overPair(pair, server, false);
      const answer = await respond({ agent });
      giveUp();
      expect(await rejection(collect(answer))).toMatchObject({ code: 'ECONNRESET' });
      await world.until(() => pair.left.freed && pair.right.freed, 'both ends to close');
    });

    it('an upgrade hands the connection over, with what came behind the head', async () => {
      const pair = await connect();
      const server = createServer();
      server.on('upgrade', (_, socket, head) => {
        socket.write('HTTP/1.1 101 Switching Protocols\r\nconnection: upgrade\r\nupgrade: x\r\n\r\n');
        socket.unshift(head);
        void collect(socket).then((bytes) => socket.end(bytes));
      });
      server.emit('connection', toDuplex(pair.right));
      const near = toDuplex(pair.left);
      near.write('GET / HTTP/1.1\r\nhost: x\r\nconnection: upgrade\r\nupgrade: x\r\n\r\nfirst ');
      near.end('second');
      expect((await collect(near)).toString()).toMatch(/\r\n\r\nfirst second$/);
      await world.until(() => pair.left.freed && pair.right.freed, 'both ends to close');
    });
  });
});

describe('http and time', () => {
  inMemory((world) => {
    it('B44: the keep-alive time-out of the server closes a connection that is idle', async () => {
      const { client, server: far } = await world.pair({}, {});
      const server = createServer({ keepAliveTimeout: 5_000 }, (_, outgoing) => outgoing.end('answer'));
      const agent = overPair({ left: client, right: far }, server, true);
      expect((await collect(await respond({ agent }))).toString()).toBe('answer');
      await world.advance(4_000);
      expect(far.freed).toBe(false);
      await world.advance(3_000);
      await world.until(() => client.freed && far.freed, 'both ends to close');
    });
  });
});
