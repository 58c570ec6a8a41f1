// The arrows between the packages, and the habits that keep them true. Checked by `npm test`; every rule here is broken
// on purpose by tools/checks/test/architecture.test.ts. That only bufferevent-net opens sockets is checked by Biome
// (noRestrictedImports in biome.json), which can tell `isIP` from `connect`.

/** Which packages a package's `src/` may import. Adding an arrow is a decision: write it down in docs/decisions. */
const arrows = {
  evbuffer: [],
  'bufferevent-backend': [],
  'bufferevent-backend-compliance': ['bufferevent-backend'],
  'bufferevent-net': ['bufferevent-backend'],
  'bufferevent-addon': [],
  'bufferevent-epoll': ['bufferevent-addon', 'bufferevent-backend'],
  'bufferevent-iocp': ['bufferevent-addon', 'bufferevent-backend'],
  bufferevent: ['evbuffer', 'bufferevent-backend', 'bufferevent-net'],
  'bufferevent-openssl': ['evbuffer', 'bufferevent-addon', 'bufferevent-backend', 'bufferevent'],
  echo: ['bufferevent', 'bufferevent-net', 'bufferevent-epoll', 'bufferevent-iocp', 'bufferevent-openssl'],
  'iocp-tls-echo': ['evbuffer', 'bufferevent-backend', 'bufferevent-epoll', 'bufferevent-iocp', 'bufferevent-openssl'],
  'smtp-starttls': ['bufferevent', 'bufferevent-openssl'],
  'workers-echo': ['bufferevent', 'bufferevent-epoll'],
};

const workspace = '^(packages|apps|examples)/';
const anyOf = (names) => `(${names.join('|')})`;

const arrowRules = Object.entries(arrows).map(([name, below]) => ({
  name: `arrows-of-${name}`,
  severity: 'error',
  comment: `${name} knows ${below.join(', ') || 'no other package'}: dependencies point down, one layer never reaches past its arrows.`,
  from: { path: `${workspace}${name}/src/` },
  to: { path: '^(packages|apps|tools|tests|examples)/', pathNot: `${workspace}${anyOf([name, ...below])}/` },
}));

/** @type {import('dependency-cruiser').IConfiguration} */
module.exports = {
  forbidden: [
    ...arrowRules,
    {
      name: 'package-without-arrows',
      severity: 'error',
      comment:
        'A new package is listed in `arrows` above before it is written, so that its layer is chosen and not grown.',
      from: { path: `${workspace}[^/]+/src/`, pathNot: `${workspace}${anyOf(Object.keys(arrows))}/` },
      to: {},
    },
    {
      name: 'no-circular',
      severity: 'error',
      comment:
        'Modules in a circle cannot be loaded or tested one by one. A type that is only named breaks the circle.',
      from: { path: '^(packages|apps|examples|tools)/' },
      to: { circular: true, viaOnly: { dependencyTypesNot: ['type-only'] } },
    },
    {
      name: 'evbuffer-without-builtins',
      severity: 'error',
      comment: 'evbuffer runs in browsers, Deno and Bun: bytes and memory only.',
      from: { path: '^packages/evbuffer/src/', pathNot: '^packages/evbuffer/src/file-segment[.]ts$' },
      to: { dependencyTypes: ['core'] },
    },
    {
      name: 'evbuffer-file-reads-files-only',
      severity: 'error',
      comment: 'The subpath evbuffer/file reads files; it has no other business with Node.',
      from: { path: '^packages/evbuffer/src/file-segment[.]ts$' },
      to: { dependencyTypes: ['core'], pathNot: '^(node:)?fs' },
    },
    {
      name: 'evbuffer-main-without-files',
      severity: 'error',
      comment: 'The main entry knows files by an interface only: it runs where there are none.',
      from: { path: '^packages/evbuffer/src/', pathNot: '^packages/evbuffer/src/file[.]ts$' },
      to: { path: '^packages/evbuffer/src/file-segment[.]ts$', dependencyTypesNot: ['type-only'] },
    },
    {
      name: 'bufferevent-main-without-codecs',
      severity: 'error',
      comment: 'Who compresses nothing loads no zlib: codecs are on top of the main entry, not inside it.',
      from: { path: '^packages/bufferevent/src/', pathNot: '^packages/bufferevent/src/codecs/' },
      to: { path: '^(packages/bufferevent/src/codecs/|(node:)?zlib$)' },
    },
    {
      name: 'other-packages-by-name',
      severity: 'error',
      comment: 'A relative path into another package goes around its `exports` map.',
      from: { path: `${workspace}([^/]+)/` },
      to: { path: workspace, pathNot: `${workspace}$2/`, dependencyTypes: ['local'] },
    },
    {
      name: 'resolvable',
      severity: 'error',
      comment: 'Not exported by the other package, not declared in package.json, or not there at all.',
      from: {},
      // Made by the test of the packed packages.
      to: { couldNotResolve: true, pathNot: '^platform-sdk$' },
    },
    {
      name: 'declared',
      severity: 'error',
      comment: 'What a package imports stands in its own package.json; the workspace root does not vouch for it.',
      from: { path: '^(packages|apps|examples|tools)/[^/]+/' },
      to: { dependencyTypes: ['npm-no-pkg', 'npm-unknown'] },
    },
    {
      name: 'src-without-tests',
      severity: 'error',
      comment: 'Published code does not depend on test code.',
      from: { path: '/src/' },
      to: { path: '/test/' },
    },
    {
      name: 'src-without-dev-dependencies',
      severity: 'error',
      comment: 'Users do not get dev dependencies installed.',
      from: { path: `${workspace}[^/]+/src/` },
      to: { dependencyTypes: ['npm-dev'], pathNot: '/node_modules/@types/' },
    },
  ],
  options: {
    // Other packages are seen through their built `dist/`, as users see them; what lies behind it is checked in their own src.
    doNotFollow: { path: ['node_modules', '/dist/'] },
    exclude: { path: ['/\\.docs-code/'] },
    tsPreCompilationDeps: true,
    tsConfig: { fileName: 'tsconfig.base.json' },
    combinedDependencies: false,
    enhancedResolveOptions: { exportsFields: ['exports'], conditionNames: ['types', 'import', 'node', 'default'] },
  },
};
