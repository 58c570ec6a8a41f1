// The suite under Node's own runner, from compiled JavaScript: it needs nothing but `describe` and `it`.
import { describe, it } from 'node:test';
import { backendCompliance } from 'bufferevent-backend-compliance';
import { createMemoryHarness } from 'bufferevent-backend-compliance/memory-harness';

backendCompliance({ describe, it }, createMemoryHarness());
