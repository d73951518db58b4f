import { mkdirSync, writeFileSync } from 'node:fs';
import { rm } from 'node:fs/promises';
import { join } from 'node:path';
import { afterEach, describe, expect, it } from 'vitest';
import { createBoardDht22Bus } from '../../src/dht22/board-dht22-bus.ts';
import { createTestClock, silentLogger } from '../../src/testing/index.ts';
import { dhtLibrary } from '../support/dht-library-stand-in.ts';
import { type KernelDht, makeIio } from '../support/iio-stand-in.ts';

const signal = new AbortController().signal;
const roots: string[] = [];
afterEach(async () => {
  for (const root of roots.splice(0)) await rm(root, { recursive: true });
});

/** A board of this model with what its kernel drives; node-dht-sensor would measure 33 °C. */
function board(model: string | undefined, devices: readonly KernelDht[]) {
  const { root } = makeIio(devices);
  roots.push(root);
  if (model !== undefined) {
    mkdirSync(join(root, 'sys/firmware/devicetree/base'), { recursive: true });
    writeFileSync(join(root, 'sys/firmware/devicetree/base/model'), `${model}\0`);
  }
  const bench = dhtLibrary(Date.now);
  bench.state = { temperatureCelsius: 33, humidityPercent: 50 };
  const load = async () => bench.library;
  const clock = createTestClock();
  return createBoardDht22Bus({ root, clock, now: Date.now, logger: silentLogger, load });
}

describe('a DHT22 of a Raspberry Pi', () => {
  it('is read by the kernel where the kernel drives one', async () => {
    const bus = board('Raspberry Pi 4 Model B', [{ index: 0, name: 'dht11@4', bcm: 4 }]);
    expect(await bus.query(4, signal)).toMatchObject({ temperatureCelsius: 21.4 });
  });

  it('is read by node-dht-sensor where the kernel drives none and the board is old enough', async () => {
    const bus = board('Raspberry Pi 4 Model B', []);
    expect(await bus.query(4, signal)).toMatchObject({ temperatureCelsius: 33 });
  });

  it.each(['Raspberry Pi 5 Model B', undefined])('is refused on %s with what to do', async (model) => {
    await expect(board(model, []).query(4, signal)).rejects.toMatchObject({
      code: 'HARDWARE_MISSING',
      message: expect.stringMatching(/dtoverlay=dht11,gpiopin=4/),
    });
  });
});
