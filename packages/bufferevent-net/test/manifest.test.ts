import { readFileSync } from 'node:fs';
import type { BackendSupports } from 'bufferevent-backend';
import { excludedCases } from 'bufferevent-backend-compliance';
import { netBackend } from 'bufferevent-net';
import { expect, it } from 'vitest';
import { ipv4, netHarness } from './harness.js';

const readme = readFileSync(new URL('../README.md', import.meta.url), 'utf8');

/** The hooks that real sockets can't serve belong to bits that are false: they exclude nothing by themselves. */
const bitReason = /^supports\.(\w+) is (true|false)$/;

it('the README names each bit of supports that is false, with the rules whose cases it excludes', () => {
  const excluded = new Map<string, Set<string>>();
  for (const { case: one, reasons } of excludedCases(netHarness(ipv4))) {
    const bits = reasons.map((reason) => bitReason.exec(reason)).filter((match) => match !== null);
    expect(bits.length, `"${one.title}" is left out for no bit of supports: ${reasons}`).toBeGreaterThan(0);
    for (const [, bit = '', value] of bits) {
      // Cases about what happens where a bit is false do not apply where it is true: nothing to explain.
      if (value === 'false') excluded.set(bit, (excluded.get(bit) ?? new Set()).add(one.rule));
    }
  }
  const section = readme.slice(readme.indexOf("## What `node:net` can't do"));
  const documented = new Map<string, Set<string>>();
  for (const [, bit = '', rules = ''] of section.matchAll(/^\| `(\w+)` \| (C[\d, C]+) \|/gm)) {
    // reusePort depends on the version of Node and on the system.
    if (netBackend.supports[bit as keyof BackendSupports] === false) documented.set(bit, new Set(rules.split(', ')));
  }
  expect(documented).toEqual(excluded);
});

it('the README says the numbers of the manifest', () => {
  const { readAhead, acceptAhead, idleMemory } = netBackend.supports;
  expect(readme).toContain(`| \`readAhead\` | ${readAhead.toLocaleString('en')} bytes |`);
  expect(readme).toContain(`| \`acceptAhead\` | ${acceptAhead.toLocaleString('en')} connections |`);
  expect(readme).toContain(`| \`idleMemory\` | ${idleMemory} |`);
});

it('the backend is available, says so, and cannot be changed', () => {
  expect(netBackend.name).toBe('net');
  expect(netBackend.isAvailable()).toBe(true);
  expect(netBackend.unavailabilityReason()).toBeNull();
  expect(Object.isFrozen(netBackend) && Object.isFrozen(netBackend.supports)).toBe(true);
});
