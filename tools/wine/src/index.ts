export { Prefix } from './prefix.js';
export { missingPrograms, neededPrograms } from './programs.js';
export { Staging } from './staging.js';
export { failuresLog } from './test-run.js';
export { echoIsReady, WindowsEcho } from './windows-echo.js';
export { NODE_VERSIONS, type NodeMajor, type ProgramOptions, WindowsProgram } from './windows-node.js';
