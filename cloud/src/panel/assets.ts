import { createHash } from 'node:crypto';
import { readdir, readFile } from 'node:fs/promises';
import { extname } from 'node:path';
import type { PanelFile } from './build.ts';

/** One answer: the body and every header that belongs to it. */
export interface PanelAsset {
  readonly body: Buffer;
  readonly headers: Readonly<Record<string, string>>;
}

export interface PanelAssets {
  /** The file at this request path (without query), for GET and HEAD; `undefined` when the panel has none there. */
  lookup(path: string): PanelAsset | undefined;
}

/** The panel was neither built before nor can it be built here. */
export class PanelMissingError extends Error {
  override readonly name = 'PanelMissingError';
  readonly code = 'PANEL_MISSING';
}

/** Where `npm run build:panel` writes; the same folder from source and from the compiled package. */
export const prebuiltFolder = new URL('../../dist/panel/public/', import.meta.url);

/** File name for a request path. */
export const prebuiltName = (path: string): string => (path === '/' ? 'index.html' : path.slice(1));

/**
 * Nothing but this origin: no inline script or style, no frame around it, no plug-in. Styles that scripts set
 * through the DOM (Preact, uPlot) are not inline styles and stay allowed.
 */
const contentSecurityPolicy =
  "default-src 'self'; base-uri 'none'; form-action 'self'; frame-ancestors 'none'; object-src 'none'";

const types: Readonly<Record<string, string>> = {
  '.html': 'text/html; charset=utf-8',
  '.js': 'text/javascript; charset=utf-8',
  '.css': 'text/css; charset=utf-8',
  '.svg': 'image/svg+xml',
};

/**
 * What is served at `/` and `/panel/*`. From source it is bundled now (some 100 ms), so that what is served is
 * always what stands in the sources; compiled, or without esbuild, it is the prebuilt folder.
 * @throws {PanelMissingError}
 */
export async function panelAssets(): Promise<PanelAssets> {
  const fromSource = import.meta.url.endsWith('.ts');
  const files = (fromSource ? await built() : undefined) ?? (await prebuilt());
  const assets = new Map([...files].map(([path, file]) => [path, toAsset(path, file)]));
  return { lookup: (path) => assets.get(path) };
}

async function built(): Promise<Map<string, PanelFile> | undefined> {
  const { buildPanel } = await import('./build.ts');
  try {
    return await buildPanel();
  } catch (error) {
    if ((error as { code?: string }).code === 'ERR_MODULE_NOT_FOUND') return undefined;
    throw error;
  }
}

async function prebuilt(): Promise<Map<string, PanelFile>> {
  const read = async (name: string): Promise<PanelFile> => ({
    type: types[extname(name)] ?? 'application/octet-stream',
    body: await readFile(new URL(name, prebuiltFolder)),
  });
  try {
    const names = await readdir(new URL('panel/', prebuiltFolder));
    const page: [string, PanelFile] = ['/', await read(prebuiltName('/'))];
    const rest = names.map(
      async (name): Promise<[string, PanelFile]> => [`/panel/${name}`, await read(`panel/${name}`)],
    );
    return new Map([page, ...(await Promise.all(rest))]);
  } catch (cause) {
    throw new PanelMissingError(
      'The panel was not built and esbuild is not installed here: run "npm run build:panel" where it is.',
      { cause },
    );
  }
}

function toAsset(path: string, { type, body }: PanelFile): PanelAsset {
  // Paths with a hash never change their content; the page that names them is asked for anew each time.
  const cache = path === '/' ? 'no-cache' : 'public, max-age=31536000, immutable';
  return {
    body: Buffer.from(body),
    headers: {
      'content-type': type,
      'cache-control': cache,
      etag: `"${createHash('sha256').update(body).digest('base64url').slice(0, 22)}"`,
      'content-security-policy': contentSecurityPolicy,
      'x-content-type-options': 'nosniff',
      'x-frame-options': 'DENY',
      'referrer-policy': 'no-referrer',
      'cross-origin-opener-policy': 'same-origin',
    },
  };
}
