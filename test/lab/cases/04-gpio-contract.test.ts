import { join } from 'node:path';
import { build } from 'esbuild';
import { afterAll, beforeAll, describe, expect, inject, it } from 'vitest';
import { root } from '../../support/repository.ts';
import { makeGpioChip } from '../gpio-sim.ts';
import { GUEST_SHARE, Vm } from '../vm.ts';

const machine = inject('labInstalled');

describe.skipIf(machine === null)("the adapters of GPIO lines, with the package's native libraries", () => {
  let vm: Vm;

  beforeAll(async () => {
    vm = await Vm.start(machine!);
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
    await vm.sh(`systemctl stop ares-agent; cp ${GUEST_SHARE}/gpio-contract.mjs /usr/lib/ares-agent/app`);
    // So that the numbers of the header's chip and of its lines are not the first ones.
    await makeGpioChip(vm, { name: 'other', label: 'brcmvirt-gpio', lines: 8 });
  });

  afterAll(() => vm?.stop());

  const keepsContract = async (adapter: string, label: string, tests: string) => {
    const chip = await makeGpioChip(vm, { label });
    const ran = await vm.run(
      `cd /usr/lib/ares-agent/app; ../runtime/bin/node gpio-contract.mjs ${adapter} ${chip.folder} '${tests}'`,
      { timeoutMs: 400_000 },
    );
    expect(ran.stdout + ran.stderr).toMatch(/(\d+) of \1 passed/);
    expect(ran.status).toBe(0);
    await chip.remove();
  };

  it.each(['chardev', 'sysfs'])("keep the contract on the kernel's own lines by %s", async (adapter) => {
    await keepsContract(adapter, 'pinctrl-bcm2711', '');
  });

  it('find the lines of a Raspberry Pi 5 by their label', async () => {
    await keepsContract('chardev', 'pinctrl-rp1', 'opens an output');
  });
});
