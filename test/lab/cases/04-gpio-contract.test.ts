import { join } from 'node:path';
import { build } from 'esbuild';
import { describe, expect, inject, it } from 'vitest';
import { root } from '../../support/repository.ts';
import { makeGpioChip } from '../gpio-sim.ts';
import { GUEST_SHARE, Vm } from '../vm.ts';

const machine = inject('labInstalled');

describe.skipIf(machine === null)("the adapters of GPIO lines, with the package's native libraries", () => {
  it.each([
    ['chardev', 'pinctrl-bcm2711'],
    ['sysfs', 'pinctrl-bcm2711'],
    ['chardev', 'pinctrl-rp1'],
  ] as const)(
    "keep the contract on the kernel's own lines by %s, found by the label %s",
    async (adapter, label) => {
      await using vm = await Vm.start(machine!);
      await vm.sh('systemctl stop ares-agent');
      // So that the numbers of the header's chip and of its lines are not the first ones.
      await makeGpioChip(vm, { name: 'other', label: 'brcmvirt-gpio', lines: 8 });
      const chip = await makeGpioChip(vm, { label });
      await build({
        entryPoints: [join(root, 'test/lab/guest-programs/gpio-contract.ts')],
        outfile: join(vm.share, 'gpio-contract.mjs'),
        bundle: true,
        platform: 'node',
        target: 'node24',
        format: 'esm',
        conditions: ['@ares/source'],
        external: ['onoff', 'node-dht-sensor'],
        logLevel: 'silent',
      });
      const ran = await vm.run(
        `cd /usr/lib/ares-agent/app
       cp ${GUEST_SHARE}/gpio-contract.mjs .
       ../runtime/bin/node gpio-contract.mjs ${adapter} ${chip.folder}`,
        { timeoutMs: 400_000 },
      );
      expect(ran.stdout + ran.stderr).toMatch(/(\d+) of \1 passed/);
      expect(ran.status).toBe(0);
    },
  );
});
