// docs/naming.md against what this package exports: listener.h, and the socket functions of bufferevent.h.
import { readdirSync, readFileSync } from 'node:fs';
import * as main from 'bufferevent';
import { expect, it } from 'vitest';

const page = readFileSync(new URL('../../../docs/naming.md', import.meta.url), 'utf8');

const names = (prefix: string, list: string): string[] =>
  list
    .trim()
    .split(/\s+/)
    .map((name) => prefix + name);

/** What the headers declare, and the flags of listeners. */
const FUNCTIONS = [
  ...names('evconnlistener_', 'new new_bind free enable disable get_base get_fd set_cb set_error_cb'),
  ...names(
    'bufferevent_',
    `socket_new socket_connect socket_connect_hostname socket_connect_hostname_hints socket_get_dns_error base_set
    get_base free setcb getcb setfd replacefd getfd`,
  ),
];
const FLAGS = names(
  'LEV_OPT_',
  `LEAVE_SOCKETS_BLOCKING CLOSE_ON_FREE CLOSE_ON_EXEC REUSEABLE THREADSAFE DISABLED DEFERRED_ACCEPT REUSEABLE_PORT
  BIND_IPV6ONLY BIND_IPV4_AND_IPV6`,
);

const rows = [...page.matchAll(/^\| `((?:evconnlistener|bufferevent|LEV_OPT)_\w+)` \| (.+?) \| (.*?) ?\|$/gm)].map(
  ([, libevent, here, remark]) => ({ libevent: libevent as string, here: here as string, remark: remark as string }),
);

/** Whether `Class.member`, or a function, is exported. */
function exists(name: string): boolean {
  const [owner = '', member] = name.split('.');
  const exported = (main as unknown as Record<string, { prototype: object } | undefined>)[owner];
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

it('docs/naming.md lists each of these functions, and each flag of listeners, once', () => {
  const listed = rows.map(({ libevent }) => libevent);
  for (const name of [...FUNCTIONS, ...FLAGS])
    expect(
      listed.filter((one) => one === name),
      name,
    ).toHaveLength(1);
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
  const others = new Set(['null', '::', 'Symbol.asyncDispose']);
  const unknown = mentioned.filter((name) => {
    if (others.has(name) || exists(name)) return false;
    return !declared(name.split('.').at(-1) as string) && !(name in main.Listener.prototype);
  });
  expect(mentioned.length).toBeGreaterThan(10);
  expect(unknown).toEqual([]);
});
