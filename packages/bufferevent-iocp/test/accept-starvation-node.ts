// Going without descriptors (C20), where tools/wine lets Wine have few of them.
import { closeSync, openSync } from 'node:fs';
import { it } from 'node:test';
import { cases, type Exhaustion, runCase } from 'bufferevent-backend-compliance';
import { iocpHarness, ipv4 } from './harness.js';

const harness = { ...iocpHarness(ipv4), exhaustDescriptors };

/** Files and sockets are of one kind: takes all that may still be opened. */
function exhaustDescriptors(): Exhaustion {
  const taken: number[] = [];
  try {
    for (;;) taken.push(openSync(import.meta.filename, 'r'));
  } catch {
    return {
      restore() {
        for (const descriptor of taken) closeSync(descriptor);
      },
    };
  }
}

for (const one of cases.filter(({ rule }) => rule === 'C20')) it(one.title, () => runCase(one, harness));
