import { readFileSync } from 'node:fs';
import { RateLimitGroup, SocketBufferevent, TokenBucketConfig } from 'bufferevent';
import { expect, test } from 'vitest';

/** What libevent's bufferevent.h declares for rate limits. */
const groupFunctions =
  'new set_cfg set_min_share free get_read_limit get_write_limit decrement_read decrement_write get_totals reset_totals';
const connectionFunctions = `set_rate_limit get_token_bucket_cfg get_read_limit get_write_limit get_max_to_read get_max_to_write
  set_max_single_read set_max_single_write get_max_single_read get_max_single_write decrement_read_limit
  decrement_write_limit add_to_rate_limit_group remove_from_rate_limit_group`;
const functions = [
  'ev_token_bucket_cfg_new',
  'ev_token_bucket_cfg_free',
  ...connectionFunctions.split(/\s+/).map((name) => `bufferevent_${name}`),
  ...groupFunctions.split(' ').map((name) => `bufferevent_rate_limit_group_${name}`),
];

const page = readFileSync(new URL('../../../docs/naming.md', import.meta.url), 'utf8');
const [, section = ''] = page.split(/^## Rate limits of .*$/m);
const rows = [...section.matchAll(/^\| `(\w+)` \| (.+?) \| (.*?) ?\|$/gm)].map(([, libevent, here, remark]) => ({
  libevent: libevent as string,
  here: (here as string).replaceAll('`', ''),
  remark: remark as string,
}));

const owners: Readonly<Record<string, { readonly prototype: object }>> = {
  Bufferevent: SocketBufferevent,
  RateLimitGroup,
  TokenBucketConfig,
};

function exists(here: string): boolean {
  const [owner = '', member] = here.split('.');
  const type = owners[owner];
  return type !== undefined && (member === undefined || member in type.prototype);
}

test('docs/naming.md lists each of the 26 functions for rate limits once', () => {
  expect(functions).toHaveLength(26);
  expect(rows.map(({ libevent }) => libevent).toSorted()).toEqual(functions.toSorted());
});

test('every counterpart of them exists, and every other row says why there is none', () => {
  for (const { libevent, here, remark } of rows) {
    if (here === 'none') expect(remark, libevent).not.toBe('');
    else expect(exists(here), `${libevent}: ${here}`).toBe(true);
  }
  expect([exists('Bufferevent.absent'), exists('Absent')]).toEqual([false, false]);
});
