import { createRequire } from 'node:module';

/** An addon, or why it can't be used in this process, as one sentence. */
export type FoundAddon<Binding> = { readonly binding: Binding } | { readonly reason: string };

/**
 * Loads the addon of the package in `folder`: the one that the environment variable `variable` names (another build, for
 * instance with sanitizers), one that was built there, or the prebuilt one. Never throws.
 */
export function findAddon<Binding>(folder: string, variable: string): FoundAddon<Binding> {
  try {
    const require = createRequire(import.meta.url);
    const chosen = process.env[variable];
    if (chosen !== undefined) return { binding: require(chosen) as Binding };
    const build = require('node-gyp-build') as (folder: string) => Binding;
    return { binding: build(folder) };
  } catch (error) {
    const message = error instanceof Error ? (error.message.split('\n')[0] as string) : String(error);
    return { reason: `the native addon could not be loaded: ${message}` };
  }
}
