// Socket files that a process has left behind.
import { type BigIntStats, lstatSync, unlinkSync } from 'node:fs';
import type { PathAddress } from 'bufferevent-backend';
import { ConnectRace } from './connect-race.js';
import { withResolvers } from './deferred-promise.js';
import type { EventBase } from './event-base.js';

/**
 * Unlinks the file at the path when it is a socket on which nobody listens: connecting to it is refused. Everything else
 * is left alone: other files, sockets that answer, that are busy or that we may not connect to, and files that changed
 * meanwhile. A listener that answers sees a connection that ends at once.
 *
 * Between the last look and the unlinking lies one system call, in which another process may put a socket of its own
 * there; and a socket that is bound and does not listen yet refuses, too. Whoever starts several servers on one path at
 * the same time needs a lock of his own.
 */
export async function unlinkStaleSocket(
  base: EventBase,
  address: PathAddress,
  signal: AbortSignal | undefined,
): Promise<void> {
  const found = socketAt(address.path);
  if (found === null || !(await isRefused(base, address)) || signal?.aborted) return;
  const now = socketAt(address.path);
  if (now !== null && now.ino === found.ino && now.dev === found.dev) unlinkSync(address.path);
}

function socketAt(path: string): BigIntStats | null {
  if (path.startsWith('\0')) return null;
  try {
    const stats = lstatSync(path, { bigint: true });
    return stats.isSocket() ? stats : null;
  } catch {
    return null;
  }
}

async function isRefused(base: EventBase, address: PathAddress): Promise<boolean> {
  const { promise, resolve } = withResolvers<boolean>();
  const probe = new ConnectRace(base, [address], undefined, {
    onConnected: (handle) => {
      base.port.close(handle);
      resolve(false);
    },
    onFailed: (error) => resolve((error as { code?: string }).code === 'ECONNREFUSED'),
  });
  const member = {
    place: -1,
    abandon: () => {
      probe.cancel();
      resolve(false);
    },
  };
  base.enter(member);
  try {
    probe.start();
    return await promise;
  } finally {
    base.leave(member);
  }
}
