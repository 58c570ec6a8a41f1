// The suite under Node's own runner, for systems on which vitest does not run.
import { describe, it } from 'node:test';
import { backendCompliance } from 'bufferevent-backend-compliance';
import { freshPath, ipv4, ipv6, netHarness } from './harness.js';

describe('TCP over IPv4', () => backendCompliance({ describe, it }, netHarness(ipv4)));
describe('TCP over IPv6', () => backendCompliance({ describe, it }, netHarness(ipv6)));
describe('paths', () => backendCompliance({ describe, it }, netHarness(freshPath)));
