// The same under Node's own runner, for systems on which vitest does not run.
import { describe, it } from 'node:test';
import { echoCases } from './cases.js';

for (const threads of [1, 4]) echoCases({ describe, it }, threads);
