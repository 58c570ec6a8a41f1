import { type InspectOptions, inspect } from 'node:util';
import type { Bufferevent } from './bufferevent.js';

/** `SocketBufferevent { open, input: 12, output: 0, enabled: [ 'read', 'write' ], … }` */
export function inspectBufferevent(bev: Bufferevent, state: string, depth: number, options: InspectOptions): string {
  const name = bev.constructor.name;
  if (depth < 0) return `[${name} ${state}]`;
  const { suspended, bytesReceived, bytesSent } = bev.stats();
  const facts = {
    state,
    enabled: bev.enabled,
    input: bev.input.length,
    output: bev.output.length,
    bytesReceived,
    bytesSent,
    ...(suspended.read.length > 0 && { readSuspended: suspended.read }),
    ...(suspended.write.length > 0 && { writeSuspended: suspended.write }),
    ...(bev.readEnded && { readEnded: true }),
    ...(bev.writeEnded && { writeEnded: true }),
    ...(bev.layers.length > 0 && { layers: bev.layers.map((layer) => layer.name) }),
    ...(bev.underlying !== null && { underlying: bev.underlying }),
  };
  return `${name} ${inspect(facts, { ...options, depth })}`;
}
