import { describe, expect, it } from 'vitest';
import { citedCases, regressCases } from '../src/regress-citations.js';

describe('citations of libevent’s suite', () => {
  it('knows the cases that have a counterpart, by file, and 8 gaps', () => {
    const counts = ['A', 'B', 'C', 'E', 'F', 'G', 'I'].map(
      (file) => regressCases.filter((id) => id.startsWith(file)).length,
    );
    expect(counts).toEqual([53, 31, 19, 10, 3, 1, 8]);
    expect(regressCases).toHaveLength(125);
  });

  it('reads single cases, lists, ranges, parts of a case, and gaps', () => {
    const text =
      'a (regress A1), b (regress A10, A12–A14, row 5), c (regress A15b, B2, G1) d (regress I: empty needle)';
    expect([...citedCases(text)].sort()).toEqual([
      'A1',
      'A10',
      'A12',
      'A13',
      'A14',
      'A15',
      'B2',
      'G1',
      'I: empty needle',
    ]);
  });

  it('takes nothing else for a citation', () => {
    expect(citedCases('A1, regress: A2, regression A3, regress I: empty, empty needle, row 44')).toEqual(new Set());
  });
});
