// The suite for every kind of bufferevent, over TLS.
import { buffereventCompliance } from 'bufferevent/compliance';
import { describe, it } from 'vitest';
import { describeWithOpenssl } from './in-memory.js';
import { complianceFlavours, patienceMs } from './support/compliance-flavours.js';
import { versions } from './support/versions.js';

/** The suite has time-outs of its own, for each step. */
const patientIt = (name: string, body: () => Promise<void>): void => it(name, body, patienceMs + 10_000);

for (const version of versions) {
  describeWithOpenssl(version, () => {
    for (const flavour of complianceFlavours(version)) buffereventCompliance({ describe, it: patientIt }, flavour);
  });
}
