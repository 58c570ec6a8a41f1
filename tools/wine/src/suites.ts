// What is run under Wine.
import type { Edition } from './prefix.js';
import type { Surroundings } from './surroundings.js';

export interface Suite {
  readonly package: string;
  /** Of that package, in JavaScript. */
  readonly file: string;
  /** How long it may take. Usually it takes a fifth of that. */
  readonly limitMinutes: number;
  /** Not in the everyday run, which has only so much time. */
  readonly nightly?: true;
  /** A contract over the backend for Windows: what is rare there shows when it is often looked for. */
  readonly often?: true;
  /** What it needs around it. Where there is no such thing it is left out. */
  readonly surroundings?: Surroundings;
  /** Where it is about another edition of Windows than a server. */
  readonly edition?: Edition;
}

export const suites: readonly Suite[] = [
  { package: 'bufferevent-backend-compliance', file: 'test/node-runner.mjs', limitMinutes: 3, nightly: true },
  { package: 'bufferevent', file: 'test/compliance-node.mjs', limitMinutes: 3, nightly: true },
  { package: 'bufferevent-net', file: 'test/compliance-node.js', limitMinutes: 5, nightly: true },
  { package: 'bufferevent-iocp', file: 'test/completion-port-node.js', limitMinutes: 1 },
  { package: 'bufferevent-iocp', file: 'test/operations-node.js', limitMinutes: 10 },
  { package: 'bufferevent-iocp', file: 'test/short-messages-node.js', limitMinutes: 1 },
  { package: 'bufferevent-iocp', file: 'test/accept-failures-node.js', limitMinutes: 1 },
  { package: 'bufferevent-iocp', file: 'test/compliance-node.js', limitMinutes: 5, often: true },
  {
    package: 'bufferevent-iocp',
    file: 'test/accept-starvation-node.js',
    limitMinutes: 1,
    surroundings: 'fewDescriptors',
  },
  {
    package: 'bufferevent-iocp',
    file: 'test/start-starvation-node.js',
    limitMinutes: 1,
    surroundings: 'fewDescriptors',
  },
  { package: 'bufferevent-iocp', file: 'test/client-edition-node.js', limitMinutes: 1, edition: 'client' },
  { package: 'bufferevent-iocp', file: 'test/silent-network-node.js', limitMinutes: 1, surroundings: 'silentNetwork' },
  { package: 'bufferevent-iocp', file: 'test/life-cycle-node.js', limitMinutes: 10 },
  { package: 'bufferevent', file: 'test/compliance-iocp-node.js', limitMinutes: 3, often: true },
  { package: 'bufferevent', file: 'test/unanswered-connect-iocp-node.js', limitMinutes: 1 },
  { package: 'bufferevent', file: 'test/silent-network-iocp-node.js', limitMinutes: 1, surroundings: 'silentNetwork' },
  { package: 'bufferevent-openssl', file: 'test/binding-node.js', limitMinutes: 5 },
  { package: 'bufferevent-openssl', file: 'test/compliance-node.js', limitMinutes: 10, nightly: true },
  { package: 'bufferevent-openssl', file: 'test/compliance-native-node.js', limitMinutes: 5, often: true },
  { package: 'iocp-tls-echo', file: 'test/echo-node.js', limitMinutes: 3 },
];
