import { withTrace } from 'bufferevent-backend/memory';
import { backendCompliance } from 'bufferevent-backend-compliance';
import { epollBackend } from 'bufferevent-epoll';
import { describe, it } from 'vitest';
import { describeEpoll } from './available.js';
import { epollHarness, freshPath, ipv4, ipv6 } from './harness.js';

describeEpoll('TCP over IPv4', () => backendCompliance({ describe, it }, epollHarness(ipv4)));
describeEpoll('TCP over IPv6', () => backendCompliance({ describe, it }, epollHarness(ipv6)));
describeEpoll('Unix-domain sockets', () => backendCompliance({ describe, it }, epollHarness(freshPath)));
describeEpoll('under a trace', () => backendCompliance({ describe, it }, epollHarness(ipv4, withTrace(epollBackend))));
