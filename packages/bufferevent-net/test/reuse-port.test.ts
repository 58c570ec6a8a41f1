import { expect, it } from 'vitest';
import { hasReusePort } from '../src/reuse-port.js';

it.each([
  ['20.20.2', 'linux', false],
  ['22.11.0', 'linux', false],
  ['22.12.0', 'linux', true],
  ['23.0.0', 'linux', false],
  ['23.1.0', 'linux', true],
  ['24.0.0', 'linux', true],
  ['24.0.0', 'freebsd', true],
  ['24.0.0', 'win32', false],
  ['24.0.0', 'darwin', false],
] as const)('whether several listeners can share a port with Node %s on %s: %s', (version, system, can) => {
  expect(hasReusePort(version, system)).toBe(can);
});
