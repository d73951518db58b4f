import { openChardevGpio } from './chardev-gpio.ts';
import { type GpioChip, GpioError } from './gpio-line.ts';
import { openOnoffGpio } from './onoff-gpio.ts';

/** What drives the lines of a real board. `auto`: the character device where it can be used, else sysfs. */
export type GpioChoice = 'auto' | 'chardev' | 'sysfs';

/**
 * The header's lines by the adapter that was chosen.
 *
 * @param options.runtimeDir see {@link openChardevGpio}
 * @param options.adapters for tests
 * @throws {GpioError} GPIO_UNAVAILABLE, CHIP_NOT_FOUND; of `auto` with the reasons of both
 */
export async function openBoardGpio(options: {
  readonly choice: GpioChoice;
  readonly runtimeDir: string;
  readonly holderScript?: string;
  readonly adapters?: { readonly chardev: () => Promise<GpioChip>; readonly sysfs: () => Promise<GpioChip> };
}): Promise<GpioChip> {
  const { chardev, sysfs } = options.adapters ?? {
    chardev: () => openChardevGpio(options),
    sysfs: () => openOnoffGpio(),
  };
  const byChardev = async () => Object.assign(await chardev(), { name: 'the character device' });
  const bySysfs = async () => Object.assign(await sysfs(), { name: 'sysfs' });
  if (options.choice === 'chardev') return await byChardev();
  if (options.choice === 'sysfs') return await bySysfs();
  try {
    return await byChardev();
  } catch (first) {
    if (!isAbsent(first)) throw first;
    try {
      return await bySysfs();
    } catch (second) {
      if (!isAbsent(second)) throw second;
      throw new GpioError(
        first.code,
        `no GPIO lines on this board. Character device: ${first.message}. sysfs: ${second.message}`,
        { cause: first },
      );
    }
  }
}

/** Not there, as opposed to there and failing. */
function isAbsent(error: unknown): error is GpioError {
  return error instanceof GpioError && (error.code === 'GPIO_UNAVAILABLE' || error.code === 'CHIP_NOT_FOUND');
}
