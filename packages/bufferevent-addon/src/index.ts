export { type BuildResult, buildAddon, localHeaders } from './build.js';
export { type FoundAddon, findAddon } from './find.js';
export { installAddon } from './install.js';
