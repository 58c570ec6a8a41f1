// One measurement in a process of its own. The bench bundles this file and runs it in plain Node:
// `worker time WORK PEER | garbage WORK PEER | scale SCALE STATE | memory WORK BYTES`; prints the result as JSON.
import { measureCpu, warmUp } from './cpu-time.js';
import { measureGarbage } from './garbage.js';
import { measureMemory, memoryWorks } from './memory.js';
import { peers } from './peers/index.js';
import { scales } from './scale.js';
import { scaleOperation } from './scale-operations.js';
import { works } from './works.js';

const [what, id, detail = ''] = process.argv.slice(2);

switch (what) {
  case 'time':
    print(measureCpu(operationOf(id, detail)));
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
    print(measureCpu(prepared));
    break;
  }
  case 'memory':
    print(measureMemory(named(memoryWorks, id), Number(detail)));
    break;
  default:
    throw new Error(`unknown measurement ${what}`);
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
