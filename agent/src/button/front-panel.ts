import type { GpioChip, OutputLine } from '@ares/hardware-drivers';
import type { ButtonSettings } from '../config.ts';
import type { Clock } from '../ports/clock.ts';
import type { Logger } from '../ports/logger.ts';
import { type ButtonEvent, createButton } from './button.ts';
import { createLed } from './led.ts';

/** What a press does. */
interface PressedDevice {
  openBluetooth(): void;
  bluetoothOpen(): boolean;
  reset(cause: 'button'): Promise<void>;
}

const SHORT_FLASH_MS = 300;
const RESET_FLASH_MS = 3_000;

/**
 * The button of the board and its LED. A short press opens Bluetooth for fifteen minutes, ten seconds reset the
 * device. The LED is lit for a moment when a press was understood, for three seconds when a reset has begun; it blinks
 * fast while a hold counts and slowly while Bluetooth is open.
 *
 * @throws {GpioError} when the line of the button cannot be had; without its LED the button works
 */
export async function openFrontPanel(ports: {
  readonly settings: ButtonSettings;
  readonly gpio: GpioChip;
  readonly device: PressedDevice;
  readonly clock: Clock;
  readonly logger: Logger;
}): Promise<{ close(): Promise<void> }> {
  const { settings, gpio, device, clock, logger } = ports;
  const input = await gpio.openInput(settings.line, { activeLow: settings.activeLow });
  const output = await openLed(ports);
  let holding = false;
  const led =
    output === undefined
      ? undefined
      : createLed({
          clock,
          says: () => ({ holding, bluetoothOpen: device.bluetoothOpen() }),
          write: (on) => output.write(on),
        });
  const obey = async (event: ButtonEvent) => {
    holding = event === 'hold-begun';
    if (event === 'short') {
      device.openBluetooth();
      led?.accept(SHORT_FLASH_MS);
    } else if (event === 'held') {
      await device.reset('button');
      led?.accept(RESET_FLASH_MS);
    } else led?.refresh();
  };
  const pressed = await input.read();
  if (pressed)
    logger.warn('the button reads pressed at the start; it counts once it was released', {
      line: settings.line,
    });
  const button = createButton({
    clock,
    pressed,
    onEvent: (event) => {
      logger.info('button', { event });
      obey(event).catch((cause: unknown) => logger.warn('the button is not obeyed', { event, cause }));
    },
  });
  const unwatch = input.watch((now) => button.contact(now));
  return {
    close: async () => {
      unwatch();
      button.close();
      led?.close();
      await input.close();
      await output?.close();
    },
  };
}

async function openLed({
  settings: { led, ledActiveLow },
  gpio,
  logger,
}: Parameters<typeof openFrontPanel>[0]): Promise<OutputLine | undefined> {
  if (led === undefined) return undefined;
  try {
    return await gpio.openOutput(led, { activeLow: ledActiveLow });
  } catch (cause) {
    logger.warn('the LED of the button cannot be used', { line: led, cause });
    return undefined;
  }
}
