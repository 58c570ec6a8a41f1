// The same under Node's own runner, for systems on which vitest does not run.
import { describe, it } from 'node:test';
import { echoCases, isUsable } from './cases.js';

if (isUsable()) for (const threads of [1, 4]) echoCases({ describe, it }, threads);
