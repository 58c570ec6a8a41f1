import { withTrace } from 'bufferevent-backend/memory';
import { backendCompliance } from 'bufferevent-backend-compliance';
import { epollBackend } from 'bufferevent-epoll';
import { describe, it } from 'vitest';
import { describeOnEpoll } from './available.js';
import { epollHarness, freshPath, ipv4, ipv6 } from './harness.js';

describeOnEpoll('TCP over IPv4', () => backendCompliance({ describe, it }, epollHarness(ipv4)));
describeOnEpoll('TCP over IPv6', () => backendCompliance({ describe, it }, epollHarness(ipv6)));
describeOnEpoll('Unix-domain sockets', () => backendCompliance({ describe, it }, epollHarness(freshPath)));
describeOnEpoll('under a trace', () =>
  backendCompliance({ describe, it }, epollHarness(ipv4, withTrace(epollBackend))),
);
