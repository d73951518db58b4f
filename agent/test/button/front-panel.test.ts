import { createFakeGpio } from '@ares/hardware-drivers/testing';
import { describe, expect, it } from 'vitest';
import { openFrontPanel } from '../../src/button/front-panel.ts';
import { silentLogger } from '../../src/ports/logger.ts';
import { createFakeClock } from '../support/fake-clock.ts';

const settings = { line: 5, activeLow: true, led: 6, ledActiveLow: false };

async function bench(
  options: { level?: '0' | '1'; reset?: () => Promise<void>; settings?: typeof settings } = {},
) {
  const clock = createFakeClock();
  const gpio = createFakeGpio();
  gpio.drive(5, options.level ?? '1');
  const done: string[] = [];
  let open = false;
  const device = {
    openBluetooth: () => {
      done.push('bluetooth');
      open = true;
    },
    bluetoothOpen: () => open,
    reset: async (cause: string) => {
      await options.reset?.();
      done.push(`reset by ${cause}`);
    },
  };
  const panel = await openFrontPanel({
    settings: options.settings ?? settings,
    gpio,
    device,
    clock,
    logger: silentLogger,
  });
  /** Levels of the LED, one each 50 ms. */
  const watchLed = async (durationMs: number) => {
    let seen = '';
    for (let ms = 0; ms < durationMs; ms += 50) {
      await clock.advance(50);
      seen += gpio.level(6);
    }
    return seen;
  };
  const changes = (seen: string) => seen.replaceAll(/(.)\1*/g, '$1').length - 1;
  return {
    clock,
    gpio,
    done,
    panel,
    watchLed,
    changes,
    closeBluetooth: () => {
      open = false;
    },
  };
}

describe('the button and the LED of a board', () => {
  it('open Bluetooth by a short press, flash, and blink slowly while it is open', async () => {
    const { clock, gpio, done, watchLed, changes, closeBluetooth } = await bench();
    gpio.drive(5, '0');
    await clock.advance(100);
    gpio.drive(5, '1');
    await clock.advance(40);
    expect(done).toEqual(['bluetooth']);
    expect(await watchLed(250)).toBe('11111');
    await clock.advance(2_000);
    expect([7, 8]).toContain(changes(await watchLed(8_000)));
    closeBluetooth();
    await clock.advance(1_500);
    expect(await watchLed(2_000)).not.toContain('1');
  });

  it('reset after ten seconds: the LED blinks fast while the hold counts, then stays lit', async () => {
    const { clock, gpio, done, watchLed, changes } = await bench();
    gpio.drive(5, '0');
    await clock.advance(2_100);
    expect(changes(await watchLed(3_000))).toBeGreaterThan(15);
    expect(done).toEqual([]);
    await clock.advance(5_000);
    expect(done).toEqual(['reset by button']);
    expect(await watchLed(2_500)).not.toContain('0');
    await clock.advance(2_000);
    expect(await watchLed(1_000)).not.toContain('1');
  });

  it('do not say that a reset was accepted which was refused', async () => {
    const { clock, gpio, watchLed } = await bench({
      reset: () => Promise.reject(new Error('one runs already')),
    });
    gpio.drive(5, '0');
    await clock.advance(10_500);
    expect(await watchLed(2_000)).not.toContain('1');
  });

  it('do nothing for a button that is pressed as the agent starts', async () => {
    const { clock, done, watchLed } = await bench({ level: '0' });
    await clock.advance(60_000);
    expect(done).toEqual([]);
    expect(await watchLed(1_000)).not.toContain('1');
  });

  it('give their lines back, the LED dark', async () => {
    const { clock, gpio, panel } = await bench();
    gpio.drive(5, '0');
    await clock.advance(100);
    gpio.drive(5, '1');
    await clock.advance(40);
    await panel.close();
    expect(gpio.openLines()).toEqual([]);
    expect(gpio.level(6)).toBe('0');
    expect(clock.timers).toBe(0);
  });

  it('work without an LED, and with one that cannot be had', async () => {
    for (const led of [undefined, 40]) {
      const { clock, gpio, done } = await bench({ settings: { ...settings, led: led as number } });
      gpio.drive(5, '0');
      await clock.advance(100);
      gpio.drive(5, '1');
      await clock.advance(40);
      expect(done).toEqual(['bluetooth']);
    }
  });
});
