import { type LoadTarget, runBulk, runPingPong } from 'echo/load';

/** What a client does to a server in one round. */
export interface Workload {
  readonly title: string;
  /** The unit of the rate, and of the server's CPU time. */
  readonly rateUnit: string;
  readonly cpuUnit: string;
  run(target: LoadTarget): Promise<WorkloadResult>;
}

interface WorkloadResult {
  /** Per second, in `rateUnit`. */
  readonly rate: number;
  /** How many of `cpuUnit`'s denominators were done, for a server CPU time in microseconds. */
  readonly work: number;
}

export function bulk(connections: number, bytes: number): Workload {
  return {
    title: `Bulk: ${connections} connections, ${bytes / 2 ** 20} MiB a round in writes of 64 KiB`,
    rateUnit: 'MB/s',
    cpuUnit: 'µs/MB',
    async run(target) {
      const result = await runBulk({ target, connections, bytes, verify: false });
      throwFaults(result.faults);
      const megabytes = result.bytes / 1e6;
      return { rate: megabytes / result.seconds, work: megabytes };
    },
  };
}

export function messages(connections: number, count: number, messageBytes: number): Workload {
  return {
    title: `Messages: ${connections} connections, each with one message of ${messageBytes} bytes under way, ${count} a round`,
    rateUnit: 'messages/s',
    cpuUnit: 'µs/message',
    async run(target) {
      const result = await runPingPong({ target, connections, messages: count, messageBytes });
      throwFaults(result.faults);
      return { rate: result.messages / result.seconds, work: result.messages };
    },
  };
}

/** Every connection sends so many lines at once, and the next ones when all of these have come back. */
export function lines(connections: number, count: number, linesUnderWay: number, lineBytes: number): Workload {
  const messageBytes = Buffer.from(`${'x'.repeat(lineBytes - 2)}\r\n`.repeat(linesUnderWay));
  return {
    title: `${connections} connections, each with ${linesUnderWay} lines of ${lineBytes} bytes under way, ${count} a round`,
    rateUnit: 'lines/s',
    cpuUnit: 'µs/line',
    async run(target) {
      const result = await runPingPong({ target, connections, messages: count / linesUnderWay, messageBytes });
      throwFaults(result.faults);
      const done = result.messages * linesUnderWay;
      return { rate: done / result.seconds, work: done };
    },
  };
}

function throwFaults(faults: readonly string[]): void {
  if (faults.length > 0) throw new Error(faults.join('; '));
}
