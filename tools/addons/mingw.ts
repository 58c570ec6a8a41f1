/** What the programs of Debian's MinGW for x64 Windows begin with. */
export const TOOL_PREFIX = 'x86_64-w64-mingw32-';

export const COMPILER: string = `${TOOL_PREFIX}g++-posix`;
