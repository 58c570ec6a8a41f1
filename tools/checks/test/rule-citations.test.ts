import { describe, expect, it } from 'vitest';
import { citationProblems, citedIds, exceptionsHeading, exceptionsIn, ruleIds } from '../src/rule-citations.js';

describe('rule citations', () => {
  it('knows 20 rules of the backend contract, 100 of bufferevents and buffers, and 23 of TLS', () => {
    expect(ruleIds.filter((id) => id.startsWith('C') && !id.startsWith('CB'))).toHaveLength(20);
    expect(ruleIds).toHaveLength(143);
  });

  it('tells C1 from C11 and RD-1 from RD-10', () => {
    expect([...citedIds('C11: close cancels (RD-10). ABC1, C1x and CB-3b are no citations')]).toEqual(['C11', 'RD-10']);
  });

  it('tells a case of the suite for TLS from a rule of the backend contract', () => {
    expect([...citedIds('regress C8, C9, TL-14: renegotiation; regress C10–C12: more; C3: a rule')]).toEqual([
      'TL-14',
      'C3',
    ]);
  });

  it('reports a rule that no test cites, and only that one', () => {
    const allButOne = new Set(ruleIds.filter((id) => id !== 'WR-4'));
    expect(citationProblems(allButOne, new Map())).toEqual(['WR-4 is cited by no test']);
    expect(citationProblems(new Set(ruleIds), new Map())).toEqual([]);
  });

  it('accepts a row with a reason instead, and refuses empty, stale and unknown rows', () => {
    const markdown = `
# Contract
| C2 | not this table |
## ${exceptionsHeading}
| rule | reason |
|---|---|
| WR-7, LI-8 | no signals in Node |
| EV-7 | |
| C1 | cited, so stale |
| TO-99 | never existed |
## Next
| C3 | not this table either |
`;
    const exceptions = exceptionsIn(markdown);
    expect([...exceptions.keys()]).toEqual(['WR-7', 'LI-8', 'EV-7', 'C1', 'TO-99']);
    const cited = new Set(ruleIds.filter((id) => !['WR-7', 'LI-8', 'EV-7'].includes(id)));
    const problems = citationProblems(cited, exceptions);
    expect(problems).toHaveLength(3);
    expect(problems.map((problem) => problem.split(' ')[0])).toEqual(['EV-7', 'C1', 'TO-99']);
  });
});
