import type { ChildProcess } from 'node:child_process';
import { once } from 'node:events';

const patienceMs = 120_000;

/** The next message of a child; the answer when it is asked something. */
export async function ask<Answer>(child: ChildProcess, question?: string | object): Promise<Answer> {
  const said = once(child, 'message', { signal: AbortSignal.timeout(patienceMs) });
  if (question !== undefined) child.send(question);
  const [message] = await said;
  return message as Answer;
}
