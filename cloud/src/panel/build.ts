import { createHash } from 'node:crypto';
import { readFile } from 'node:fs/promises';
import { dirname } from 'node:path';
import { fileURLToPath } from 'node:url';
import type { Plugin } from 'esbuild';

/** One file of the panel as it is served. */
export interface PanelFile {
  /** Value of `content-type`. */
  readonly type: string;
  readonly body: Uint8Array;
}

/**
 * The contract takes zod whole, and with it its messages in fifty languages: half of the bundle, of which the panel
 * shows none (English comes with zod itself).
 */
const withoutLocales: Plugin = {
  name: 'without-locales',
  setup(build) {
    build.onResolve({ filter: /\/locales\/index\.js$/ }, ({ path }) => ({ path, namespace: 'none' }));
    build.onLoad({ filter: /.*/, namespace: 'none' }, () => ({ contents: 'export {}' }));
  },
};

const web = fileURLToPath(new URL('./web/', import.meta.url));

/**
 * Bundles the panel in memory: request path → file. Every path but `/` holds a hash of its content.
 * esbuild is a development dependency, so it is imported here and only when asked.
 * @throws when esbuild is not installed or the sources do not compile
 */
export async function buildPanel(): Promise<Map<string, PanelFile>> {
  const esbuild = await import('esbuild');
  try {
    const { outputFiles } = await esbuild.build({
      entryPoints: { app: `${web}main.tsx` },
      absWorkingDir: dirname(web),
      outdir: '/panel',
      entryNames: '[name]-[hash]',
      write: false,
      bundle: true,
      minify: true,
      format: 'esm',
      target: ['es2022', 'safari16.4'],
      conditions: ['@ares/source'],
      jsx: 'automatic',
      jsxImportSource: 'preact',
      // The configuration of TypeScript is for checking; nothing of it may change the bundle.
      tsconfigRaw: {},
      legalComments: 'none',
      logLevel: 'silent',
      plugins: [withoutLocales],
    });
    const files = new Map<string, PanelFile>();
    const add = (path: string, type: string, body: Uint8Array) => {
      files.set(path, { type, body });
      return path;
    };
    const output = (ending: string) => {
      const file = outputFiles.find(({ path }) => path.endsWith(ending));
      if (file === undefined) throw new TypeError(`The bundle of the panel has no ${ending} file.`);
      return file;
    };
    const script = output('.js');
    const style = output('.css');
    const icon = await readFile(`${web}icon.svg`);
    const paths: Record<string, string> = {
      script: add(script.path, 'text/javascript; charset=utf-8', script.contents),
      style: add(style.path, 'text/css; charset=utf-8', style.contents),
      icon: add(`/panel/icon-${hashOf(icon)}.svg`, 'image/svg+xml', icon),
    };
    const page = await readFile(`${web}index.html`, 'utf8');
    const html = page.replace(/\{\{(\w+)\}\}/g, (_, name: string) => paths[name] ?? '');
    add('/', 'text/html; charset=utf-8', Buffer.from(html));
    return files;
  } finally {
    // Its service is a process of its own, which nobody needs any more.
    await esbuild.stop();
  }
}

function hashOf(content: Uint8Array): string {
  return createHash('sha256').update(content).digest('hex').slice(0, 8).toUpperCase();
}
