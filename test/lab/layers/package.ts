import { createHash } from 'node:crypto';
import { globSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { filesBelow, readText, root } from '../../support/repository.ts';
import { command } from '../command.ts';
import type { Architecture } from './apt.ts';
import { layer } from './layer.ts';

/** A .deb of the agent. */
export interface AgentPackage {
  readonly file: string;
  readonly sha256: string;
}

/** What the package is made of; besides the dependencies, which the lock file tells. */
const SOURCES = ['agent/src', 'hardware-drivers/src', 'protocol/src', 'deploy/agent-package'];
const FILES = ['agent/build.ts', 'agent/package.json', 'package-lock.json', 'README.md', 'LICENSE'];

/** The package of this source tree, or the one that `ARES_DEB` names. `ARES_DEB=none` goes without one. */
export async function agentPackage(architecture: Architecture): Promise<AgentPackage | undefined> {
  const given = process.env['ARES_DEB'];
  if (given === 'none') return undefined;
  if (given !== undefined) return described(given);
  const sources = [...SOURCES.flatMap((folder) => filesBelow(folder, () => true)).toSorted(), ...FILES];
  const built = await layer({
    name: `package-${architecture}`,
    inputs: sources.flatMap((file) => [file, readText(file)]),
    build: async (folder) => {
      const program = join(root, 'deploy/agent-package/build-deb-main.ts');
      await command(
        process.execPath,
        ['--conditions=@ares/source', program, '--arch', architecture, '--out', folder],
        { cwd: root },
      );
    },
  });
  const [file] = globSync(join(built.folder, '*.deb'));
  if (file === undefined) throw new Error('the build of the package made no .deb');
  return described(file);
}

const described = (file: string): AgentPackage => ({
  file,
  sha256: createHash('sha256').update(readFileSync(file)).digest('hex'),
});
