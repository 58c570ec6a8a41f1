import { gzipSync } from 'node:zlib';
import { build } from 'esbuild';

export const GZIP_LIMIT_BYTES = 10 * 1024;

export interface BundleSize {
  readonly minified: number;
  readonly gzip: number;
}

/** What a browser downloads for everything that the main entry exports. */
export async function measureBundleSize(): Promise<BundleSize> {
  const { outputFiles } = await build({
    stdin: { contents: "export * from 'evbuffer';", resolveDir: import.meta.dirname },
    bundle: true,
    minify: true,
    format: 'esm',
    platform: 'browser',
    target: 'es2022',
    write: false,
    logLevel: 'warning',
  });
  const [bundle] = outputFiles;
  if (bundle === undefined) throw new Error('esbuild made no bundle');
  return { minified: bundle.contents.length, gzip: gzipSync(bundle.contents, { level: 9 }).length };
}
