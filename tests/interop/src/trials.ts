import assert from 'node:assert/strict';
import type { Credentials } from './credentials.js';
import type { ConversationOf, LocalTls } from './local-tls.js';
import type { Feature, Peer, PeerClient, PeerServer } from './peer.js';
import { type Report, type Settings, type Version, versions } from './settings.js';

/** What the peer is. */
export type PeerRole = 'client' | 'server';

/** One row of the matrix. */
export interface Row {
  readonly peer: Peer;
  readonly role: PeerRole;
  readonly version: Version;
}

export function rowsOf(peer: Peer): Row[] {
  return (['client', 'server'] as const).flatMap((role) => {
    const part = peer[role];
    if (part === undefined) return [];
    return versions.map((version) => ({ peer, role, version }));
  });
}

/** What has connections of its own; `close` is looked at in those of `data`. */
export const trials = ['data', 'resumption', 'alpn', 'clientCertificate'] as const satisfies readonly Feature[];
export type Trial = (typeof trials)[number];

/** Why there is nothing to try; `null` when there is. */
export function obstacle({ peer, role }: Row, feature: Feature): string | null {
  return peer[role]?.cannot[feature] ?? null;
}

const fewBytes = 4096;

export function bytesOf({ peer, role }: Row, bytes: number): number {
  return Math.min(bytes, peer[role]?.maxBytes ?? bytes);
}

/** Has both ends talk, and throws where they do not agree, or where what was tried has not come about. */
export async function run(
  local: LocalTls,
  row: Row,
  trial: Trial,
  bytes: number,
  credentials: Credentials,
): Promise<void> {
  const settings: Settings = {
    version: row.version,
    bytes: bytesOf(row, trial === 'data' ? bytes : fewBytes),
    connections: trial === 'resumption' ? 2 : 1,
    alpn: trial === 'alpn' ? (row.peer[row.role]?.alpn ?? 'interop/1') : null,
    clientCertificate: trial === 'clientCertificate',
    credentials,
  };
  const { ours, theirs } = await converse(local, row, settings);
  assert.equal(ours.length, settings.connections);
  assert.equal(theirs.length, settings.connections);
  for (const [index, our] of ours.entries()) {
    const their = theirs[index] as Report;
    expectAgreement(our, their, row, settings);
    assert.equal(our.isResumed, index > 0, `ours: connection ${index} is resumed`);
    expectIfKnown(their.isResumed, index > 0, `theirs: connection ${index} is resumed`);
    expectIfKnown(our.end, 'clean', 'the end of theirs, seen by us');
    if (obstacle(row, 'close') === null) assert.equal(their.end, 'clean', 'the end of ours, seen by them');
  }
}

function expectAgreement(our: Report, their: Report, row: Row, settings: Settings): void {
  const { version, alpn, clientCertificate, credentials } = settings;
  const [client, server] = row.role === 'client' ? [their, our] : [our, their];
  assert.equal(our.protocol, version);
  expectIfKnown(their.protocol, version, 'theirs: protocol');
  assert.equal(our.alpn, alpn ?? '');
  expectIfKnown(their.alpn, alpn ?? '', 'theirs: application protocol');
  expectIfKnown(client.peerName, credentials.server.commonName, 'the name of the server');
  expectIfKnown(server.peerName, clientCertificate ? credentials.client.commonName : '', 'the name of the client');
  // Nobody says anything on a connection that is made only to resume it.
  if (our.received === null) return;
  assert.equal(our.received.bytes, settings.bytes);
  if (our.sent !== null) assert.equal(our.sent.bytes, settings.bytes);
  if (their.sent !== null) assert.deepEqual(our.received, their.sent, 'what they sent is what came');
  if (their.received !== null && our.sent !== null)
    assert.deepEqual(their.received, our.sent, 'what we sent is what came');
}

function expectIfKnown<Value>(actual: Value | null, expected: Value, what: string): void {
  if (actual !== null) assert.equal(actual, expected, what);
}

async function converse(
  local: LocalTls,
  { peer, role }: Row,
  settings: Settings,
): Promise<{ ours: readonly Report[]; theirs: readonly Report[] }> {
  if (role === 'client') {
    const client = peer.client as PeerClient;
    await using server = await local.listen(settings, conversationOf(client, settings));
    const [ours, theirs] = await both(server.reports(), client.connect(server.port, settings));
    return { ours, theirs };
  }
  const server = peer.server as PeerServer;
  using running = await server.start(settings);
  const [ours, theirs] = await both(
    local.connect(running.port, settings, conversationOf(server, settings, running.path)),
    running.reports(),
  );
  return { ours, theirs };
}

function conversationOf(
  { conversation, opening = conversation }: PeerClient | PeerServer,
  { bytes, connections }: Settings,
  path = '',
): ConversationOf {
  return (index) => (connection) => (index < connections - 1 ? opening : conversation)(connection, bytes, path);
}

/** How long the other end may take to say why, when one has failed, in milliseconds. */
const afterFailureMs = 2000;

/** Both values; when an end fails, what the other says to it belongs to the story. */
async function both<Ours, Theirs>(ours: Promise<Ours>, theirs: Promise<Theirs>): Promise<[Ours, Theirs]> {
  try {
    return await Promise.all([ours, theirs]);
  } catch {
    const stories = await Promise.all([story('ours', ours), story('theirs', theirs)]);
    throw new Error(stories.join('\n'));
  }
}

async function story(whose: string, end: Promise<unknown>): Promise<string> {
  let timer: NodeJS.Timeout | undefined;
  const silence = new Promise((_, reject) => {
    timer = setTimeout(() => reject(new Error('has not ended')), afterFailureMs);
  });
  try {
    await Promise.race([end, silence]);
    return `${whose}: well`;
  } catch (error) {
    return `${whose}: ${error instanceof Error ? error.message : error}`;
  } finally {
    clearTimeout(timer);
  }
}
