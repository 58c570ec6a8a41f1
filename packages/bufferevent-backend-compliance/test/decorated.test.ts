import type { Backend } from 'bufferevent-backend';
import { withFaults, withTrace } from 'bufferevent-backend/memory';
import { backendCompliance } from 'bufferevent-backend-compliance';
import { createMemoryHarness, type MemoryHarnessOptions } from 'bufferevent-backend-compliance/memory-harness';
import { describe, it } from 'vitest';

/** Decorators keep the contract: what they wrap passes the same suite. Processes are the business of what is below. */
const kinds: Readonly<Record<string, MemoryHarnessOptions>> = {
  'with a trace': { decorate: (backend: Backend) => withTrace(backend) },
  'with completions two turns late': { decorate: (backend: Backend) => withFaults(backend, { delay: 2 }) },
  'with short sends and receives': {
    decorate: (backend: Backend) => withFaults(backend, { maxSend: 1000, maxRecv: 777 }),
  },
  'with random sizes and delays': { decorate: (backend: Backend) => withFaults(backend, { random: { seed: 7 } }) },
  'with sends that complete whole': { sends: 'whole' },
  'with memory copied unless registered': { strictMemory: true },
  'with read-ahead and accept-ahead': { supports: { readAhead: 16_384, acceptAhead: 3 } },
};

/** Late completions add up; the suite has time-outs of its own. */
const patientIt = (name: string, body: () => Promise<void>): void => it(name, body, 60_000);

for (const [kind, options] of Object.entries(kinds)) {
  describe(kind, () => {
    const lesser = { childModule: null, maxStreams: 200, bulkBytes: 512 * 1024 };
    backendCompliance({ describe, it: patientIt }, createMemoryHarness({ ...options, ...lesser }));
  });
}
