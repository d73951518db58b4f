import type { ActuatorDefinition, ActuatorInstance } from '../driver.ts';
import { createMockHardware, type MockHardware, silentLogger } from './mock-hardware.ts';
import { rejectionOf, type TestApi } from './test-api.ts';
import { createTestClock, type TestClock } from './test-clock.ts';

export interface ActuatorSuite {
  readonly driver: ActuatorDefinition;
  /** A component that works, as the cloud would describe it. */
  readonly component: {
    readonly pins: Readonly<Record<string, number>>;
    readonly config: Readonly<Record<string, unknown>>;
  };
  /** An order that switches an output on, for a time within the limits. */
  readonly on: {
    readonly action: string;
    readonly args: { readonly durationMs: number } & Readonly<Record<string, unknown>>;
  };
}

/** What every actuator driver must do. Runs on mock hardware; the safe level is judged at the wire. */
export function describeActuatorDriver(api: TestApi, { driver, component, on }: ActuatorSuite): void {
  const { describe, it, expect } = api;
  const wiring = () => driver.parseWiring(component);
  const setUp = async (): Promise<{
    hardware: MockHardware;
    clock: TestClock;
    actuator: ActuatorInstance;
  }> => {
    const hardware = createMockHardware();
    const clock = createTestClock();
    const actuator = driver.create({ ...wiring(), hardware, clock, logger: silentLogger });
    return { hardware, clock, actuator };
  };
  const started = async () => {
    const parts = await setUp();
    await parts.actuator.start();
    await parts.clock.advance(driver.limits(wiring()).minimumOffMs);
    return parts;
  };
  /** Lines that are not at the level that the guard would write. */
  const unsafeLines = (hardware: MockHardware): number[] =>
    driver
      .safeOutputs(wiring(), hardware)
      .filter(({ path, safeValue }) => hardware.guarded(path).level() !== safeValue)
      .map(({ bcm }) => bcm);

  describe(`actuator driver ${driver.type}`, () => {
    it('tells a guard how each of its outputs is made safe', async () => {
      const outputs = driver.pins(wiring()).filter((pin) => pin.function === 'output');
      const safe = driver.safeOutputs(wiring(), createMockHardware());
      expect(safe.map(({ bcm }) => bcm)).toEqual(outputs.map(({ bcm }) => bcm));
    });

    it('starts in its safe state, even if the line was on before', async () => {
      const { hardware, actuator } = await setUp();
      for (const { path, safeValue } of driver.safeOutputs(wiring(), hardware))
        hardware.guarded(path).drive(safeValue === '0' ? '1' : '0');
      await actuator.start();
      expect(unsafeLines(hardware)).toEqual([]);
      await actuator.stop();
    });

    it('switches an output on, shows it in its state, and off again by off and by stop', async () => {
      for (const off of ['off', 'stop']) {
        const { hardware, actuator } = await started();
        const before = await actuator.read();
        await actuator.run(on.action, on.args);
        expect(unsafeLines(hardware).length, 'outputs on').toBeGreaterThanOrEqual(1);
        expect(JSON.stringify(await actuator.read()) !== JSON.stringify(before), 'state changed').toBe(true);
        await actuator.run(off, {});
        expect(unsafeLines(hardware)).toEqual([]);
        await actuator.stop();
      }
    });

    it('obeys off whatever arguments come with it, and when it is off already', async () => {
      const { hardware, actuator } = await started();
      for (const args of [undefined, null, 'x', { durationMs: -1 }]) await actuator.run('off', args);
      expect(unsafeLines(hardware)).toEqual([]);
    });

    it('is safe once stopped or disposed of while on, also twice, and obeys no more', async () => {
      for (const end of ['stop', Symbol.asyncDispose] as const) {
        const { hardware, actuator } = await started();
        await actuator.run(on.action, on.args);
        await actuator[end]();
        await actuator[end]();
        expect(unsafeLines(hardware)).toEqual([]);
        expect([...hardware.gpio.openLines(), ...hardware.pwm.openLines()]).toEqual([]);
        expect(await rejectionOf(() => actuator.run(on.action, on.args))).toMatchObject({
          code: 'NOT_RUNNING',
        });
      }
    });

    it('refuses a duration that is missing, no number, not positive or too long, and stays off', async () => {
      const { hardware, actuator } = await started();
      const { longestRunMs } = driver.limits(wiring());
      for (const durationMs of [
        0,
        -1,
        0.5,
        1e9,
        Number.NaN,
        Number.POSITIVE_INFINITY,
        longestRunMs + 1,
        '1000',
        null,
        {},
      ]) {
        const error = await rejectionOf(() => actuator.run(on.action, { ...on.args, durationMs }));
        expect(
          ['ARGS_INVALID', 'RUN_TOO_LONG'].includes((error as { code?: string }).code ?? ''),
          String(error),
        ).toBe(true);
      }
      expect(unsafeLines(hardware)).toEqual([]);
    });

    it('refuses an action or argument that it does not know', async () => {
      const { hardware, actuator } = await started();
      expect(await rejectionOf(() => actuator.run('no-such-action', {}))).toMatchObject({
        code: 'ACTION_UNKNOWN',
      });
      expect(await rejectionOf(() => actuator.run('constructor', {}))).toMatchObject({
        code: 'ACTION_UNKNOWN',
      });
      expect(
        await rejectionOf(() => actuator.run(on.action, { ...on.args, noSuchArgument: 1 })),
      ).toMatchObject({ code: 'ARGS_INVALID' });
      expect(unsafeLines(hardware)).toEqual([]);
    });

    it('reports an output that does not follow', async () => {
      const { hardware, actuator } = await started();
      for (const { path } of driver.safeOutputs(wiring(), hardware)) hardware.guarded(path).stick();
      expect(await rejectionOf(() => actuator.run(on.action, on.args))).toMatchObject({
        code: 'OUTPUT_STUCK',
      });
    });

    it('opens no other line than it says', async () => {
      const { hardware, actuator } = await started();
      await actuator.run(on.action, on.args);
      const own = driver.pins(wiring()).map(({ bcm }) => bcm);
      const open = [...hardware.gpio.openLines(), ...hardware.pwm.openLines()];
      expect(open.filter((bcm) => !own.includes(bcm))).toEqual([]);
      await actuator.stop();
    });
  });
}
