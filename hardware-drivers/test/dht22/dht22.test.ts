import { describe, expect, it } from 'vitest';
import { driver } from '../../src/dht22/dht22.ts';
import { encodeDht22Frame } from '../../src/dht22/dht22-frame.ts';
import type { Dht22Answer } from '../../src/index.ts';
import {
  createMockHardware,
  createTestClock,
  describeSensorDriver,
  type MockAnswer,
  silentLogger,
} from '../../src/testing/index.ts';

const frame = (temperatureCelsius: number, humidityPercent: number): Dht22Answer => ({
  kind: 'frame',
  bytes: encodeDht22Frame({ temperatureCelsius, humidityPercent }),
});
const values = (temperatureCelsius: number, humidityPercent: number): Dht22Answer => ({
  kind: 'values',
  temperatureCelsius,
  humidityPercent,
});
const badChecksum: Dht22Answer = { kind: 'frame', bytes: Uint8Array.from([2, 0x8c, 1, 0x5f, 0xef]) };

describeSensorDriver(
  { describe, it, expect },
  {
    driver,
    component: { pins: { data: 4 }, config: {} },
    working: (hardware) => hardware.setDht22(4, frame(21.4, 60.1)),
    broken: (hardware) => hardware.setDht22(4, badChecksum),
  },
);

async function running(...answers: MockAnswer<Dht22Answer>[]) {
  const hardware = createMockHardware();
  hardware.setDht22(4, ...answers);
  const clock = createTestClock({ autoAdvance: true });
  const sensor = driver.create({
    ...driver.parseWiring({ pins: { data: 4 }, config: {} }),
    hardware,
    clock,
    logger: silentLogger,
  });
  await sensor.start();
  return { hardware, clock, sensor };
}

describe('reading a DHT22', () => {
  it('takes negative temperatures and both kinds of answer', async () => {
    const { sensor } = await running(frame(-10.1, 65.2), values(-10.2, 65.3));
    expect(await sensor.read()).toEqual([
      { metric: 'temperature', value: -10.1, quality: 'good' },
      { metric: 'humidity', value: 65.2, quality: 'good' },
    ]);
    expect(await sensor.read()).toMatchObject([{ value: -10.2 }, { value: 65.3 }]);
  });

  it('asks again after a bad frame, never sooner than two seconds after the query before', async () => {
    const { clock, hardware, sensor } = await running(
      badChecksum,
      badChecksum,
      frame(20, 50),
      frame(20.1, 50),
    );
    await sensor.read();
    expect(hardware.dht22Queries(4)).toBe(3);
    expect(clock.monotonicMs()).toBe(4_000);
    await sensor.read();
    expect(clock.monotonicMs(), 'the next read waits too').toBe(6_000);
  });

  it.each([
    ['CHECKSUM', badChecksum],
    ['NO_ANSWER', { kind: 'frame', bytes: new Uint8Array(5) } as const],
    ['OUT_OF_RANGE', values(80.1, 50)],
    ['OUT_OF_RANGE', values(-40.1, 50)],
    ['OUT_OF_RANGE', values(20, 100.1)],
    ['OUT_OF_RANGE', values(Number.NaN, 50)],
    ['NO_ANSWER', new Error('bus is busy')],
  ])('gives up with %s after three attempts and reports no value', async (code, answer) => {
    const { hardware, sensor } = await running(answer);
    await expect(sensor.read()).rejects.toMatchObject({ code, details: { attempts: 3 } });
    expect(hardware.dht22Queries(4)).toBe(3);
  });

  it('works again as soon as the sensor does', async () => {
    const { sensor } = await running(badChecksum, badChecksum, badChecksum, frame(20, 50));
    await expect(sensor.read()).rejects.toMatchObject({ code: 'CHECKSUM' });
    expect(await sensor.read()).toMatchObject([{ value: 20 }, { value: 50 }]);
  });

  it('flags a jump that the sensor cannot follow, and believes it when it stays', async () => {
    const { sensor } = await running(frame(20, 50), frame(45, 50), frame(45, 50.1));
    expect((await sensor.read())[0]).toMatchObject({ quality: 'good' });
    expect((await sensor.read())[0]).toMatchObject({ value: 45, quality: 'suspect' });
    expect((await sensor.read())[0]).toMatchObject({ value: 45, quality: 'good' });
  });

  it('flags a spike alone, not the value that comes after it', async () => {
    const { sensor } = await running(frame(20, 50), frame(45, 50), frame(20.1, 50), frame(20.1, 49.9));
    const qualities: string[] = [];
    for (let round = 0; round < 4; round += 1) qualities.push((await sensor.read())[0]!.quality);
    expect(qualities).toEqual(['good', 'suspect', 'good', 'good']);
  });

  it('rests from the end of a query: what the kernel measured for the last one is gone then', async () => {
    const { clock, hardware, sensor } = await running(frame(20, 50));
    const asked: number[] = [];
    const bus = hardware.dht22Bus.query;
    Object.assign(hardware.dht22Bus, {
      query: async (...args: Parameters<typeof bus>) => {
        asked.push(clock.monotonicMs());
        await clock.delay(900);
        return bus(...args);
      },
    });
    await sensor.read();
    await sensor.read();
    expect(asked).toEqual([0, 2_900]);
  });

  it('takes zero degrees at zero percent for no sensor, whoever decoded it', async () => {
    const { sensor } = await running(values(0, 0));
    await expect(sensor.read()).rejects.toMatchObject({ code: 'NO_ANSWER' });
  });

  it('flags values that stand still to the tenth for an hour', async () => {
    const { clock, sensor } = await running(frame(20, 50));
    await sensor.read();
    await clock.delay(3_599_000);
    expect((await sensor.read())[0]).toMatchObject({ quality: 'good' });
    await clock.delay(1_000);
    expect((await sensor.read())[0]).toMatchObject({ quality: 'suspect' });
  });

  it('ends at once when stopped while the sensor hangs', async () => {
    const { sensor } = await running('hang');
    const reading = sensor.read();
    await sensor.stop();
    await expect(reading).rejects.toMatchObject({ code: 'NOT_RUNNING' });
  });
});
