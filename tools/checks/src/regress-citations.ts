// Every case of libevent's own suite that has a counterpart here, and every gap in it that we close, is pinned by a test
// that cites it: `regress A10, A11`, `regress A44–A61`, `regress B13`, `regress I: empty needle`.

/**
 * Cases by the file of libevent that they are from, numbered in the order of its table; the numbers left out have no
 * counterpart here: they are about locks, threads or descriptors of the C program, or are not in the table.
 */
const caseRanges = {
  /** regress_buffer.c */
  A: [
    [1, 5],
    [7, 13],
    [15, 30],
    [32, 32],
    [35, 35],
    [37, 39],
    [41, 41],
    [43, 61],
  ],
  /** regress_bufferevent.c */
  B: [
    [1, 8],
    [10, 17],
    [21, 22],
    [24, 34],
    [37, 38],
  ],
  /** regress_ssl.c */
  C: [
    [1, 15],
    [20, 22],
    [24, 24],
  ],
  /** regress_listener.c */
  E: [[1, 10]],
  /** regress_iocp.c */
  F: [[1, 3]],
  /** regress_zlib.c */
  G: [[1, 1]],
} as const;

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
  ...Object.entries(caseRanges).flatMap(([file, ranges]) =>
    ranges.flatMap(numbersIn).map((number) => `${file}${number}`),
  ),
  ...gaps.map((gap) => `I: ${gap}`),
];

/** `regress A10, A11`, `regress A44–A61`. */
export const caseList: RegExp = /\bregress [ABCEFG]\d+[a-z]*(?:(?:, |–)[ABCEFG]\d+[a-z]*)*/g;

/** The cases that a text cites, each once. */
export function citedCases(text: string): Set<string> {
  const cited = new Set(gaps.map((gap) => `I: ${gap}`).filter((gap) => text.includes(`regress ${gap}`)));
  for (const [list] of text.matchAll(caseList)) {
    for (const [, file, first = '', last = first] of list.matchAll(/([ABCEFG])(\d+)[a-z]*(?:–[ABCEFG](\d+))?/g)) {
      for (const number of numbersIn([Number(first), Number(last)])) cited.add(`${file}${number}`);
    }
  }
  return cited;
}
