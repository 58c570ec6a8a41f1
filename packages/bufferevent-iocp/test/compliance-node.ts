// The suite under Node's own runner: vitest does not run everywhere where completion ports do.
import { describe, it } from 'node:test';
import { withTrace } from 'bufferevent-backend/memory';
import { backendCompliance, excludedCases } from 'bufferevent-backend-compliance';
import { createIocpBackend, iocpBackend } from 'bufferevent-iocp';
import { iocpHarness, ipv4, ipv6 } from './harness.js';

describe('TCP over IPv4', () => backendCompliance({ describe, it }, iocpHarness(ipv4)));
describe('TCP over IPv6', () => backendCompliance({ describe, it }, iocpHarness(ipv6)));
describe('with four threads', () =>
  backendCompliance({ describe, it }, iocpHarness(ipv4, createIocpBackend({ threads: 4 }))));
describe('under a trace', () => backendCompliance({ describe, it }, iocpHarness(ipv4, withTrace(iocpBackend))));

for (const { case: left, reasons } of excludedCases(iocpHarness(ipv4))) {
  console.log(`left out: ${left.title}: ${reasons.join(', ')}`);
}
