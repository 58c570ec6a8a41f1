export { type BuffereventStreams, toWeb } from './bufferevent-streams.js';
