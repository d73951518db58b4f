import type { SensorDefinition, SensorInstance } from '../driver.ts';
import { DriverError } from '../errors.ts';
import { createMockHardware, type MockHardware, silentLogger } from './mock-hardware.ts';
import { rejectionOf, type TestApi } from './test-api.ts';
import { createTestClock } from './test-clock.ts';

export interface SensorSuite {
  readonly driver: SensorDefinition;
  /** A component that works, as the cloud would describe it. */
  readonly component: {
    readonly pins: Readonly<Record<string, number>>;
    readonly config: Readonly<Record<string, unknown>>;
  };
  /** Makes the part answer. */
  working(hardware: MockHardware): void;
  /** Makes the part fail for good; leave it out only for a part that cannot fail. */
  broken?(hardware: MockHardware): void;
}

/** What every sensor driver must do. Runs on mock hardware and a clock that a wait moves on at once. */
export function describeSensorDriver(
  api: TestApi,
  { driver, component, working, broken }: SensorSuite,
): void {
  const { describe, it, expect } = api;
  const setUp = (
    prepare: (hardware: MockHardware) => void,
  ): { hardware: MockHardware; sensor: SensorInstance } => {
    const hardware = createMockHardware();
    prepare(hardware);
    const wiring = driver.parseWiring(component);
    const sensor = driver.create({
      ...wiring,
      hardware,
      clock: createTestClock({ autoAdvance: true }),
      logger: silentLogger,
    });
    return { hardware, sensor };
  };

  describe(`sensor driver ${driver.type}`, () => {
    it('refuses a setting that it does not know', async () => {
      const config = { ...component.config, noSuchSetting: 1 };
      expect(await rejectionOf(async () => driver.parseWiring({ ...component, config }))).toMatchObject({
        code: 'CONFIG_INVALID',
      });
    });

    it('refuses a component with a line too many or too few', async () => {
      const pins = { ...component.pins, no_such_line: 5 };
      expect(await rejectionOf(async () => driver.parseWiring({ ...component, pins }))).toMatchObject({
        code: 'CONFIG_INVALID',
      });
      for (const role of driver.pinRoles) {
        const { [role]: _, ...fewer } = component.pins;
        expect(
          await rejectionOf(async () => driver.parseWiring({ ...component, pins: fewer })),
        ).toMatchObject({ code: 'CONFIG_INVALID' });
      }
    });

    it('needs no guard', async () => {
      expect(driver.safeOutputs(driver.parseWiring(component), createMockHardware())).toEqual([]);
    });

    it('reads values within their ranges, again and again', async () => {
      const { sensor } = setUp(working);
      await sensor.start();
      for (let round = 0; round < 3; round += 1) {
        const values = await sensor.read();
        expect(values.length, 'a working part reports something').toBeGreaterThanOrEqual(1);
        for (const { metric, value } of values) {
          expect(value).toBeGreaterThanOrEqual(driver.metrics[metric]!.min);
          expect(value).toBeLessThanOrEqual(driver.metrics[metric]!.max);
        }
      }
      await sensor.stop();
    });

    it('opens no other line than it says', async () => {
      const { hardware, sensor } = setUp(working);
      const own = driver.pins(driver.parseWiring(component)).map(({ bcm }) => bcm);
      await sensor.start();
      await sensor.read();
      expect(hardware.gpio.openLines().filter((bcm) => !own.includes(bcm))).toEqual([]);
      await sensor.stop();
    });

    it('gives everything back when stopped, also twice, and reads no more', async () => {
      const { hardware, sensor } = setUp(working);
      expect(await rejectionOf(() => sensor.read()), 'not started yet').toMatchObject({
        code: 'NOT_RUNNING',
      });
      await sensor.start();
      await sensor.stop();
      await sensor.stop();
      expect(hardware.gpio.openLines()).toEqual([]);
      expect(await rejectionOf(() => sensor.read()), 'stopped').toMatchObject({ code: 'NOT_RUNNING' });
    });

    if (broken !== undefined)
      it('says why instead of making a value up when the part is broken, and can still be stopped', async () => {
        const { hardware, sensor } = setUp(broken);
        const error = await rejectionOf(async () => {
          await sensor.start();
          await sensor.read();
        });
        expect(error instanceof DriverError, `a DriverError, not ${String(error)}`).toBe(true);
        await sensor.stop();
        expect(hardware.gpio.openLines()).toEqual([]);
      });
  });
}
