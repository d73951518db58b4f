import type { Machine } from '../qemu.ts';
import { type Architecture, openApt } from './apt.ts';
import { bluetoothLayer } from './bluetooth.ts';
import { bootedLayer } from './booted.ts';
import { imageLayer } from './image.ts';
import { kernelLayer } from './kernel.ts';
import type { Layer } from './layer.ts';
import { rootfsLayer } from './rootfs.ts';

/** The machine without the product: a booted Debian with the lab's simulated hardware. */
export async function buildMachine(architecture: Architecture = 'amd64'): Promise<Layer & Machine> {
  try {
    return await buildFrom(architecture, false);
  } catch (error) {
    // A mirror forgets a version as soon as there is a newer one, and then the package lists are out of date.
    if (!/40[34]|not found|Unable to fetch/i.test(String(error))) throw error;
    return await buildFrom(architecture, true);
  }
}

async function buildFrom(architecture: Architecture, refresh: boolean): Promise<Layer & Machine> {
  const apt = await openApt(architecture, { refresh });
  const [rootfs, kernel, bluetooth] = await Promise.all([
    rootfsLayer(apt),
    kernelLayer(apt),
    bluetoothLayer(apt),
  ]);
  return await bootedLayer(architecture, await imageLayer({ apt, rootfs, kernel, bluetooth }));
}
