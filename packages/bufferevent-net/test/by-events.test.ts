// The contract where `node:net` can't be made to read into memory of ours, as in other runtimes: sockets are read by 'data' events.
import { connect } from 'node:net';
import { type IpAddress, Operation } from 'bufferevent-backend';
import {
  arrayBufferBytes,
  backendCompliance,
  type ComplianceCase,
  runCase,
  Stream,
} from 'bufferevent-backend-compliance';
import { describe, expect, it } from 'vitest';

// Looked for once, when the module is loaded.
const { getOwnPropertySymbols } = Object;
Object.getOwnPropertySymbols = () => [];
const { ipv4, netHarness } = await import('./harness.js');
Object.getOwnPropertySymbols = getOwnPropertySymbols;

describe('TCP, read by events', () => backendCompliance({ describe, it }, netHarness(ipv4)));

const readAhead: ComplianceCase = {
  rule: 'C6',
  title: 'C6: what is read ahead of a stream that nobody reads is at most supports.readAhead',
  requires: [],
  async run(context) {
    const streams = 32;
    const flood = Buffer.alloc(8 * 1024 * 1024);
    const { handle, address } = await context.listen();
    const { ip, port } = address as IpAddress;
    context.right.port.accept(handle, streams);
    const clients = Array.from({ length: streams }, () => connect({ host: ip, port }));
    context.defer(() => {
      for (const client of clients) client.destroy();
    });
    for (const client of clients) {
      client.write('ab');
      const { result } = await context.right.next(handle, Operation.accept);
      // One recv of one byte starts the flow; from then on nobody reads.
      expect((await new Stream(context.right, result).take(1)).length).toBe(1);
    }
    await context.settle(1);
    const before = arrayBufferBytes();
    for (const client of clients) client.write(flood);
    await context.settle(50);
    const ahead = (arrayBufferBytes() - before) / streams;
    // More than half a chunk a stream proves that it is read by events; the heartbeat of `settle` leaves some garbage.
    expect(ahead).toBeGreaterThan(32 * 1024);
    expect(ahead).toBeLessThanOrEqual(context.supports.readAhead + 16 * 1024);
  },
};

it(readAhead.title, () => runCase(readAhead, netHarness(ipv4)));
