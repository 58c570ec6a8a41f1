export {
  type EndedWorker,
  type Ending,
  endings,
  runWorker,
  type Scene,
  type State,
  scenes,
  states,
  terminate,
} from './scenes.js';
export { type Received, Stage } from './stage.js';
export { processEndings, workerEndings } from './suite.js';
