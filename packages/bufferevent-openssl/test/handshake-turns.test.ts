// Who makes a step of a handshake, and when.
import { createTestBase } from 'bufferevent/testing';
import { expect, it } from 'vitest';
import { type HandshakeTaker, HandshakeTurns } from '../src/handshake-turns.js';

it('a step that is given back goes to who has waited longest, in the same turn', async () => {
  await using test = createTestBase();
  const turns = HandshakeTurns.of(test.base);
  turns.perTurn = 1;
  const granted: string[] = [];
  const taker = (name: string): HandshakeTaker => ({ turn: 'none', granted: () => void granted.push(name) });
  const [first, second, third] = [taker('first'), taker('second'), taker('third')] as const;
  expect([first, second, third].map((each) => turns.take(each))).toEqual([true, false, false]);
  turns.giveBack();
  expect(granted).toEqual(['second']);
  expect(turns.take(third)).toBe(false);
  expect(turns.take(second)).toBe(true);
  await test.settle();
  expect(granted).toEqual(['second', 'third']);
  expect(turns.take(third)).toBe(true);
});

it("who has left takes nobody's turn, and may come again", async () => {
  await using test = createTestBase();
  const turns = HandshakeTurns.of(test.base);
  turns.perTurn = 1;
  const granted: string[] = [];
  const taker = (name: string): HandshakeTaker => ({ turn: 'none', granted: () => void granted.push(name) });
  const [first, second, third] = [taker('first'), taker('second'), taker('third')] as const;
  for (const each of [first, second, third]) turns.take(each);
  turns.leave(second);
  turns.giveBack();
  expect(granted).toEqual(['third']);
  expect(turns.take(third)).toBe(true);
  expect(turns.take(second)).toBe(false);
  await test.settle();
  expect(granted).toEqual(['third', 'second']);
  expect(turns.take(second)).toBe(true);
});
