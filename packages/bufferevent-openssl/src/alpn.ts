import { argumentRangeError, argumentTypeError } from 'bufferevent-backend';

/**
 * Names of application protocols (ALPN), most wanted first; or already in the wire format, as `node:tls` has it. With a byte
 * for the length of each they may have 32 KiB.
 */
export type AlpnProtocols = readonly string[] | Uint8Array;

/** Half of what all the extensions of a ClientHello may have together (RFC 8446 section 4.1.2), the others among them. */
const MAX_LIST_BYTES = 32 * 1024;

/** Throws for what is no list of protocols; each name has 1 to 255 bytes. Bytes in the wire format are not copied. */
export function encodeAlpn(name: string, protocols: unknown): Uint8Array {
  if (protocols instanceof Uint8Array) {
    checkWireFormat(name, protocols);
    checkSize(name, protocols);
    return protocols;
  }
  if (!Array.isArray(protocols)) throw argumentTypeError(name, 'an array of strings or a Uint8Array', protocols);
  const parts = protocols.map((protocol: unknown, index) => {
    if (typeof protocol !== 'string') throw argumentTypeError(`${name}[${index}]`, 'a string', protocol);
    const bytes = Buffer.from(protocol);
    if (bytes.length === 0 || bytes.length > 255) {
      throw argumentRangeError(`${name}[${index}]`, '1 to 255 bytes long', protocol);
    }
    return Buffer.concat([Buffer.of(bytes.length), bytes]);
  });
  const encoded = Buffer.concat(parts);
  checkSize(name, encoded);
  return encoded;
}

function checkSize(name: string, { length }: Uint8Array): void {
  if (length > MAX_LIST_BYTES)
    throw argumentRangeError(name, `at most ${MAX_LIST_BYTES} bytes long`, `${length} bytes`);
}

function checkWireFormat(name: string, bytes: Uint8Array): void {
  let at = 0;
  while (at < bytes.length && bytes[at] !== 0) at += 1 + (bytes[at] as number);
  if (at !== bytes.length) {
    throw argumentRangeError(name, 'protocols with their length in front of each', `${bytes.length} bytes`);
  }
}

/** Names out of the wire format; a malformed list, which OpenSSL does not let through, ends where it breaks. */
export function decodeAlpn(bytes: Uint8Array): string[] {
  const protocols: string[] = [];
  for (let at = 0; at < bytes.length; ) {
    const end = at + 1 + (bytes[at] as number);
    if (end > bytes.length) break;
    protocols.push(Buffer.from(bytes.subarray(at + 1, end)).toString());
    at = end;
  }
  return protocols;
}
