// docs/naming.md against what this package exports: bufferevent.h and listener.h.
import { readdirSync, readFileSync } from 'node:fs';
import * as main from 'bufferevent';
import { expect, it } from 'vitest';

const page = readFileSync(new URL('../../../docs/naming.md', import.meta.url), 'utf8');
/** Without bufferevent_ssl.h, which another package is about. */
const ours = page.replace(/^## `event2\/bufferevent_ssl\.h`[^#]*/m, '');

const names = (prefix: string, list: string): string[] =>
  list
    .trim()
    .split(/\s+/)
    .map((name) => prefix + name);

/** What the headers declare, and the flags of listeners. */
const LISTENER = names('evconnlistener_', 'new new_bind free enable disable get_base get_fd set_cb set_error_cb');
const BUFFEREVENT = [
  'ev_token_bucket_cfg_new',
  'ev_token_bucket_cfg_free',
  ...names(
    'bufferevent_',
    `socket_new socket_connect socket_connect_hostname socket_connect_hostname_hints socket_get_dns_error base_set
    get_base priority_set get_priority free setcb getcb setfd replacefd getfd get_underlying write write_buffer read
    read_buffer get_input get_output enable disable get_enabled set_timeouts setwatermark getwatermark lock unlock incref
    decref flush trigger trigger_event filter_new pair_new pair_get_partner
    set_rate_limit get_token_bucket_cfg get_read_limit get_write_limit get_max_to_read get_max_to_write
    set_max_single_read set_max_single_write get_max_single_read get_max_single_write decrement_read_limit
    decrement_write_limit add_to_rate_limit_group remove_from_rate_limit_group`,
  ),
  ...names(
    'bufferevent_rate_limit_group_',
    `new set_cfg set_min_share free get_read_limit get_write_limit decrement_read decrement_write get_totals
    reset_totals`,
  ),
];
const FLAGS = names(
  'LEV_OPT_',
  `LEAVE_SOCKETS_BLOCKING CLOSE_ON_FREE CLOSE_ON_EXEC REUSEABLE THREADSAFE DISABLED DEFERRED_ACCEPT REUSEABLE_PORT
  BIND_IPV6ONLY BIND_IPV4_AND_IPV6`,
);

const rows = [
  ...ours.matchAll(/^\| `((?:evconnlistener|bufferevent|ev_token_bucket|LEV_OPT)_\w+)` \| (.+?) \| (.*?) ?\|$/gm),
].map(([, libevent, here, remark]) => ({
  libevent: libevent as string,
  here: here as string,
  remark: remark as string,
}));

/** Whether `Class.member`, or a function, is exported. */
function exists(name: string): boolean {
  const [owner = '', member] = name.split('.');
  // The abstract class is a type for users; a socket has its members.
  const entry = { ...main, Bufferevent: main.SocketBufferevent } as unknown as Record<string, { prototype: object }>;
  const exported = entry[owner];
  if (exported === undefined || member === undefined) return exported !== undefined;
  if (member in exported.prototype || member in exported) return true;
  return new RegExp(`\\breadonly ${member}: `).test(declarations);
}

/** Of this package, and of the options that it takes from the one below. */
const declarations = ['../dist/', '../../bufferevent-backend/dist/']
  .map((folder) => new URL(folder, import.meta.url))
  .flatMap((folder) => readdirSync(folder).map((name) => new URL(name, folder)))
  .filter(({ pathname }) => pathname.endsWith('.d.ts'))
  .map((file) => readFileSync(file, 'utf8'))
  .join('\n');

/** Whether something by this name is an option, a property or a handler: what the compiler alone knows. */
const declared = (name: string): boolean => new RegExp(`\\b(?:readonly )?${name}[?]?[:(]`).test(declarations);

it('docs/naming.md lists each of the 64 functions of bufferevent.h, the 9 of listener.h and its flags once', () => {
  expect([BUFFEREVENT.length, LISTENER.length]).toEqual([64, 9]);
  const listed = rows.map(({ libevent }) => libevent);
  expect(listed.toSorted()).toEqual([...BUFFEREVENT, ...LISTENER, ...FLAGS].toSorted());
});

it('every counterpart that docs/naming.md names exists, and every other row says why there is none', () => {
  for (const { libevent, here, remark } of rows) {
    if (here === 'none') {
      expect(remark, libevent).not.toBe('');
      continue;
    }
    const name = here.replaceAll('`', '');
    expect(libevent.startsWith('LEV_OPT_') ? declared(name) : exists(name), `${libevent}: ${here}`).toBe(true);
  }
  expect(['Listener.absent', 'Absent', 'SocketBufferevent.absent'].filter(exists)).toEqual([]);
  expect(['absent', 'reuse'].filter(declared)).toEqual([]);
});

it('what the remarks of docs/naming.md call by its name exists', () => {
  const mentioned = rows.flatMap(({ remark }) =>
    [...remark.matchAll(/`([\w.:]+)`/g)].map(([, name]) => name as string),
  );
  const others = new Set(['null', '::', 'Infinity', 'Symbol.asyncDispose']);
  const unknown = mentioned.filter((name) => {
    if (others.has(name) || exists(name)) return false;
    return !declared(name.split('.').at(-1) as string) && !(name in main.Listener.prototype);
  });
  expect(mentioned.length).toBeGreaterThan(10);
  expect(unknown).toEqual([]);
});
