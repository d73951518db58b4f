import { execFileSync, type StdioOptions } from 'node:child_process';
import { createHash } from 'node:crypto';
import { accessSync, constants, readFileSync } from 'node:fs';
import { delimiter, join } from 'node:path';
import { fileURLToPath } from 'node:url';

/** Root folder of the repository. */
export const repository = fileURLToPath(new URL('../..', import.meta.url));

/** Architectures of packages, by Debian's names. */
export const architectures = ['amd64', 'arm64'] as const;
export type Architecture = (typeof architectures)[number];

/** A package cannot be built; the message says what to do. */
export class PackageError extends Error {
  override readonly name = 'PackageError';
  readonly code = 'PACKAGE_NOT_BUILT';
}

/** Debian's names beside those of Node and of GNU. */
export const names: Readonly<Record<Architecture, { readonly node: 'x64' | 'arm64'; readonly gnu: string }>> =
  {
    amd64: { node: 'x64', gnu: 'x86_64-linux-gnu' },
    arm64: { node: 'arm64', gnu: 'aarch64-linux-gnu' },
  };

/** The architecture of this computer. @throws {PackageError} when there is no agent for it */
export function hostArchitecture(): Architecture {
  const host = architectures.find((arch) => names[arch].node === process.arch);
  if (host === undefined)
    throw new PackageError(`There is no Node 24 package for ${process.arch}; use a 64-bit system.`);
  return host;
}

/** A tool of the GNU tool chain (gcc, g++, strip) for an architecture, or undefined when it is not installed. */
export function findTool(tool: string, arch: Architecture): string | undefined {
  const prefixed = `${names[arch].gnu}-${tool}`;
  if (isInstalled(prefixed)) return prefixed;
  return arch === hostArchitecture() && isInstalled(tool) ? tool : undefined;
}

/** Whether a program is in the PATH. */
export function isInstalled(program: string): boolean {
  return (process.env.PATH ?? '').split(delimiter).some((folder) => {
    try {
      accessSync(join(folder, program), constants.X_OK);
      return true;
    } catch {
      return false;
    }
  });
}

/** Runs a program to its end and answers what it wrote. @throws {PackageError} with the end of what it said */
export function run(
  program: string,
  args: readonly string[],
  options: { readonly cwd?: string; readonly env?: NodeJS.ProcessEnv } = {},
): string {
  const stdio: StdioOptions = ['ignore', 'pipe', 'pipe'];
  try {
    return execFileSync(program, args, {
      cwd: repository,
      encoding: 'utf8',
      stdio,
      maxBuffer: 1e8,
      ...options,
    });
  } catch (cause) {
    const { stderr, message } = cause as Error & { stderr?: string };
    const said = (stderr ?? message).trimEnd().split('\n').slice(-12).join('\n');
    throw new PackageError(`${program} ${args.slice(0, 3).join(' ')} failed:\n${said}`, { cause });
  }
}

/** The locked version of an npm package and what its archive must hash to. */
export function lockedPackage(name: string): { readonly version: string; readonly integrity: string } {
  const lock = JSON.parse(readFileSync(join(repository, 'package-lock.json'), 'utf8')) as {
    packages: Record<string, { version: string; integrity: string } | undefined>;
  };
  const found = lock.packages[`node_modules/${name}`];
  if (found === undefined) throw new PackageError(`package-lock.json does not know ${name}.`);
  return found;
}

/** @throws {PackageError} when the file is not the one that the lock file names */
export function checkIntegrity(file: string, integrity: string): void {
  const [algorithm = '', expected] = integrity.split(/-(.*)/s);
  const found = createHash(algorithm).update(readFileSync(file)).digest('base64');
  if (found !== expected)
    throw new PackageError(`${file} is not the file that package-lock.json names (${algorithm} differs).`);
}
