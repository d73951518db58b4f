import { readFileSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import type { Machine } from '../qemu.ts';
import { savedMachine, Vm } from '../vm.ts';
import { type Layer, layer } from './layer.ts';
import type { AgentPackage } from './package.ts';

const INSTALL = 'apt-get install -y --no-install-recommends /root/ares-agent.deb && rm /root/ares-agent.deb';
const LOG = 'install.log';

/** The booted machine with the agent's package installed as a user does it, saved again: `disk.qcow2` and `memory`. */
export async function installedLayer(base: Layer & Machine, agent: AgentPackage): Promise<Layer & Machine> {
  const { architecture } = base;
  const built = await layer({
    name: `installed-${architecture}`,
    inputs: [base.key, agent.sha256, INSTALL, LOG],
    build: async (folder) => {
      await using vm = await Vm.start(base);
      await vm.copyIn(agent.file, '/root/ares-agent.deb');
      writeFileSync(join(folder, LOG), await vm.sh(INSTALL, { timeoutMs: 300_000 }));
      await vm.saveTo(folder);
    },
  });
  return { ...built, ...savedMachine(base, built.folder) };
}

/** What apt said when it installed the package. */
export function installLog(installed: Machine): string {
  return readFileSync(join(dirname(installed.disk), LOG), 'utf8');
}
