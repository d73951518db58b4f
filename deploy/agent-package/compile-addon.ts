import { cpSync, existsSync, mkdirSync, rmSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { nodePackage } from './runtime.ts';
import { type Architecture, findTool, names, PackageError, repository, run } from './tools.ts';

/** A native part that is compiled from the sources in its npm package. */
export interface Addon {
  readonly package: string;
  /** Arguments of node-gyp beside the usual. */
  readonly gyp: readonly string[];
  /** What comes out, from the package's folder. */
  readonly output: string;
}

/**
 * Compiles an addon against the headers of the pinned Node, also for the other architecture.
 *
 * @returns the stripped addon, in `workFolder`
 * @throws {PackageError} when a compiler or the package is missing, or it does not compile
 */
export function compileAddon(addon: Addon, arch: Architecture, workFolder: string): string {
  const source = join(repository, 'node_modules', addon.package);
  const nodeGyp = join(repository, 'node_modules/node-gyp/bin/node-gyp.js');
  if (!existsSync(source))
    throw new PackageError(`${addon.package} is not installed (an optional dependency).`);
  if (!existsSync(nodeGyp)) throw new PackageError('node-gyp is not installed (an optional dependency).');
  const [cc, cxx, strip] = ['gcc', 'g++', 'strip'].map((tool) => findTool(tool, arch));
  if (cc === undefined || cxx === undefined || strip === undefined)
    throw new PackageError(`there is no compiler for it: install gcc-${gcc(arch)} and g++-${gcc(arch)}.`);
  const folder = join(workFolder, addon.package);
  rmSync(folder, { recursive: true, force: true });
  mkdirSync(dirname(folder), { recursive: true });
  cpSync(source, folder, { recursive: true });
  const gyp = [
    nodeGyp,
    'rebuild',
    `--nodedir=${nodePackage(arch)}`,
    `--arch=${names[arch].node}`,
    ...addon.gyp,
  ];
  run(process.execPath, gyp, { cwd: folder, env: environment({ cc, cxx, folder }) });
  const built = join(folder, addon.output);
  if (!existsSync(built)) throw new PackageError(`node-gyp made no ${addon.output} of ${addon.package}.`);
  run(strip, ['--strip-unneeded', '--remove-section=.comment', built]);
  return built;
}

/** What npm passes on of its user's settings would win over ours: another Node's headers, another architecture. */
function environment(tools: { readonly cc: string; readonly cxx: string; readonly folder: string }) {
  const kept = Object.entries(process.env).filter(([name]) => !name.toLowerCase().startsWith('npm_'));
  // No path of the builder's disk and no build id in the result: it is the same wherever it was made.
  const flags = `-g0 -fvisibility=hidden -ffunction-sections -fdata-sections -ffile-prefix-map=${tools.folder}=.`;
  return {
    ...Object.fromEntries(kept),
    // Packages are found from the copy's folder, as if it lay in node_modules.
    NODE_PATH: join(repository, 'node_modules'),
    CC: tools.cc,
    CXX: tools.cxx,
    LINK: tools.cxx,
    CFLAGS: flags,
    CXXFLAGS: flags,
    LDFLAGS: '-Wl,--build-id=none -Wl,-z,relro,-z,now,--gc-sections,--exclude-libs,ALL',
  };
}

function gcc(arch: Architecture): string {
  return names[arch].gnu.replace('_', '-');
}
