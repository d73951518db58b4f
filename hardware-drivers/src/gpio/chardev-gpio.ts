import { copyFile, mkdir, rename } from 'node:fs/promises';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { openMonitoredInput } from './chardev-input.ts';
import { openHeldOutput, releaseLine } from './chardev-output.ts';
import { assertHeaderBcm, type GpioChip, GpioError, levelOf } from './gpio-line.ts';
import { findGpiodTools } from './gpiod-tools.ts';

/**
 * The header's lines through the character device, by the programs of libgpiod (1.x and 2.x). The chip is found by
 * its label; line numbers on it are BCM numbers.
 *
 * The kernel takes a line back when the process that asked for it ends. So each output has a holder of its own
 * (`line-holder.sh`), which outlives this process; `guardPath` is a FIFO that it reads levels from. An input has a
 * `gpiomon`, which ends with this process.
 *
 * @param options.runtimeDir folder for the holders, of this user alone and empty after a restart of the board
 * @param options.holderScript default: beside this file
 * @param options.toolFolder where libgpiod's programs are; default: wherever PATH says
 * @throws {GpioError} GPIO_UNAVAILABLE (no tools), CHIP_NOT_FOUND
 */
export async function openChardevGpio(options: {
  readonly runtimeDir: string;
  readonly holderScript?: string;
  readonly toolFolder?: string;
}): Promise<GpioChip> {
  const tools = await findGpiodTools(options.toolFolder);
  const source = options.holderScript ?? fileURLToPath(new URL('./line-holder.sh', import.meta.url));
  const script = join(options.runtimeDir, 'line-holder.sh');
  // A copy beside the holders: a guard finds it there, also while the package is being replaced. In place of the former
  // one, not over it: a shell reads on in the file that it runs.
  await mkdir(options.runtimeDir, { recursive: true, mode: 0o700 });
  await copyFile(source, `${script}.new`);
  await rename(`${script}.new`, script);
  const open = new Set<number>();
  const folder = (bcm: number) => join(options.runtimeDir, `gpio${bcm}`);

  const claim = async <T>(bcm: number, task: () => Promise<T>): Promise<T> => {
    assertHeaderBcm(bcm);
    if (open.has(bcm))
      throw new GpioError('PIN_BUSY', `BCM ${bcm} is open already; close the other user first`, { bcm });
    open.add(bcm);
    try {
      return await task();
    } catch (error) {
      open.delete(bcm);
      throw error;
    }
  };
  const line = (bcm: number) => ({ tools, folder: folder(bcm), script, bcm });

  return {
    openOutput: (bcm, { activeLow = false, initial = false } = {}) =>
      claim(bcm, () => openHeldOutput(line(bcm), { activeLow, initial }, () => open.delete(bcm))),
    openInput: (bcm, { activeLow = false } = {}) =>
      claim(bcm, async () => {
        // An output of before has a holder that still drives it.
        await releaseLine(line(bcm));
        return await openMonitoredInput(tools, bcm, activeLow, () => open.delete(bcm));
      }),
    safeOutput: (bcm, { activeLow = false, on = false } = {}) => {
      assertHeaderBcm(bcm);
      return { bcm, path: join(folder(bcm), 'value'), safeValue: levelOf(on, activeLow) };
    },
  };
}
