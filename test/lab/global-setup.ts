import type { TestProject } from 'vitest/node';
import { installedLayer } from './layers/installed.ts';
import { buildMachine } from './layers/machine.ts';
import { agentPackage } from './layers/package.ts';
import { withPhoneLayer } from './layers/with-phone.ts';
import type { Machine } from './qemu.ts';
import { labArchitecture, missingRequirements } from './requirements.ts';
import { removeLeftovers } from './vm.ts';

declare module 'vitest' {
  export interface ProvidedContext {
    /** A booted Debian without the product. */
    labMachine: Machine;
    /** The same with the agent's package installed; null with `ARES_DEB=none`. */
    labInstalled: Machine | null;
    /** And with a phone (noble) that listens: see `connectPhone`. */
    labWithPhone: Machine | null;
    /** The package itself, a file of the host. */
    labPackage: string | null;
  }
}

/** Builds what the cases start from, once for all of them. */
export default async function setup(project: TestProject): Promise<void> {
  const architecture = labArchitecture();
  const missing = missingRequirements(architecture);
  if (missing.length > 0) throw new Error(`the lab needs ${missing.join(', ')}`);
  removeLeftovers();
  const machine = await buildMachine(architecture);
  const agent = await agentPackage(architecture);
  const installed = agent === undefined ? null : await installedLayer(machine, agent);
  project.provide('labMachine', plain(machine));
  project.provide('labInstalled', installed === null ? null : plain(installed));
  const withPhone = installed === null ? null : await withPhoneLayer(installed);
  project.provide('labWithPhone', withPhone === null ? null : plain(withPhone));
  project.provide('labPackage', agent?.file ?? null);
}

/** Without what a machine that is a layer has besides. */
const plain = ({ architecture, image, disk, memory }: Machine): Machine => ({
  ...{ architecture, image, disk },
  ...(memory !== undefined && { memory }),
});
