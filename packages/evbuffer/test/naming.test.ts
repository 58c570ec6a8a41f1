import { readdirSync, readFileSync } from 'node:fs';
import * as main from 'evbuffer';
import * as file from 'evbuffer/file';
import { expect, test } from 'vitest';

/** What libevent's buffer.h declares. */
const FUNCTIONS =
  `new free set_max_read get_max_read enable_locking lock unlock set_flags clear_flags get_length get_contiguous_space
  freeze unfreeze defer_callbacks add add_iovec add_printf add_vprintf add_buffer prepend_buffer remove_buffer prepend
  add_reference add_reference_with_offset add_buffer_reference add_file file_segment_new file_segment_free
  file_segment_add_cleanup_cb add_file_segment expand reserve_space commit_space drain remove copyout copyout_from pullup
  peek readln search_eol search search_range ptr_set read write write_atmost add_cb remove_cb_entry remove_cb
  cb_set_flags cb_clear_flags`
    .trim()
    .split(/\s+/)
    .map((name) => `evbuffer_${name}`);

const page = readFileSync(new URL('../../../docs/naming.md', import.meta.url), 'utf8');
const rows = [...page.matchAll(/^\| `(evbuffer_\w+)` \| (.+?) \| (.*?) ?\|$/gm)].map(([, libevent, here, remark]) => ({
  libevent: libevent as string,
  here: here as string,
  remark: remark as string,
}));

const watch = new main.Evbuffer().watch(() => undefined);

/** Whether a name like `Evbuffer.add`, or `evbuffer/file` `FileSegment.open`, leads to something. */
function exists(here: string): boolean {
  const names = [...here.matchAll(/`([^`]+)`/g)].map(([, name]) => name as string);
  const path = (names.at(-1) as string).split('.');
  if (path[0] === 'EvbufferWatch') return (path[1] as string) in watch;
  const entry: Record<string, unknown> = names.length === 2 && names[0] === 'evbuffer/file' ? file : main;
  const owner = entry[path[0] as string] as (Record<string, unknown> & { prototype: object }) | undefined;
  return owner !== undefined && (path[1] === undefined || path[1] in owner || path[1] in owner.prototype);
}

/** The code spans of a remark that name something of this package, without `new` and arguments; those of libevent start with its prefix. */
function namesIn(remark: string): string[] {
  const spans = [...remark.matchAll(/`(?:new )?([\w.]+)(?:\([^`]*\))?`/g)].map(([, name]) => name as string);
  return spans.filter((name) => !name.startsWith('EVBUFFER_'));
}

const declarations = readdirSync(new URL('../dist', import.meta.url))
  .filter((name) => name.endsWith('.d.ts'))
  .map((name) => readFileSync(new URL(`../dist/${name}`, import.meta.url), 'utf8'))
  .join('\n');

/** What is there for the compiler alone: a type, an option, and a parameter. */
const DECLARED: ReadonlyMap<string, RegExp> = new Map([
  ['Reservation', /\binterface Reservation\b/],
  ['onClose', /\binterface FileSegmentOptions \{[^}]*\bonClose\?:/],
  ['end', /\bindexOf\(needle: [^)]*\bend\?:/],
]);

/** Whether a remark may call something by this name: a member of what this package makes, or what it exports. */
function mentionable(name: string): boolean {
  if (name === 'Symbol.dispose') return Symbol.dispose in main.Evbuffer.prototype;
  const declared = DECLARED.get(name);
  if (declared !== undefined) return declared.test(declarations);
  if (name.includes('.') || name in main) return exists(`\`${name}\``) || exists(`\`evbuffer/file\` \`${name}\``);
  const buffer = new main.Evbuffer();
  return [buffer, buffer.position(0), buffer.reserve(1), watch].some((made) => name in made);
}

test('docs/naming.md lists each of the 52 functions of buffer.h once', () => {
  expect(FUNCTIONS).toHaveLength(52);
  expect(rows.map(({ libevent }) => libevent).toSorted()).toEqual(FUNCTIONS.toSorted());
});

test('every counterpart that docs/naming.md names exists, and every other row says why there is none', () => {
  for (const { libevent, here, remark } of rows) {
    if (here === 'none') expect(remark, libevent).not.toBe('');
    else expect(exists(here), `${libevent}: ${here}`).toBe(true);
  }
  expect([exists('`Evbuffer.absent`'), exists('`Absent`'), exists('`evbuffer/file` `FileSegment.absent`')]).toEqual([
    false,
    false,
    false,
  ]);
});

test('what the remarks of docs/naming.md call by its name exists', () => {
  const mentions = rows.flatMap(({ libevent, remark }) => namesIn(remark).map((name) => ({ libevent, name })));
  expect(mentions.length).toBeGreaterThan(15);
  expect(mentions.filter(({ name }) => !mentionable(name))).toEqual([]);
  expect(['absent', 'Absent', 'Evbuffer.absent', 'FileSegment.absent'].filter(mentionable)).toEqual([]);
  for (const name of DECLARED.keys()) expect(mentions.map((mention) => mention.name)).toContain(name);
});
