import { backendCompliance } from 'bufferevent-backend-compliance';
import { createMemoryHarness } from 'bufferevent-backend-compliance/memory-harness';
import { describe, it } from 'vitest';

// The suite has time-outs of its own, for each completion.
const patientIt = (name: string, body: () => Promise<void>): void => it(name, body, 60_000);

backendCompliance({ describe, it: patientIt }, createMemoryHarness());
