import { execFile } from 'node:child_process';
import { fileURLToPath } from 'node:url';

const root = fileURLToPath(new URL('../..', import.meta.url));

export interface Ended {
  readonly code: number | null;
  readonly stdout: string;
  readonly stderr: string;
}

/** Runs a module in a process of its own, which can import this package by name. */
export function runScript(source: string): Promise<Ended> {
  return new Promise((resolve) => {
    const args = ['--input-type=module', '-e', source];
    const child = execFile(process.execPath, args, { cwd: root, timeout: 8000 }, (_, stdout, stderr) => {
      resolve({ code: child.exitCode, stdout, stderr });
    });
  });
}
