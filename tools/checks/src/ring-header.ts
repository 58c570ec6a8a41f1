// packages/bufferevent-backend/native/ring.h says in C++ what src/ring.ts and src/errno.ts beside it say in TypeScript.
import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { Errno } from 'bufferevent-backend';
import {
  COMPLETION_WORDS,
  CompletionWord,
  ControlWord,
  LARGE_SLAB_BYTES,
  PIECE_WORDS,
  SMALL_READ_BYTES,
  SMALL_SLAB_BYTES,
  StreamOption,
  Verb,
} from 'bufferevent-backend/ring';

const header = 'packages/bufferevent-backend/native/ring.h';

const enumerations: Record<string, Record<string, number>> = {
  Verb,
  CompletionWord,
  ControlWord,
  StreamOption,
  Errno,
};

const constants: readonly (readonly [type: string, name: string, value: number])[] = [
  ['size_t', 'kPieceWords', PIECE_WORDS],
  ['size_t', 'kCompletionWords', COMPLETION_WORDS],
  ['uint32_t', 'kSmallReadBytes', SMALL_READ_BYTES],
  ['uint32_t', 'kSmallSlabBytes', SMALL_SLAB_BYTES],
  ['uint32_t', 'kLargeSlabBytes', LARGE_SLAB_BYTES],
];

/** The header as it should be. */
export function ringHeader(): string {
  const enums = Object.entries(enumerations).map(([name, members]) => {
    const lines = Object.entries(members).map(([member, value]) => `  ${constantName(member)} = ${value},\n`);
    return `enum ${name} : int32_t {\n${lines.join('')}};\n\n`;
  });
  return `// Made of src/ring.ts and src/errno.ts by \`pnpm --filter checks ring-header\`; do not edit.
#pragma once

#include <stddef.h>
#include <stdint.h>

namespace bufferevent {

${enums.join('')}${constants.map(([type, name, value]) => `constexpr ${type} ${name} = ${value};\n`).join('')}
}  // namespace bufferevent
`;
}

export function writeRingHeader(root: string): void {
  writeFileSync(join(root, header), ringHeader());
  console.log(`wrote ${header}`);
}

export function checkRingHeader(root: string): void {
  if (readFileSync(join(root, header), 'utf8') !== ringHeader()) {
    throw new Error(
      `${header} differs from src/ring.ts or src/errno.ts: run \`pnpm --filter checks ring-header --write\``,
    );
  }
  console.log(`${header} says what src/ring.ts and src/errno.ts say`);
}

function constantName(member: string): string {
  return `k${member.charAt(0).toUpperCase()}${member.slice(1)}`;
}
