// The suite for every kind of bufferevent over TLS, under Node's own runner, for systems on which vitest does not run.
import { describe, it } from 'node:test';
import { buffereventCompliance } from 'bufferevent/compliance';
import { fewerFlavours } from './support/compliance-flavours.js';
import { isOpensslUsable } from './support/usable.js';
import { versions } from './support/versions.js';

const canRun = isOpensslUsable();
for (const version of versions) {
  describe(version, { skip: !canRun }, () => {
    for (const flavour of fewerFlavours(version)) buffereventCompliance({ describe, it }, flavour);
  });
}
