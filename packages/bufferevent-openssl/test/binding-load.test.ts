import { spawnSync } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import { describe, expect, it } from 'vitest';

const module = new URL('../dist/available.js', import.meta.url).href;

/** What a process says whose environment or versions are other ones. */
function reasonWith(
  environment: Record<string, string | undefined>,
  before = '',
): { available: boolean; reason: string | null } {
  const program = `
    ${before}
    const { isAvailable, unavailabilityReason } = await import(${JSON.stringify(module)});
    console.log(JSON.stringify({ available: isAvailable(), reason: unavailabilityReason() }));`;
  const { stdout, stderr } = spawnSync(process.execPath, ['--input-type=module', '--eval', program], {
    encoding: 'utf8',
    env: { ...process.env, ...environment },
  });
  if (stdout === '') throw new Error(stderr);
  return JSON.parse(stdout) as { available: boolean; reason: string | null };
}

describe('availability', () => {
  it('an addon that is not there is a reason and no exception', () => {
    const { available, reason } = reasonWith({ BUFFEREVENT_OPENSSL_ADDON: '/nowhere/at-all.node' });
    expect(available).toBe(false);
    expect(reason).toMatch(/^the native addon could not be loaded: .*\/nowhere\/at-all\.node/);
  });

  it('a file that is no addon is a reason and no exception', () => {
    const here = fileURLToPath(import.meta.url);
    const { available, reason } = reasonWith({ BUFFEREVENT_OPENSSL_ADDON: here });
    expect(available).toBe(false);
    expect(reason).toMatch(/^the native addon could not be loaded: /);
  });

  it.each(['bun', 'deno', 'electron'])('where %s runs us, the reason says how else', (runtime) => {
    const before = `Object.defineProperty(process, 'versions', { value: { ...process.versions, ${runtime}: '1' } });`;
    // A build that was named is taken at its word.
    const { available, reason } = reasonWith({ BUFFEREVENT_OPENSSL_ADDON: undefined }, before);
    expect(available).toBe(false);
    expect(reason).toMatch(
      new RegExp(`^${runtime} does not share an OpenSSL with addons; .*BUFFEREVENT_OPENSSL_ADDON`),
    );
  });

  it('a process that says it lacks addons (--permission and the like) gets a reason', () => {
    const { available, reason } = reasonWith({}, `process.dlopen = () => { throw new Error('not allowed') };`);
    expect(available).toBe(false);
    expect(reason).toBe('the native addon could not be loaded: not allowed');
  });
});
