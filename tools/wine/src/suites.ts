// What is run under Wine.

export interface Suite {
  readonly package: string;
  /** Of that package, in JavaScript. */
  readonly file: string;
  /** How long it may take. Usually it takes a fifth of that. */
  readonly limitMinutes: number;
}

export const suites: readonly Suite[] = [
  { package: 'bufferevent-backend-compliance', file: 'test/node-runner.mjs', limitMinutes: 3 },
  { package: 'bufferevent', file: 'test/compliance-node.mjs', limitMinutes: 3 },
  { package: 'bufferevent-net', file: 'test/compliance-node.js', limitMinutes: 5 },
];
