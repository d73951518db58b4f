import type { TestProject } from 'vitest/node';
import { buildMachine } from './layers/machine.ts';
import type { Machine } from './qemu.ts';
import { missingRequirements } from './requirements.ts';

declare module 'vitest' {
  export interface ProvidedContext {
    /** A booted Debian without the product. */
    labMachine: Machine;
  }
}

/** Builds what the cases start from, once for all of them. */
export default async function setup(project: TestProject): Promise<void> {
  const missing = missingRequirements();
  if (missing.length > 0) throw new Error(`the lab needs ${missing.join(', ')}`);
  const { architecture, image, disk } = await buildMachine();
  project.provide('labMachine', { architecture, image, disk });
}
