import { execFile, spawnSync } from 'node:child_process';
import { basename } from 'node:path';
import { promisify } from 'node:util';
import { buildFolder } from '../native-program.js';

/** What code a process runs, and the kernel for it; apart from the rest of the kernel, what copies bytes to and from the process. */
export type Part = 'copying' | 'kernel' | 'compiled' | 'builtins' | 'addon' | 'library' | 'program' | 'other';

export const partTitles: Readonly<Record<Part, string>> = {
  copying: 'kernel, copying',
  kernel: 'kernel, all else',
  compiled: 'compiled JavaScript',
  builtins: "V8's builtins",
  addon: 'addon',
  library: 'C and C++ libraries',
  program: 'program itself',
  other: 'other',
};

const data = `${buildFolder}perf.data`;
const SAMPLES_PER_SECOND = '1999';
const MOST_REPORT_BYTES = 2 ** 26;
const run = promisify(execFile);

export function canProfile(): boolean {
  return spawnSync('perf', ['--version']).status === 0;
}

/** How the CPU time of a process and its threads is shared out, as `perf` finds it in so many seconds. The sum is 1. */
export async function profile(pid: number, program: string, seconds: number): Promise<Record<Part, number>> {
  const what = ['-e', 'cpu-clock', '-F', SAMPLES_PER_SECOND, '-p', String(pid)];
  await perf('record', '-o', data, ...what, '--', 'sleep', String(seconds));
  const report = await perf('report', '-i', data, '--stdio', '-q', '-F', 'sample,dso,sym', '-t', ';');
  return shares(report, basename(program));
}

async function perf(command: string, ...words: string[]): Promise<string> {
  try {
    const { stdout } = await run('perf', [command, ...words], { maxBuffer: MOST_REPORT_BYTES });
    return stdout;
  } catch (error) {
    throw new Error(`perf ${command} failed\n${error instanceof Error ? error.message : error}`);
  }
}

function shares(report: string, program: string): Record<Part, number> {
  const samples: Record<Part, number> = {
    copying: 0,
    kernel: 0,
    compiled: 0,
    builtins: 0,
    addon: 0,
    library: 0,
    program: 0,
    other: 0,
  };
  let total = 0;
  // For instance "   42;libc.so.6;[.] __send"; `[k]` is the mark of the kernel's symbols.
  for (const [, count, object, mark, symbol] of report.matchAll(/^\s*(\d+)\s*;(.*?)\s*;\[(.)\] (.*)$/gm)) {
    samples[mark === 'k' ? kernelPart(symbol!) : partOf(object!, symbol!, program)] += Number(count);
    total += Number(count);
  }
  // Not everybody may look into the kernel, and perf falls back to leaving it out.
  if (samples.kernel === 0) throw new Error('perf sees nothing of the kernel: see kernel.perf_event_paranoid');
  for (const part of Object.keys(samples) as Part[]) samples[part] /= total;
  return samples;
}

/** Names of Linux on x86-64 and arm64, of several versions. */
function kernelPart(symbol: string): Part {
  return /^(rep_movs|copy_user|_copy_(to|from)_iter|copy_page_|__arch_copy_)/.test(symbol) ? 'copying' : 'kernel';
}

function partOf(object: string, symbol: string, program: string): Part {
  if (object === program) return symbol.startsWith('Builtins_') ? 'builtins' : 'program';
  if (object.startsWith('[JIT]')) return 'compiled';
  if (object.endsWith('.node')) return 'addon';
  if (object === '[vdso]' || /^(lib|ld-)/.test(object)) return 'library';
  return 'other';
}
