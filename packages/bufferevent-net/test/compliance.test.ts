import { withTrace } from 'bufferevent-backend/memory';
import { backendCompliance, cases, type Runner } from 'bufferevent-backend-compliance';
import { netBackend } from 'bufferevent-net';
import { describe, expect, it } from 'vitest';
import { freshPath, ipv4, ipv6, netHarness } from './harness.js';

/** What Unix-domain sockets answer differently from TCP, on every backend. */
const tcpOnly: ReadonlyMap<string, string> = new Map([
  ['C11: reset cancels what is in flight and completes last, with 0', 'no RST: the peer sees the end'],
  ['C11: a reset is not mistaken for an end by a recv in flight', 'no RST'],
  ['C11: a stream whose peer reset it can be closed, and leaves nothing', 'no RST'],
  ['C13: a reset by the peer is ECONNRESET for recv', 'no RST'],
  ['C13: a connect that nobody answers completes with ECONNREFUSED', 'the file is gone: ENOENT'],
  ['C13: onTrace sees each failure with its raw code before the sink does', 'the file is gone: ENOENT'],
  ['C13: an option of the manifest is set, and one outside it is refused', 'no TCP_NODELAY: ENOTSUP'],
]);

const withoutTcp: Runner = {
  describe,
  it: (name, body) => (tcpOnly.has(name) ? it.skip(`${name} (${tcpOnly.get(name)})`, body) : it(name, body)),
};

describe('TCP over IPv4', () => backendCompliance({ describe, it }, netHarness(ipv4)));
describe('TCP over IPv6', () => backendCompliance({ describe, it }, netHarness(ipv6)));
describe('Unix-domain sockets', () => backendCompliance(withoutTcp, netHarness(freshPath)));
describe('under a trace', () => backendCompliance({ describe, it }, netHarness(ipv4, withTrace(netBackend))));

it('every case that is left out for Unix-domain sockets exists', () => {
  const titles = new Set(cases.map((one) => one.title));
  expect([...tcpOnly.keys()].filter((title) => !titles.has(title))).toEqual([]);
});
