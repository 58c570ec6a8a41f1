// A team that knows the platform's SDK alone.
import { ask, BuffereventError, Evbuffer, FilterBufferevent, serveLines } from 'platform-sdk';

const { port } = await serveLines({ host: '127.0.0.1', port: 0 }, (line) => line.toUpperCase());
const answer: string | null = await ask({ host: '127.0.0.1', port }, 'hello');
const curated = [BuffereventError, Evbuffer, FilterBufferevent].every((each) => typeof each === 'function');
console.log(answer, curated);
