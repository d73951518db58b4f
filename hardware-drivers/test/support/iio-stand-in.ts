import { mkdirSync, mkdtempSync, readFileSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

/** A DHT as the kernel shows it; `bcm` is what its device-tree node says, left out for a device without one. */
export interface KernelDht {
  readonly index: number;
  readonly name: string;
  readonly bcm?: number;
  /** Kernels before 6.x have the node above the device only. */
  readonly nodeAbove?: boolean;
}

/** A folder laid out like /sys with these devices; files of a disk do not fail, so reading them is a function. */
export function makeIio(devices: readonly KernelDht[]): {
  readonly root: string;
  folder(index: number): string;
  set(index: number, temperature: string, humidity: string): void;
} {
  const root = mkdtempSync(join(tmpdir(), 'ares-iio-'));
  const bus = join(root, 'sys/bus/iio/devices');
  mkdirSync(bus, { recursive: true });
  const folder = (index: number) => join(bus, `iio:device${index}`);
  for (const { index, name, bcm, nodeAbove } of devices) {
    const platform = join(root, 'sys/devices/platform', name);
    const device = join(platform, `iio:device${index}`);
    mkdirSync(device, { recursive: true });
    symlinkSync(device, folder(index));
    writeFileSync(join(device, 'name'), `${name}\n`);
    if (bcm === undefined) continue;
    const node = join(root, 'sys/firmware/devicetree/base', name);
    mkdirSync(node, { recursive: true });
    writeFileSync(join(node, 'compatible'), 'dht11\0');
    const gpios = Buffer.alloc(12);
    gpios.writeUInt32BE(7, 0);
    gpios.writeUInt32BE(bcm, 4);
    writeFileSync(join(node, 'gpios'), gpios);
    symlinkSync(node, join(nodeAbove === true ? platform : device, 'of_node'));
  }
  const set = (index: number, temperature: string, humidity: string) => {
    writeFileSync(join(folder(index), 'in_temp_input'), `${temperature}\n`);
    writeFileSync(join(folder(index), 'in_humidityrelative_input'), `${humidity}\n`);
  };
  for (const { index } of devices) set(index, '21400', '60100');
  return { root, folder, set };
}

/** What reading an attribute of the kernel's driver does: fails with its errno, or gives the file's text. */
export function kernelRead(errno: () => string | undefined) {
  return async (path: string): Promise<string> => {
    const code = errno();
    if (code !== undefined) throw Object.assign(new Error(`${code}: read`), { code });
    return readFileSync(path, 'latin1');
  };
}
