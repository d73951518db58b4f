import { mkdirSync, writeFileSync } from 'node:fs';
import { rm } from 'node:fs/promises';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { createIioDht22Bus } from '../../src/dht22/iio-dht22-bus.ts';
import { describeDht22Bus, silentLogger } from '../../src/testing/index.ts';
import { type KernelDht, kernelRead, makeIio } from '../support/iio-stand-in.ts';

describeDht22Bus({ describe, it, expect }, "by the kernel's driver, on a stand-in of sysfs", async () => {
  const sysfs = makeIio([{ index: 3, name: 'dht11@4', bcm: 4 }]);
  let errno: string | undefined;
  let hanging = false;
  const read = kernelRead(() => errno);
  return {
    bus: createIioDht22Bus({
      root: sysfs.root,
      logger: silentLogger,
      readAttribute: (path) => (hanging ? new Promise(() => undefined) : read(path)),
    }),
    set: async (state) => {
      errno = state === 'checksum' ? 'EIO' : state === 'missing' ? 'ETIMEDOUT' : undefined;
      if (typeof state === 'object')
        sysfs.set(3, String(state.temperatureCelsius * 1_000), String(state.humidityPercent * 1_000));
    },
    rest: async () => undefined,
    hang: async () => {
      hanging = true;
    },
    [Symbol.asyncDispose]: () => rm(sysfs.root, { recursive: true }),
  };
});

async function onDevices(
  devices: readonly KernelDht[],
  test: (bench: {
    root: string;
    ask: (bcm: number, mapping?: Record<number, string>) => Promise<unknown>;
    said: string[];
    set: ReturnType<typeof makeIio>['set'];
    isPresent: () => boolean;
  }) => Promise<void>,
): Promise<void> {
  const { root, set } = makeIio(devices);
  const said: string[] = [];
  const logger = { ...silentLogger, info: (message: string) => said.push(message) };
  const busWith = (mapping: Record<number, string>) => createIioDht22Bus({ root, logger, devices: mapping });
  const ask = (bcm: number, mapping: Record<number, string> = {}) =>
    busWith(mapping).query(bcm, new AbortController().signal);
  try {
    await test({ root, ask, said, set, isPresent: () => busWith({}).isPresent() });
  } finally {
    await rm(root, { recursive: true });
  }
}

describe('which device of the kernel a line has', () => {
  it.each([false, true])('is told by its device-tree node, not by its number (node above: %s)', (nodeAbove) =>
    onDevices(
      [
        { index: 0, name: 'dht11@4', bcm: 22, nodeAbove },
        { index: 1, name: 'dht11@11', bcm: 17, nodeAbove },
      ],
      async ({ ask, set }) => {
        set(0, '22000', '50000');
        set(1, '17000', '50000');
        expect(await ask(17)).toMatchObject({ temperatureCelsius: 17 });
        expect(await ask(22)).toMatchObject({ temperatureCelsius: 22 });
        await expect(ask(4)).rejects.toMatchObject({
          code: 'HARDWARE_MISSING',
          message: expect.stringMatching(
            /no DHT on BCM 4, only dht11@4 on BCM 22.*dtoverlay=dht11,gpiopin=4/,
          ),
        });
      },
    ),
  );

  it('is the only one when it does not tell, and that is said', () =>
    onDevices([{ index: 0, name: 'dht11' }], async ({ ask, said }) => {
      expect(await ask(4)).toMatchObject({ temperatureCelsius: 21.4, humidityPercent: 60.1 });
      expect(said).toEqual([expect.stringMatching(/does not say on which line/)]);
    }));

  it('is not the only one when it tells that it sits elsewhere', () =>
    onDevices([{ index: 0, name: 'dht11@4', bcm: 17 }], async ({ ask }) => {
      await expect(ask(4)).rejects.toMatchObject({ code: 'HARDWARE_MISSING' });
    }));

  it('is asked for when several do not tell, and taken from the settings', () =>
    onDevices(
      [
        { index: 0, name: 'dht11.0' },
        { index: 1, name: 'dht11.1' },
      ],
      async ({ ask, set }) => {
        await expect(ask(4)).rejects.toThrow(/setting dht22Devices, e\.g\. \{ "4": "dht11\.0" \}/);
        set(1, '5000', '50000');
        expect(await ask(4, { 4: 'dht11.1' })).toMatchObject({ temperatureCelsius: 5 });
        await expect(ask(4, { 4: 'dht11.9' })).rejects.toMatchObject({ code: 'HARDWARE_MISSING' });
      },
    ));

  it('is none of another kind, though it measures the same', () =>
    onDevices([], async ({ root, isPresent }) => {
      const folder = join(root, 'sys/bus/iio/devices/iio:device0');
      mkdirSync(folder, { recursive: true });
      for (const [name, text] of [
        ['name', 'bme280'],
        ['in_temp_input', '20000'],
        ['in_humidityrelative_input', '50000'],
      ])
        writeFileSync(join(folder, name!), `${text}\n`);
      expect(isPresent()).toBe(false);
    }));
});

describe('an answer of the kernel that is no value', () => {
  it.each([
    ['EIO', 'CHECKSUM'],
    ['ETIMEDOUT', 'NO_ANSWER'],
    ['EAGAIN', 'NO_ANSWER'],
    ['EACCES', 'NO_ANSWER'],
  ])('%s is told as %s', async (errno, code) => {
    const { root } = makeIio([{ index: 0, name: 'dht11@4', bcm: 4 }]);
    const bus = createIioDht22Bus({ root, logger: silentLogger, readAttribute: kernelRead(() => errno) });
    await expect(bus.query(4, new AbortController().signal)).rejects.toMatchObject({ code });
    await rm(root, { recursive: true });
  });

  it.each(['', 'nan', '21.4', '21400 \n21400'])('text "%s" is refused', (text) =>
    onDevices([{ index: 0, name: 'dht11@4', bcm: 4 }], async ({ ask, set }) => {
      set(0, text, '50000');
      await expect(ask(4)).rejects.toMatchObject({ code: 'NO_ANSWER' });
    }),
  );
});
