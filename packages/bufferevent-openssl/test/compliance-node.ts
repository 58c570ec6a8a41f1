// The suite for every kind of bufferevent over TLS, under Node's own runner, for systems on which vitest does not run.
import { describe, it } from 'node:test';
import { buffereventCompliance } from 'bufferevent/compliance';
import { fewerFlavours } from './support/compliance-flavours.js';
import { versions } from './support/versions.js';

for (const version of versions) {
  describe(version, () => {
    for (const flavour of fewerFlavours(version)) buffereventCompliance({ describe, it }, flavour);
  });
}
