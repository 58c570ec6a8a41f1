// docs/naming.md against what this package exports: bufferevent_ssl.h.
import { readFileSync } from 'node:fs';
import * as main from 'bufferevent-openssl';
import { expect, it } from 'vitest';

const page = readFileSync(new URL('../../../docs/naming.md', import.meta.url), 'utf8');
const [, section = ''] = /^## `event2\/bufferevent_ssl\.h`.*\n([^#]*)/m.exec(page) ?? [];

/** What the header declares. */
const FUNCTIONS = [
  ...['get_flags', 'set_flags', 'clear_flags', 'renegotiate'].map((name) => `bufferevent_ssl_${name}`),
  ...['openssl', 'mbedtls'].flatMap((library) => [
    ...['filter_new', 'socket_new', 'get_allow_dirty_shutdown', 'set_allow_dirty_shutdown', 'get_ssl'].map(
      (name) => `bufferevent_${library}_${name}`,
    ),
    `bufferevent_get_${library}_error`,
  ]),
  ...['renegotiate', 'dyncontext_new', 'dyncontext_free'].map((name) => `bufferevent_mbedtls_${name}`),
];

const rows = [...section.matchAll(/^\| `(\w+)` \| (.+?) \| (.*?) ?\|$/gm)].map(([, libevent, here, remark]) => ({
  libevent: libevent as string,
  here: here as string,
  remark: remark as string,
}));

/** Whether something by the name `Class.member`, or a function, is exported; a lone member of the two bufferevents, too. */
function exists(name: string): boolean {
  const [owner = '', member] = name.split('.');
  const exported = (main as unknown as Record<string, { prototype?: object }>)[owner];
  if (exported === undefined) return member === undefined && name in main.OpensslSocketBufferevent.prototype;
  return member === undefined || member in exported || member in (exported.prototype ?? {});
}

it('docs/naming.md lists each of the 19 functions of bufferevent_ssl.h once', () => {
  expect(FUNCTIONS).toHaveLength(19);
  expect(rows.map(({ libevent }) => libevent).toSorted()).toEqual(FUNCTIONS.toSorted());
});

it('every counterpart that docs/naming.md names exists, and every other row says why there is none', () => {
  for (const { libevent, here, remark } of rows) {
    if (here === 'none') expect(remark, libevent).not.toBe('');
    else expect(exists(here.replaceAll('`', '')), `${libevent}: ${here}`).toBe(true);
  }
  expect(['absent', 'Absent.filter', 'OpensslBufferevent.absent', 'Ssl.absent'].filter(exists)).toEqual([]);
});

it('what the remarks of docs/naming.md call by its name exists', () => {
  const mentioned = rows.flatMap(({ remark }) => [...remark.matchAll(/`([\w.]+)`/g)].map(([, name]) => name as string));
  expect(mentioned.length).toBeGreaterThan(4);
  expect(mentioned.filter((name) => name !== 'null' && !exists(name))).toEqual([]);
});
