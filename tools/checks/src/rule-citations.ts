// Every rule of the contracts is pinned by a test that cites its id, or stands with a reason in a table of the docs.
import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { caseList, citedCases, regressCases } from './regress-citations.js';
import { filesUnder } from './workspace.js';

const contractDoc = 'docs/bufferevent-contract.md';
export const exceptionsHeading = 'Rules not cited by a test';

/** Group → number of rules. C: the backend contract; the others: what a bufferevent, its buffers and TLS promise. */
const groups = {
  C: 20,
  'CB-': 10,
  'RD-': 11,
  'WR-': 8,
  'EV-': 8,
  'TO-': 8,
  'FI-': 12,
  'PA-': 7,
  'FR-': 5,
  'LI-': 8,
  'BU-': 8,
  'RL-': 15,
  'TL-': 23,
};

export const ruleIds: readonly string[] = Object.entries(groups).flatMap(([prefix, count]) =>
  Array.from({ length: count }, (_, index) => `${prefix}${index + 1}`),
);

/** Ids named in a text, once each. Cases of libevent's own suite are none: `regress C8` is not C8. */
export function citedIds(text: string): Set<string> {
  const rules = text.replaceAll(caseList, '');
  return new Set(rules.match(/\b(?:C|(?:CB|RD|WR|EV|TO|FI|PA|FR|LI|BU|RL|TL)-)\d+\b/g));
}

/** Rows `| RD-7, RD-8 | reason |` of the table under the heading: id → reason. */
export function exceptionsIn(markdown: string): Map<string, string> {
  const [, section = ''] = markdown.split(new RegExp(`^#+ ${exceptionsHeading}\\s*$`, 'm'));
  const [table = ''] = section.split(/^#/m);
  const rows = table.matchAll(/^\|([^|]*)\|([^|]*)\|/gm);
  return new Map([...rows].flatMap(([, ids = '', reason = '']) => [...citedIds(ids)].map((id) => [id, reason.trim()])));
}

/** What is wrong with the citations, a line each. */
export function citationProblems(cited: ReadonlySet<string>, exceptions: ReadonlyMap<string, string>): string[] {
  return [
    ...ruleIds.filter((id) => !cited.has(id) && !exceptions.has(id)).map((id) => `${id} is cited by no test`),
    ...[...exceptions].flatMap(([id, reason]) => {
      if (!ruleIds.includes(id)) return [`${id} in ${contractDoc} is no rule`];
      if (cited.has(id)) return [`${id} is cited by a test now: take its row out of ${contractDoc}`];
      return reason === '' ? [`${id} in ${contractDoc} lacks a reason`] : [];
    }),
  ];
}

export function checkRuleCitations(root: string): void {
  const testFolders = ['packages', 'apps'].flatMap((parent) =>
    readdirSync(join(root, parent)).map((name) => join(root, parent, name, 'test')),
  );
  testFolders.push(
    join(root, 'packages/bufferevent-backend-compliance/src'),
    join(root, 'packages/bufferevent/src/compliance/cases'),
  );
  const files = testFolders.flatMap((folder) => filesUnder(folder, '.ts'));
  const tests = files.map((file) => `${file}\n${readFileSync(file, 'utf8')}`).join('\n');
  const cases = citedCases(tests);
  const problems = [
    ...citationProblems(citedIds(tests), exceptionsIn(readFileSync(join(root, contractDoc), 'utf8'))),
    ...regressCases.filter((id) => !cases.has(id)).map((id) => `regress ${id} is cited by no test`),
  ];
  if (problems.length > 0) throw new Error(`\n  ${problems.join('\n  ')}`);
  console.log(
    `${ruleIds.length} rules are cited or accounted for, ${regressCases.length} cases of libevent's suite are cited`,
  );
}
