import { backendCompliance } from 'bufferevent-backend-compliance';
import { createMemoryHarness } from 'bufferevent-backend-compliance/memory-harness';
import { describe, it } from 'vitest';

backendCompliance({ describe, it }, createMemoryHarness());
