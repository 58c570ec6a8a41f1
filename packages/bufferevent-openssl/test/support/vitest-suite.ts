import { buffereventCompliance } from 'bufferevent/compliance';
import { describe, it } from 'vitest';
import { describeWithOpenssl } from '../in-memory.js';
import { complianceFlavours, patienceMs } from './compliance-flavours.js';
import type { Version } from './versions.js';

/** The suite has time-outs of its own, for each step. */
const patientIt = (name: string, body: () => Promise<void>): void => it(name, body, patienceMs + 10_000);

/** The suite for every kind of bufferevent over one version of TLS. */
export function tlsCompliance(version: Version): void {
  describeWithOpenssl(version, () => {
    for (const flavour of complianceFlavours(version)) buffereventCompliance({ describe, it: patientIt }, flavour);
  });
}
