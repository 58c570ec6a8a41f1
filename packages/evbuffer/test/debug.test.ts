import { inspect } from 'node:util';
import { Evbuffer } from 'evbuffer';
import { describe, validate } from 'evbuffer/debug';
import { expect, test } from 'vitest';
import type { Chain } from '../dist/chain.js';
import { chainOf } from '../dist/evbuffer.js';
import { type ChainNode, FREE, referenceNode, SHARED } from '../dist/node.js';
import { bytes, pieces } from './support/check.js';

const head = (chain: Chain): ChainNode => chain.head as ChainNode;
const tail = (chain: Chain): ChainNode => chain.tail as ChainNode;

const DAMAGE: readonly (readonly [string, (chain: Chain) => unknown])[] = [
  ['the nodes hold 6 bytes', (chain) => Object.assign(chain, { length: 7 })],
  ['the tail is not the last node', (chain) => Object.assign(chain, { tail: chain.head })],
  ['an empty node', (chain) => Object.assign(head(chain), { end: 0 })],
  ['ends before it starts', (chain) => Object.assign(head(chain), { end: -1 })],
  ['beyond its memory', (chain) => Object.assign(head(chain), { end: 99 })],
  ['linked twice', (chain) => Object.assign(tail(chain), { next: chain.head })],
  ['only memory of the buffer itself is writable', (chain) => Object.assign(head(chain), { writable: true })],
  ['a released node', (chain) => Object.assign(head(chain), { ownership: FREE })],
  ['needs a carrier', (chain) => Object.assign(head(chain), { ownership: SHARED })],
  ['nodes are pinned', (chain) => Object.assign(chain, { pinnedNodes: 1 })],
  [
    'without a pin',
    (chain) => [Object.assign(chain, { pinnedNodes: 1 }), Object.assign(head(chain), { pinnedFrom: 0 })],
  ],
  [
    'drained node that is not pinned',
    (chain) => Object.assign(chain, { pinned: true, limbo: referenceNode(bytes('x'), null) }),
  ],
  ['spare node must be empty', (chain) => Object.assign(chain, { spare: referenceNode(bytes('x'), null) })],
];

for (const [why, damage] of DAMAGE) {
  test(`validate notices: ${why}`, () => {
    const buffer = pieces('abc', 'def');
    validate(buffer);
    damage(chainOf(buffer));
    expect(() => validate(buffer)).toThrow(why);
    expect(() => validate(buffer)).toThrow(/chain: .*reference/);
  });
}

test('validate notices two nodes that write one memory', () => {
  const buffer = new Evbuffer();
  buffer.add(new Uint8Array(1000));
  buffer.add(new Uint8Array(1000));
  const chain = chainOf(buffer);
  const [first, second] = [chain.head as ChainNode, (chain.head as ChainNode).next as ChainNode];
  second.memory = first.memory;
  expect(() => validate(buffer)).toThrow('two nodes write the same memory');
});

test('util.inspect shows the length, the states, and the first bytes; describe shows the pieces', () => {
  const buffer = new Evbuffer();
  expect(inspect(buffer)).toBe('Evbuffer(0) {}');
  buffer.add('ab"\n');
  buffer.addReference(bytes('cdef'));
  buffer.addLeased(bytes('_leased_'), 1, 7, { release: () => undefined }, 1);
  buffer.freeze('front');
  buffer.freeze('back');
  buffer.pin(5);
  expect(inspect(buffer)).toBe('Evbuffer(14) [front frozen, back frozen, pinned] { "ab\\x22\\x0acdefleased" }');
  expect(describe(buffer)).toBe('slab[0, 4) of 1024 pinned → reference[0, 4) of 4 pinned → leased[1, 7) of 8');
  const gone = new Evbuffer();
  gone.add('here, ');
  const memory = new Uint8Array(10);
  gone.addReference(memory);
  structuredClone(memory.buffer, { transfer: [memory.buffer] });
  expect(inspect(gone)).toBe('Evbuffer(16) { "here, " }');
  const long = pieces(...'abcdefghijklmnopqrstuvwxyzabcdefghijklmnopqrstuvwxyz');
  expect(inspect(long)).toContain('"abcdefghijklmnopqrstuvwxyzabcdef"…');
  expect(describe(long)).toContain('… 44 more');
});
