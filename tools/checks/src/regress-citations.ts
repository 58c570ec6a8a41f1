// Every case of libevent's own suite that concerns buffers, and every gap in it that we close, is pinned by a test that
// cites it: `regress A10, A11`, `regress A44–A61`, `regress I: empty needle`.

/** Cases of regress_buffer.c, numbered in the order of its table; the numbers left out have no counterpart here. */
const caseRanges = [
  [1, 5],
  [7, 13],
  [15, 30],
  [32, 32],
  [35, 35],
  [37, 39],
  [41, 41],
  [43, 61],
] as const;

/** What that suite does not try. Not "NODEFER counters": the watchers of a buffer are never deferred here. */
const gaps = [
  'freeze on empty buffers',
  'drain(0) and copyOut on frozen',
  'read(0)',
  'write of empty',
  'empty needle',
  'stale end pointer',
  'pullup on shared chunks',
  'deferred callback after free',
];

function numbersIn([first, last]: readonly [number, number]): number[] {
  return Array.from({ length: last - first + 1 }, (_, index) => first + index);
}

export const regressCases: readonly string[] = [
  ...caseRanges.flatMap(numbersIn).map((number) => `A${number}`),
  ...gaps.map((gap) => `I: ${gap}`),
];

/** The cases that a text cites, each once. */
export function citedCases(text: string): Set<string> {
  const cited = new Set(gaps.map((gap) => `I: ${gap}`).filter((gap) => text.includes(`regress ${gap}`)));
  for (const [list] of text.matchAll(/\bregress A\d+[a-z]*(?:(?:, |–)A\d+[a-z]*)*/g)) {
    for (const [, first = '', last = first] of list.matchAll(/A(\d+)[a-z]*(?:–A(\d+))?/g)) {
      for (const number of numbersIn([Number(first), Number(last)])) cited.add(`A${number}`);
    }
  }
  return cited;
}
