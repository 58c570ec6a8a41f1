import type { Bufferevent } from './bufferevent.js';
import { BuffereventError, freedError } from './errors.js';

/** Those whose bytes and end belong to a stream; until they are gone, as no stream gives one back. */
const owned: WeakSet<Bufferevent> = new WeakSet();

/**
 * @internal From now on a stream of Node or of the web owns `bev`. Throws `ERR_BUFFEREVENT_COVERED` when another one does,
 * since each would get a part of the bytes; `ERR_BUFFEREVENT_FREED`.
 */
export function ownByStream(bev: Bufferevent): void {
  if (bev.freed) throw freedError();
  if (owned.has(bev))
    throw new BuffereventError('ERR_BUFFEREVENT_COVERED', 'a stream lies over this bufferevent already');
  owned.add(bev);
}
