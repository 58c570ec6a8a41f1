import { withTrace } from 'bufferevent-backend/memory';
import { backendCompliance } from 'bufferevent-backend-compliance';
import { netBackend } from 'bufferevent-net';
import { describe, it } from 'vitest';
import { freshPath, ipv4, ipv6, netHarness } from './harness.js';

describe('TCP over IPv4', () => backendCompliance({ describe, it }, netHarness(ipv4)));
describe('TCP over IPv6', () => backendCompliance({ describe, it }, netHarness(ipv6)));
describe('Unix-domain sockets', () => backendCompliance({ describe, it }, netHarness(freshPath)));
describe('under a trace', () => backendCompliance({ describe, it }, netHarness(ipv4, withTrace(netBackend))));
