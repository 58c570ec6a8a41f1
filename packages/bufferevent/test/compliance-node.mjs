// The suite under Node's own runner, from compiled JavaScript: it needs nothing but `describe` and `it`.
import { describe, it } from 'node:test';
import { buffereventCompliance, socketFlavour } from 'bufferevent/compliance';
import { createMemoryBackend, MemoryNetwork } from 'bufferevent-backend/memory';

buffereventCompliance(
  { describe, it },
  socketFlavour('sockets in memory', {
    createBackend: () => createMemoryBackend(new MemoryNetwork({ capacity: 16_384 })),
    transitBytes: 65_536,
  }),
);
