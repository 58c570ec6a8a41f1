import { withTrace } from 'bufferevent-backend/memory';
import { backendCompliance } from 'bufferevent-backend-compliance';
import { epollBackend } from 'bufferevent-epoll';
import { describe, it } from 'vitest';
import { epollHarness, freshPath, ipv4, ipv6 } from './harness.js';

describe('TCP over IPv4', () => backendCompliance({ describe, it }, epollHarness(ipv4)));
describe('TCP over IPv6', () => backendCompliance({ describe, it }, epollHarness(ipv6)));
describe('Unix-domain sockets', () => backendCompliance({ describe, it }, epollHarness(freshPath)));
describe('under a trace', () => backendCompliance({ describe, it }, epollHarness(ipv4, withTrace(epollBackend))));
