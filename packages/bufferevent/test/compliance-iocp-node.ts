// The suite over completion ports, under Node's own runner: vitest does not run everywhere where they do.
import { describe, it } from 'node:test';
import { buffereventCompliance, socketFlavour } from 'bufferevent/compliance';
import { iocpBackend } from 'bufferevent-iocp';
import { covered, passingFilter, turningFilter } from './support/compliance-flavours.js';

const sockets = socketFlavour('sockets over iocp', {
  createBackend: () => iocpBackend,
  manualClock: false,
  files: true,
  timeoutMs: 20_000,
});

buffereventCompliance({ describe, it }, sockets);
buffereventCompliance({ describe, it }, covered('filters that pass on', sockets, passingFilter));
buffereventCompliance({ describe, it }, covered('filters that change bytes', sockets, turningFilter));
