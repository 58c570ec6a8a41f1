// What a suite may want around Wine's server, which has the files and sockets of all programs of a prefix.
import { spawnSync } from 'node:child_process';

/** For each, a command that runs another one in it. */
const commands = {
  /** So few descriptors that a program can take all of them. */
  fewDescriptors: ['prlimit', '--nofile=512:512'],
  /** A network of its own, in which nobody answers at 192.0.2.0/24, and Linux gives a connection up after 3 s. */
  silentNetwork: [
    ...['unshare', '--net', '--map-root-user', 'sh', '-c'],
    `ip link set lo up &&
     ip route add 192.0.2.0/24 dev lo &&
     echo 1 >/proc/sys/net/ipv4/tcp_syn_retries &&
     exec "$@"`,
    'sh',
  ],
} as const;

export type Surroundings = keyof typeof commands;

/** The command that runs `words` there. */
export function inSurroundings(surroundings: Surroundings, ...words: string[]): [command: string, ...words: string[]] {
  const [command, ...others] = commands[surroundings];
  return [command, ...others, ...words];
}

/** Why there are none such here, for example because that takes root; `null` where there are. */
export function lackingSurroundings(surroundings: Surroundings): string | null {
  const [command, ...words] = inSurroundings(surroundings, 'true');
  const { status, stderr, error } = spawnSync(command, words, { encoding: 'utf8' });
  return status === 0 ? null : (error?.message ?? stderr.trim());
}
