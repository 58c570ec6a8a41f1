// What an internal platform offers its teams: a chosen part of the packages, under one name, with defaults of its own.
import { type ConnectTarget, connect, EventBase, type ListenTarget, listen, type SocketBufferevent } from 'bufferevent';

export {
  type Bufferevent,
  BuffereventError,
  type BuffereventHandlers,
  type CloseCause,
  FilterBufferevent,
  type Listener,
} from 'bufferevent';
export { Evbuffer } from 'evbuffer';

const base: EventBase = new EventBase({ limits: { inputHighWatermark: 64 * 1024, connectMs: 5_000 } });

/** Serves `answer` of each line. */
export async function serveLines(target: ListenTarget, answer: (line: string) => string): Promise<{ port: number }> {
  const listener = await listen(
    target,
    {
      onRead(bev) {
        for (let line = bev.input.readLine('lf'); line !== null; line = bev.input.readLine('lf')) {
          bev.write(`${answer(line)}\n`);
        }
      },
      onEvent(bev) {
        void bev.end();
      },
    },
    { base },
  );
  listener.unref();
  return { port: (listener.address as { port: number }).port };
}

/** Asks one question. */
export async function ask(target: ConnectTarget, question: string): Promise<string | null> {
  await using bev: SocketBufferevent = await connect(target, undefined, { base });
  bev.write(`${question}\n`);
  return await bev.readLine('lf');
}
