import { backendCompliance } from 'bufferevent-backend-compliance';
import { describe, it } from 'vitest';
import { netHarness } from './harness.js';

describe('TCP over IPv4', () => {
  backendCompliance(
    { describe, it },
    netHarness(() => ({ ip: '127.0.0.1', port: 0 })),
  );
});
