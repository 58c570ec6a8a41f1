import { describe, it } from 'node:test';
import { buffereventCompliance, type Flavour } from 'bufferevent/compliance';
import { isOpensslUsable } from './usable.js';
import { type Version, versions } from './versions.js';

/** The suite for every kind of bufferevent over TLS, under Node's own runner, for systems on which vitest does not run. */
export function tlsCompliance(flavoursOf: (version: Version) => readonly Flavour[]): void {
  const canRun = isOpensslUsable();
  for (const version of versions) {
    describe(version, { skip: !canRun }, () => {
      for (const flavour of flavoursOf(version)) buffereventCompliance({ describe, it }, flavour);
    });
  }
}
