// One candidate in a process of its own. The bench bundles this file and runs it in plain Node:
// `worker time WORK PEER | scale SCALE STATE` works a slice for each line that comes in (`slices.ts`),
// `worker garbage WORK PEER | memory WORK BYTES` prints what it has measured as JSON.
import { createInterface } from 'node:readline';
import { cpuMicroseconds, runChecked, warmUp } from './cpu-time.js';
import { measureGarbage } from './garbage.js';
import { measureMemory, memoryWorks } from './memory.js';
import type { Operation } from './operation.js';
import { peers } from './peers/index.js';
import { scales } from './scale.js';
import { scaleOperation } from './scale-operations.js';
import { works } from './works.js';

const [what, id, detail = ''] = process.argv.slice(2);

switch (what) {
  case 'time':
    await workSliceBySlice(operationOf(id, detail));
    break;
  case 'garbage':
    print({ bytesPerOperation: await measureGarbage(operationOf(id, detail)) });
    break;
  case 'scale': {
    const { operation, states } = named(scales, id);
    // In every process on the same queue first: what V8 compiles then does not depend on how the other one is filled.
    warmUp(scaleOperation(operation, states[0]!));
    const prepared = scaleOperation(operation, states[Number(detail)]!);
    // What filling the queue left behind is not the operation's to pay for.
    (globalThis as { gc?: () => void }).gc?.();
    await workSliceBySlice(prepared);
    break;
  }
  case 'memory':
    print(measureMemory(named(memoryWorks, id), Number(detail)));
    break;
  default:
    throw new Error(`unknown measurement ${what}`);
}

async function workSliceBySlice(operation: Operation): Promise<void> {
  const slice = warmUp(operation);
  let operations = 0;
  const tell = (): void =>
    void process.stdout.write(`${JSON.stringify({ operations, cpuMicroseconds: cpuMicroseconds() })}\n`);
  tell();
  for await (const _ of createInterface(process.stdin)) {
    runChecked(operation, slice);
    operations += slice;
    tell();
  }
}

function operationOf(work: string | undefined, peer: string) {
  if (!Object.hasOwn(peers, peer)) throw new Error(`unknown peer ${peer}`);
  return peers[peer as keyof typeof peers](named(works, work).task);
}

function named<T extends { readonly id: string }>(list: readonly T[], wanted: string | undefined): T {
  const found = list.find((entry) => entry.id === wanted);
  if (found === undefined) throw new Error(`unknown: ${wanted}`);
  return found;
}

function print(result: object): void {
  process.stdout.write(JSON.stringify(result));
}
