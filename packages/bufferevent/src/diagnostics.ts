import { type Channel, channel } from 'node:diagnostics_channel';
import { debuglog, inspect } from 'node:util';

/**
 * What happens to connections, for whoever wants to watch all of them: `diagnostics_channel.subscribe(name, …)`. Nothing
 * is made while nobody listens. Messages carry the `bufferevent`, and:
 *
 * - `bufferevent:open`: nothing more; its transport is connected
 * - `bufferevent:close`: `cause`; it was freed
 * - `bufferevent:error`: `error`, and the `direction` if it has one
 * - `bufferevent:suspend`, `bufferevent:resume`: `direction`, `reason`
 */
export const channels: Readonly<Record<'open' | 'close' | 'error' | 'suspend' | 'resume', Channel>> = {
  open: channel('bufferevent:open'),
  close: channel('bufferevent:close'),
  error: channel('bufferevent:error'),
  suspend: channel('bufferevent:suspend'),
  resume: channel('bufferevent:resume'),
};

const log = debuglog('bufferevent');

// NODE_DEBUG=bufferevent
if (log.enabled) {
  for (const each of Object.values(channels)) each.subscribe(logMessage);
}

function logMessage(message: unknown, name: string | symbol): void {
  const { bufferevent, ...details } = message as { bufferevent: unknown };
  const about = inspect(bufferevent, { depth: -1 });
  log('%s %s %s', String(name), about, inspect(details, { depth: 1, breakLength: Infinity }));
}
