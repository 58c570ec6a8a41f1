import { hkdfSync, randomBytes } from 'node:crypto';
import { argumentRangeError, argumentTypeError } from 'bufferevent-backend';

/** Name 16, AES-256-CBC 32, HMAC-SHA256 32. */
export const TICKET_KEY_BYTES = 80;
/** `ticketKeys` of `node:tls`. */
const NODE_TICKET_KEY_BYTES = 48;

/**
 * A new key for session tickets, {@link TICKET_KEY_BYTES} random bytes: for processes that share sessions. To rotate,
 * put a new one in front and leave the old ones behind it for as long as their tickets are good:
 * `context.setTicketKeys([fresh, previous])`. Whoever has a key can read the traffic of the sessions resumed with TLS
 * 1.2 under it, so keys want to be forgotten again.
 */
export function createTicketKey(): Uint8Array {
  return new Uint8Array(randomBytes(TICKET_KEY_BYTES));
}

/** One after the other, as the addon wants them. */
export function joinTicketKeys(name: string, keys: unknown): Uint8Array {
  const list: unknown[] = Array.isArray(keys) ? keys : [keys];
  const parts = list.map((key, index) => {
    const label = Array.isArray(keys) ? `${name}[${index}]` : name;
    if (!(key instanceof Uint8Array)) throw argumentTypeError(label, 'a Uint8Array', typeof key);
    if (key.length !== TICKET_KEY_BYTES) {
      throw argumentRangeError(label, `${TICKET_KEY_BYTES} bytes`, `${key.length} bytes`);
    }
    return key;
  });
  return Buffer.concat(parts);
}

/**
 * A key made of the 48 bytes of `node:tls`, the same in every process. Node's tickets themselves are of another format
 * (AES-128) and are not understood: such a client makes a full handshake.
 */
export function ticketKeyOfNode(bytes: Uint8Array): Uint8Array {
  if (bytes.length !== NODE_TICKET_KEY_BYTES) {
    throw argumentRangeError('options.ticketKeys', `${NODE_TICKET_KEY_BYTES} bytes`, `${bytes.length} bytes`);
  }
  const info = 'bufferevent-openssl ticket key';
  return new Uint8Array(hkdfSync('sha256', bytes, new Uint8Array(0), info, TICKET_KEY_BYTES));
}
