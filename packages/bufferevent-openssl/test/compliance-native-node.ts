// The suite over what is written for this system.
import { nativeFlavours } from './support/compliance-flavours.js';
import { tlsCompliance } from './support/node-suite.js';

tlsCompliance(nativeFlavours);
