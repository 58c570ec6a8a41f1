// Going without descriptors (C20), where tools/wine lets Wine have few of them.
import { it } from 'node:test';
import { cases, exhaustDescriptors, runCase } from 'bufferevent-backend-compliance';
import { iocpHarness, ipv4 } from './harness.js';

const harness = { ...iocpHarness(ipv4), exhaustDescriptors };

for (const one of cases.filter(({ rule }) => rule === 'C20')) it(one.title, () => runCase(one, harness));
