import type { Vm } from './vm.ts';

/** What a board's device tree says of it. */
export interface Board {
  readonly model: string;
  /** The `compatible` strings of the device tree. */
  readonly compatible: readonly string[];
  /** Of the processor, hex. */
  readonly serial: string;
}

/** Every machine of the lab is this one until told otherwise. */
export const raspberryPi4: Board = {
  model: 'Raspberry Pi 4 Model B Rev 1.4',
  compatible: ['raspberrypi,4-model-b', 'brcm,bcm2711'],
  serial: '10000000a5e5a5e5',
};

export const raspberryPi5: Board = {
  model: 'Raspberry Pi 5 Model B Rev 1.0',
  compatible: ['raspberrypi,5-model-b', 'brcm,bcm2712'],
  serial: '10000000a5e5a5e6',
};

/** Makes the machine another board, in its device tree and in `/proc/cpuinfo`, for programs started from now on. */
export async function becomeBoard(vm: Vm, board: Board): Promise<void> {
  await vm.sh(`
    cat >/opt/lab/board.conf <<'END'
MODEL='${board.model}'
COMPATIBLE='${board.compatible.join(' ')}'
SERIAL=${board.serial}
END
    systemctl restart lab-board`);
}
