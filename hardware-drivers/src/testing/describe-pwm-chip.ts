import type { PwmChip } from '../hardware.ts';
import { rejectionOf, type TestApi } from './test-api.ts';

/** A chip under test with generators on BCM 18 and 13, none on 17, and its files seen from outside. */
export interface PwmBench extends AsyncDisposable {
  readonly chip: PwmChip;
  /** Share of the period that a line is high, as the outside sees it; 0 when it is switched off. */
  share(bcm: number): Promise<number>;
  /** Length of a period. */
  periodNs(bcm: number): Promise<number>;
  /** The chip as the next process sees it, after this one was killed. Left out where nothing outlives the process. */
  nextLife?(): PwmChip;
  /** Does what a guard does: writes text to a path. */
  writeGuard(path: string, text: string): Promise<void>;
}

/** What every PWM adapter must do. */
export function describePwmChip(api: TestApi, name: string, openBench: () => Promise<PwmBench>): void {
  const { describe, it, expect } = api;
  const test = (title: string, body: (bench: PwmBench) => Promise<void>) =>
    it(title, async () => {
      await using bench = await openBench();
      await body(bench);
    });
  const rate = { frequencyHz: 1_000 };

  describe(`PWM chip ${name}`, () => {
    test('opens a line off, with the period asked for', async ({ chip, share, periodNs }) => {
      const line = await chip.open(18, rate);
      expect(await share(18)).toBe(0);
      expect(await line.share()).toBe(0);
      await line.setShare(1);
      expect(await periodNs(18)).toBe(1_000_000);
    });

    test('opens a line off that a process left on when it was killed', async ({ chip, share, nextLife }) => {
      if (nextLife === undefined) return;
      const line = await chip.open(18, rate);
      await line.setShare(0.9);
      const again = await nextLife().open(18, { frequencyHz: 10_000 });
      expect(await share(18)).toBe(0);
      expect(await again.share()).toBe(0);
    });

    test('sets shares, seen from outside and read back', async ({ chip, share }) => {
      const line = await chip.open(18, rate);
      for (const wanted of [0.25, 1, 0.01, 0, 0.5]) {
        await line.setShare(wanted);
        expect(await share(18)).toBe(wanted);
        expect(await line.share()).toBe(wanted);
      }
    });

    test('is off once closed, also twice, obeys no more and may be opened again at another rate', async ({
      chip,
      share,
    }) => {
      const line = await chip.open(18, rate);
      await line.setShare(0.9);
      await line.close();
      await line.close();
      expect(await share(18)).toBe(0);
      expect(await rejectionOf(() => line.setShare(1))).toMatchObject({ code: 'LINE_CLOSED' });
      expect(await rejectionOf(() => line.share())).toMatchObject({ code: 'LINE_CLOSED' });
      const again = await chip.open(18, { frequencyHz: 10_000 });
      expect(await share(18)).toBe(0);
      await again.setShare(0.5);
      expect(await share(18)).toBe(0.5);
    });

    test('is ended by what it tells a guard, which the line then reads back', async ({
      chip,
      share,
      writeGuard,
    }) => {
      const before = chip.safeOutput(18);
      const line = await chip.open(18, rate);
      await line.setShare(0.5);
      expect(chip.safeOutput(18)).toEqual(before);
      expect(before.bcm).toBe(18);
      await writeGuard(before.path, `${before.safeValue}\n`);
      expect(await share(18)).toBe(0);
      expect(await line.share()).toBe(0);
      await line.setShare(0.5);
      expect(await share(18)).toBe(0.5);
    });

    test('refuses a second user of a line, and a line without a generator', async ({ chip }) => {
      await chip.open(18, rate);
      await chip.open(13, rate);
      expect(await rejectionOf(() => chip.open(18, rate))).toMatchObject({ code: 'PIN_BUSY', bcm: 18 });
      expect(await rejectionOf(() => chip.open(17, rate))).toMatchObject({ code: 'HARDWARE_MISSING' });
      expect(await rejectionOf(async () => chip.safeOutput(17))).toMatchObject({ code: 'HARDWARE_MISSING' });
    });
  });
}
