import assert from 'node:assert/strict';
import { randomBytes } from 'node:crypto';
import { Meter, payload } from './payload.js';
import type { End, Report } from './settings.js';

/** A connection at our end, its handshake done. */
export interface LocalConnection {
  readonly facts: Pick<Report, 'protocol' | 'alpn' | 'isResumed' | 'peerName'>;
  /** Resolves when more is welcome. */
  write(bytes: Uint8Array | string): Promise<void>;
  /** What has come; `null` after the peer's close_notify. Rejects when the stream ends in another way. */
  read(): Promise<Uint8Array | null>;
  /** Sends what is left and close_notify, waits for that of the peer, and closes. `null`: can't tell. */
  end(): Promise<End | null>;
}

/**
 * What our end says and hears on one connection, until that is closed.
 *
 * @param path where a server has what is to be fetched
 */
export type Conversation = (connection: LocalConnection, bytes: number, path: string) => Promise<Report>;

/** Both send at once and take at once; we close first. */
export const exchangeAndClose: Conversation = async (connection, bytes) => {
  const amounts = await exchange(connection, bytes);
  return { ...connection.facts, ...amounts, end: await connection.end() };
};

/** Both send at once and take at once; the peer closes first. */
export const exchangeUntilClosed: Conversation = async (connection, bytes) => {
  const amounts = await exchange(connection, bytes);
  await expectEnd(connection);
  return { ...connection.facts, ...amounts, end: await connection.end() };
};

async function exchange(connection: LocalConnection, bytes: number): Promise<Pick<Report, 'sent' | 'received'>> {
  const [sent, received] = await Promise.all([send(connection, bytes), receive(connection, bytes)]);
  return { sent: sent.digest(), received: received.digest() };
}

async function send(connection: LocalConnection, bytes: number): Promise<Meter> {
  const sent = new Meter();
  for (const piece of payload(bytes)) {
    sent.add(piece);
    await connection.write(piece);
  }
  return sent;
}

async function receive(connection: LocalConnection, bytes: number): Promise<Meter> {
  const received = new Meter();
  while (received.bytes < bytes) {
    const chunk = await connection.read();
    if (chunk === null) throw new Error(`the peer has ended after ${received.bytes} of ${bytes} bytes`);
    received.add(chunk);
  }
  return received;
}

async function expectEnd(connection: LocalConnection): Promise<void> {
  const rest = await connection.read();
  if (rest !== null) throw new Error(`${rest.length} bytes more than was agreed upon`);
}

/** Long enough for many to share no record, short enough for servers with a small buffer for requests. */
const lineBytes = 512;

/** Sends lines to a server that says every line again, the next when one is back; we close first. */
export const echoedLines: Conversation = async (connection, bytes) => {
  const sent = new Meter();
  const received = new Meter();
  while (sent.bytes < bytes) {
    const length = Math.min(lineBytes, bytes - sent.bytes);
    const line = Buffer.from(
      `${randomBytes(length / 2)
        .toString('hex')
        .slice(1)}\n`,
    );
    sent.add(line);
    await connection.write(line);
    while (received.bytes < sent.bytes) {
      const chunk = await connection.read();
      if (chunk === null) throw new Error('the peer has ended instead of answering a line');
      received.add(chunk);
    }
  }
  const amounts = { sent: sent.digest(), received: received.digest() };
  assert.deepEqual(amounts.received, amounts.sent, 'what was sent came back');
  return { ...connection.facts, ...amounts, end: await connection.end() };
};

/** We are an HTTP server: take what is posted, answer with as much, whose end is the end of the stream. */
export const httpAnswer: Conversation = async (connection, bytes) => {
  const received = new Meter();
  const { head, rest } = await readHead(connection);
  const length = Number(/^content-length: *(\d+)/im.exec(head)?.[1] ?? 0);
  received.add(rest);
  while (received.bytes < length) {
    const chunk = await connection.read();
    if (chunk === null) throw new Error('the peer has ended within its request');
    received.add(chunk);
  }
  await connection.write('HTTP/1.1 200 OK\r\nConnection: close\r\n\r\n');
  const sent = await send(connection, bytes);
  const amounts = { sent: sent.digest(), received: received.digest() };
  return { ...connection.facts, ...amounts, end: await connection.end() };
};

/** We fetch from an HTTP server the file that it was told of, whose end is the end of the stream. */
export const httpDownload: Conversation = async (connection, _bytes, path) => {
  await connection.write(`GET ${path} HTTP/1.0\r\n\r\n`);
  const received = new Meter();
  const { rest } = await readHead(connection);
  received.add(rest);
  for (;;) {
    const chunk = await connection.read();
    if (chunk === null) break;
    received.add(chunk);
  }
  return { ...connection.facts, sent: null, received: received.digest(), end: await connection.end() };
};

async function readHead(connection: LocalConnection): Promise<{ head: string; rest: Uint8Array }> {
  let gathered = Buffer.alloc(0);
  for (;;) {
    const chunk = await connection.read();
    if (chunk === null) throw new Error('the peer has ended within the head of HTTP');
    gathered = Buffer.concat([gathered, chunk]);
    const end = gathered.indexOf('\r\n\r\n');
    if (end >= 0) return { head: gathered.toString('latin1', 0, end), rest: gathered.subarray(end + 4) };
  }
}

/** The peer connects, says its end, and is gone: with tickets unread, which resets the connection behind it. */
export const nothingUntilClosed: Conversation = async (connection) => {
  await expectEnd(connection);
  await connection.end();
  return { ...connection.facts, sent: null, received: null, end: 'clean' };
};
