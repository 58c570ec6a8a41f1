import type { Backend } from 'bufferevent-backend';
import type { Rule } from '../case.js';
import type { Harness } from '../harness.js';
import { createMemoryHarness, type MemoryHarnessOptions } from '../memory-harness.js';

/** A backend that breaks one rule, in a manner that real ones have been seen to. The suite must reject it. */
export interface BrokenFake {
  readonly rule: Rule;
  /** What it does, as a sentence. */
  readonly title: string;
  /** A fresh harness on a network of its own. */
  create(timeoutMs?: number): Harness;
}

/** Short, because many cases fail against a fake only by time-out. */
const FAKE_TIMEOUT_MS = 300;

export function brokenFake(
  rule: Rule,
  title: string,
  decorate: (backend: Backend) => Backend,
  options: MemoryHarnessOptions = {},
): BrokenFake {
  return {
    rule,
    title,
    create: (timeoutMs = FAKE_TIMEOUT_MS) => createMemoryHarness({ ...options, decorate, timeoutMs }),
  };
}
