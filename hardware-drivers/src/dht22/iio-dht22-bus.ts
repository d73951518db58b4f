import { readdirSync, readFileSync, realpathSync } from 'node:fs';
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { DriverError, reasonOf } from '../errors.ts';
import type { Dht22Bus, DriverLogger } from '../hardware.ts';

/** A DHT sensor that the kernel drives. */
interface IioSensor {
  /** Folder with its values. */
  readonly folder: string;
  /** As the kernel calls it, e.g. `dht11@4`. */
  readonly name: string;
  /** The line that it sits on, as its device-tree node says; undefined where there is none. */
  readonly bcm: number | undefined;
}

export interface IioDht22Options {
  readonly logger: DriverLogger;
  /** BCM number → name of the kernel's device, for boards that do not tell. */
  readonly devices?: Readonly<Record<number, string>>;
  /** Where /sys is, for tests. */
  readonly root?: string;
  /** Reads an attribute; for tests, as no file of a disk fails like one of the kernel. */
  readonly readAttribute?: (path: string) => Promise<string>;
}

export interface IioDht22Bus extends Dht22Bus {
  /** Whether the kernel drives any DHT sensor now. */
  isPresent(): boolean;
}

/**
 * DHT22 by the kernel's driver `dht11` (which serves both types), put on a line by `dtoverlay=dht11,gpiopin=<BCM>`.
 * The kernel checks the checksum and keeps a measurement for 2 s; the driver's rest between two queries is longer.
 * A read blocks for up to a second when nothing answers, in a thread of the pool.
 *
 * Source: Linux drivers/iio/humidity/dht11.c, Documentation/ABI/testing/sysfs-bus-iio (milli-degrees, milli-percent).
 *
 */
export function createIioDht22Bus(options: IioDht22Options): IioDht22Bus {
  const { root = '/', logger, devices = {} } = options;
  const readAttribute = options.readAttribute ?? ((path: string) => readFile(path, 'latin1'));
  const guessed = new Set<number>();
  return {
    isPresent: () => findSensors(root).length > 0,
    query: async (bcm, signal) => {
      // Looked up each time: numbers of devices change when one is bound again.
      const sensor = sensorOn(bcm, findSensors(root), devices[bcm]);
      if (sensor.bcm === undefined && devices[bcm] === undefined && !guessed.has(bcm)) {
        guessed.add(bcm);
        logger.info('the kernel does not say on which line its DHT sits; it is the only one, so it is used', {
          bcm,
          device: sensor.name,
        });
      }
      const value = (attribute: string) =>
        untilAborted(signal, readMilli(readAttribute, join(sensor.folder, attribute)));
      // One after the other: the first makes the kernel measure, the second gets what was measured with it.
      const temperatureCelsius = await value('in_temp_input');
      const humidityPercent = await value('in_humidityrelative_input');
      return { kind: 'values', temperatureCelsius, humidityPercent };
    },
  };
}

/** Found by what they are, never by their number. */
function findSensors(root: string): IioSensor[] {
  const devices = join(root, 'sys/bus/iio/devices');
  return entries(devices).flatMap((entry) => {
    const folder = realPath(join(devices, entry));
    const name = text(join(folder, 'name')) ?? '';
    // On the device itself in newer kernels, on the platform device above it in all.
    const node = [join(folder, 'of_node'), join(folder, '../of_node')].find(
      (path) => text(join(path, 'compatible'))?.split('\0').includes('dht11') === true,
    );
    const isDht = name.startsWith('dht11') || node !== undefined;
    if (!isDht || !entries(folder).includes('in_humidityrelative_input')) return [];
    return [{ folder, name, bcm: node === undefined ? undefined : lineOf(join(node, 'gpios')) }];
  });
}

/** Cells of a `gpios` property, 32 bit, high byte first: controller, line, flags. */
function lineOf(path: string): number | undefined {
  try {
    const cells = readFileSync(path);
    return cells.length === 12 ? cells.readUInt32BE(4) : undefined;
  } catch {
    return undefined;
  }
}

function sensorOn(bcm: number, sensors: readonly IioSensor[], mapped: string | undefined): IioSensor {
  const named = mapped === undefined ? undefined : sensors.find(({ name }) => name === mapped);
  const unknown = sensors.filter((sensor) => sensor.bcm === undefined);
  const found =
    named ??
    (mapped === undefined ? sensors.find((sensor) => sensor.bcm === bcm) : undefined) ??
    (mapped === undefined && sensors.length === 1 ? unknown[0] : undefined);
  if (found !== undefined) return found;
  const known = sensors.map(({ name, bcm: line }) => (line === undefined ? name : `${name} on BCM ${line}`));
  const advice =
    unknown.length > 1 && mapped === undefined
      ? `name the one that is meant in the setting dht22Devices, e.g. { "${bcm}": "${unknown[0]!.name}" }`
      : `add dtoverlay=dht11,gpiopin=${bcm} to config.txt and start anew, or correct the pin of the component`;
  throw new DriverError(
    'HARDWARE_MISSING',
    `the kernel drives no DHT on BCM ${bcm}, only ${known.join(', ') || 'none'}: ${advice}`,
    { details: { bcm } },
  );
}

async function readMilli(read: (path: string) => Promise<string>, path: string): Promise<number> {
  const line = (
    await read(path).catch((cause: unknown) => {
      throw asDriverError(cause);
    })
  ).trim();
  if (!/^-?\d+$/.test(line))
    throw new DriverError('NO_ANSWER', `${path} holds "${line}", which is no number`);
  return Number(line) / 1_000;
}

/** What the kernel's driver means by its errors. */
function asDriverError(cause: unknown): DriverError {
  const code = (cause as { code?: string } | null)?.code;
  if (code === 'EIO') return new DriverError('CHECKSUM', 'the kernel could not decode the answer', { cause });
  if (code === 'ETIMEDOUT')
    return new DriverError('NO_ANSWER', 'the sensor sent nothing, or not all of it', { cause });
  return new DriverError('NO_ANSWER', `the kernel gives no value: ${reasonOf(cause)}`, { cause });
}

/** A read inside the kernel cannot be taken back; its late answer is dropped. */
async function untilAborted<T>(signal: AbortSignal, reading: Promise<T>): Promise<T> {
  let onAbort: () => void = () => undefined;
  const aborted = new Promise<never>((_, reject) => {
    onAbort = () => reject(signal.reason as Error);
    if (signal.aborted) onAbort();
    else signal.addEventListener('abort', onAbort, { once: true });
  });
  // The loser of the race settles later; nobody listens to it any more.
  for (const promise of [aborted, reading]) promise.catch(() => undefined);
  try {
    return await Promise.race([reading, aborted]);
  } finally {
    signal.removeEventListener('abort', onAbort);
  }
}

function entries(folder: string): string[] {
  try {
    return readdirSync(folder);
  } catch {
    return [];
  }
}

/** What is above a device is above the place that its link leads to. */
function realPath(path: string): string {
  try {
    return realpathSync(path);
  } catch {
    return path;
  }
}

function text(path: string): string | undefined {
  try {
    return readFileSync(path, 'latin1').trim();
  } catch {
    return undefined;
  }
}
