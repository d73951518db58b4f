import { existsSync, readFileSync, realpathSync, statSync } from 'node:fs';
import { dirname, isAbsolute, join, resolve } from 'node:path';
import { pathToFileURL } from 'node:url';
import type { DriverDefinition } from './driver.ts';
import { assertApiVersion } from './driver-spec-check.ts';
import { DriverError, reasonOf } from './errors.ts';

/**
 * Loads a driver by others: a folder (absolute, or `./…` from `from`), one file, or the name of an npm package
 * installed at or above `from`. Its default export, or the export named `driver`, must come from `defineDriver`.
 *
 * @param options.from default: the working directory
 * @throws {DriverError} DRIVER_NOT_FOUND, DRIVER_INVALID (it throws on import, or exports something else), API_VERSION
 */
export async function loadExternalDriver(
  specifier: string,
  options: { from?: string } = {},
): Promise<DriverDefinition> {
  const entry = entryOf(specifier, options.from ?? process.cwd());
  let exports: Record<string, unknown>;
  try {
    exports = (await import(/* @vite-ignore */ pathToFileURL(entry).href)) as Record<string, unknown>;
  } catch (cause) {
    if (cause instanceof DriverError) throw cause;
    throw new DriverError(
      'DRIVER_INVALID',
      `driver ${specifier} (${entry}) does not load: ${reasonOf(cause)}`,
      {
        details: { specifier, entry },
        cause,
      },
    );
  }
  return asDefinition(exports.default ?? exports.driver, specifier);
}

const definitionParts = ['type', 'kind', 'metrics', 'parseWiring', 'pins', 'safeOutputs', 'create'] as const;

function asDefinition(value: unknown, specifier: string): DriverDefinition {
  const candidate = (typeof value === 'object' && value !== null ? value : {}) as Record<string, unknown>;
  if ('apiVersion' in candidate) assertApiVersion(candidate.type ?? specifier, candidate.apiVersion);
  const missing = definitionParts.filter((part) => candidate[part] === undefined);
  if (missing.length > 0)
    throw new DriverError(
      'DRIVER_INVALID',
      `${specifier} exports no driver: export default defineDriver({ … }) (or a const named driver); missing: ${missing.join(', ')}`,
      { details: { specifier, missing } },
    );
  return value as DriverDefinition;
}

/** Where a driver by others lies. */
export interface DriverLocation {
  /** Folder or file; absolute, so that another process finds the same. */
  readonly path: string;
  /** Folders that it and the packages installed with it are read from. */
  readonly folders: readonly string[];
}

/**
 * Finds a driver without loading it, by the same rules as `loadExternalDriver`.
 * @throws {DriverError} DRIVER_NOT_FOUND
 */
export function locateExternalDriver(specifier: string, options: { from?: string } = {}): DriverLocation {
  const from = options.from ?? process.cwd();
  const path = pathOf(specifier, from);
  const folder = statSync(path).isFile() ? dirname(path) : path;
  // What a package needs was installed beside it.
  const [beside = folder] = /^.*\/node_modules(?=\/)/.exec(folder) ?? [];
  return { path, folders: [...new Set([beside, realpathSync(folder)])] };
}

const isPath = (specifier: string) => isAbsolute(specifier) || /^\.{1,2}(\/|$)/.test(specifier);

/** The folder or file that a specifier names. */
function pathOf(specifier: string, from: string): string {
  const path = isPath(specifier) ? resolve(from, specifier) : packageFolder(specifier, from);
  if (path === undefined || !existsSync(path))
    throw new DriverError(
      'DRIVER_NOT_FOUND',
      path === undefined
        ? `package ${specifier} is not installed in ${from} or above; run npm install ${specifier} there`
        : `there is no driver at ${path}`,
      { details: { specifier, from } },
    );
  return path;
}

/** The file to import for a specifier. */
function entryOf(specifier: string, from: string): string {
  const path = pathOf(specifier, from);
  if (statSync(path).isFile()) return path;
  const entry = [mainOf(path), 'index.js', 'index.mjs', 'index.ts']
    .filter((name) => name !== undefined)
    .map((name) => join(path, name))
    .find((file) => existsSync(file));
  if (entry === undefined)
    throw new DriverError(
      'DRIVER_NOT_FOUND',
      `${path} has no entry: name it in package.json ("exports" or "main"), or call it index.js`,
      { details: { specifier } },
    );
  return entry;
}

/** As Node looks packages up: `node_modules` here, then in each folder above. */
function packageFolder(name: string, from: string): string | undefined {
  if (!/^(@[a-z0-9][\w.-]*\/)?[a-z0-9][\w.-]*$/.test(name)) return undefined;
  for (let folder = resolve(from); ; folder = dirname(folder)) {
    const candidate = join(folder, 'node_modules', name);
    if (existsSync(candidate)) return candidate;
    if (folder === dirname(folder)) return undefined;
  }
}

function mainOf(folder: string): string | undefined {
  const file = join(folder, 'package.json');
  if (!existsSync(file)) return undefined;
  let manifest: { exports?: unknown; main?: unknown };
  try {
    manifest = JSON.parse(readFileSync(file, 'utf8')) as typeof manifest;
  } catch (cause) {
    throw new DriverError('DRIVER_INVALID', `${file} is not JSON: ${reasonOf(cause)}`, { cause });
  }
  return targetOf(manifest.exports) ?? (typeof manifest.main === 'string' ? manifest.main : undefined);
}

/** The file that `exports` names for `import`, for the forms that a one-entry package uses. */
function targetOf(exports: unknown): string | undefined {
  if (typeof exports === 'string') return exports;
  if (typeof exports !== 'object' || exports === null) return undefined;
  const table = exports as Record<string, unknown>;
  return targetOf(table['.'] ?? table.import ?? table.default);
}
