/** Where libuv has it: where the system spreads connections over all listeners of a port. */
const systems: readonly NodeJS.Platform[] = ['linux', 'freebsd', 'sunos', 'aix'];

/** Whether `net.Server.listen` takes `reusePort`: since Node 22.12 and 23.1, on some systems. */
export function hasReusePort(version: string, system: NodeJS.Platform): boolean {
  const [major = 0, minor = 0] = version.split('.').map(Number);
  const isNewEnough = major > 23 || (major === 23 && minor >= 1) || (major === 22 && minor >= 12);
  return isNewEnough && systems.includes(system);
}
