// The suite over what is there everywhere.
import { portableFlavours } from './support/compliance-flavours.js';
import { tlsCompliance } from './support/node-suite.js';

tlsCompliance(portableFlavours);
