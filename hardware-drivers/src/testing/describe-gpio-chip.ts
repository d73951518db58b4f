import type { GpioChip, LineLevel } from '../gpio/gpio-line.ts';
import { rejectionOf, type TestApi } from './test-api.ts';

/** A chip under test and the far end of its wires. */
export interface GpioBench extends AsyncDisposable {
  readonly chip: GpioChip;
  /** Physical level of a line, seen from outside of the adapter. */
  level(bcm: number): Promise<LineLevel>;
  /** Drives a line from outside. */
  drive(bcm: number, level: LineLevel): Promise<void>;
  /** Does what a guard does: writes text to a path. Left out where paths are not files. */
  writeGuard?(path: string, text: string): Promise<void>;
}

/** What every GPIO adapter must do. */
export function describeGpioChip(api: TestApi, name: string, openBench: () => Promise<GpioBench>): void {
  const { describe, it, expect } = api;
  const test = (title: string, body: (bench: GpioBench) => Promise<void>) =>
    it(title, async () => {
      await using bench = await openBench();
      await body(bench);
    });

  describe(`GPIO chip ${name}`, () => {
    test('opens an output off, and at its initial state when asked', async ({ chip, level }) => {
      await chip.openOutput(17);
      expect(await level(17)).toBe('0');
      await chip.openOutput(27, { initial: true });
      expect(await level(27)).toBe('1');
      await chip.openOutput(22, { activeLow: true });
      expect(await level(22)).toBe('1');
    });

    test('takes over a line that is on and switches it off as it opens', async ({ chip, level, drive }) => {
      await drive(17, '1');
      const line = await chip.openOutput(17);
      expect(await level(17)).toBe('0');
      expect(await line.read()).toBe(false);
    });

    test('writes levels, inverted for an active-low part', async ({ chip, level }) => {
      const high = await chip.openOutput(17);
      const low = await chip.openOutput(22, { activeLow: true });
      for (const on of [true, false, true]) {
        await high.write(on);
        await low.write(on);
        expect(await level(17)).toBe(on ? '1' : '0');
        expect(await level(22)).toBe(on ? '0' : '1');
        expect(await high.read()).toBe(on);
        expect(await low.read()).toBe(on);
      }
    });

    test('reads an output back from the line, not from memory', async ({ chip, drive }) => {
      const line = await chip.openOutput(17);
      await line.write(true);
      await drive(17, '0');
      expect(await line.read()).toBe(false);
    });

    test('leaves a closed output off, and lets it be opened again', async ({ chip, level }) => {
      for (const activeLow of [false, true]) {
        const line = await chip.openOutput(17, { activeLow });
        await line.write(true);
        await line.close();
        await line.close();
        expect(await level(17)).toBe(activeLow ? '1' : '0');
        expect(await rejectionOf(() => line.write(true))).toMatchObject({ code: 'LINE_CLOSED' });
        expect(await rejectionOf(() => line.read())).toMatchObject({ code: 'LINE_CLOSED' });
      }
    });

    test('refuses a second user of a line, and numbers that are no line', async ({ chip }) => {
      await chip.openOutput(17);
      expect(await rejectionOf(() => chip.openOutput(17))).toMatchObject({ code: 'PIN_BUSY', bcm: 17 });
      expect(await rejectionOf(() => chip.openInput(17))).toMatchObject({ code: 'PIN_BUSY' });
      for (const bcm of [-1, 0, 1, 28, 529, 1.5, Number.NaN]) {
        expect(await rejectionOf(() => chip.openOutput(bcm))).toMatchObject({ code: 'PIN_INVALID' });
        expect(await rejectionOf(async () => chip.safeOutput(bcm))).toMatchObject({ code: 'PIN_INVALID' });
      }
    });

    test('tells a guard the path and the level that switch the part off, open or not', async ({
      chip,
      level,
      writeGuard,
    }) => {
      for (const activeLow of [false, true]) {
        const bcm = activeLow ? 22 : 17;
        const before = chip.safeOutput(bcm, { activeLow });
        const line = await chip.openOutput(bcm, { activeLow });
        expect(before).toEqual({ bcm, path: line.guardPath, safeValue: line.guardSafeValue });
        expect(before.safeValue).toBe(activeLow ? '1' : '0');
        if (writeGuard === undefined) continue;
        await line.write(true);
        await writeGuard(before.path, `${before.safeValue}\n`);
        expect(await level(bcm)).toBe(before.safeValue);
        expect(await line.read()).toBe(false);
      }
    });

    test('reads an input and reports its changes until told to stop', async ({ chip, drive }) => {
      await drive(5, '0');
      const line = await chip.openInput(5, { activeLow: true });
      expect(await line.read()).toBe(true);
      const seen = await new Promise<boolean>((resolve, reject) => {
        const end = line.watch((on) => {
          end();
          resolve(on);
        });
        drive(5, '1').catch(reject);
      });
      expect(seen).toBe(false);
      await line.close();
      await line.close();
      expect(await rejectionOf(() => line.read())).toMatchObject({ code: 'LINE_CLOSED' });
    });
  });
}
