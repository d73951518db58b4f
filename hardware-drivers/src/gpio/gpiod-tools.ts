import { execFile } from 'node:child_process';
import { join } from 'node:path';
import { GpioError, headerLabels } from './gpio-line.ts';

/** libgpiod's programs, as they are installed here. */
export interface GpiodTools {
  /** Major version: 1 (Debian 12) and 2 (Debian 13) take other arguments. */
  readonly api: 1 | 2;
  /** The header's chip, e.g. `gpiochip0`. */
  readonly chip: string;
  /** Program and arguments that print the level of a line, 0 or 1. */
  get(offset: number): readonly string[];
  /** Program and arguments that print a line for each change until they are ended; `1` is a rising edge. */
  monitor(offset: number): readonly string[];
  /** The program that holds a line. */
  readonly gpioset: string;
  /** Who uses the line, as the kernel knows it; undefined when nobody does. */
  consumer(offset: number): Promise<string | undefined>;
}

/**
 * Finds the tools, their version and the header's chip.
 * @param folder where the programs are; default: wherever PATH says
 * @throws {GpioError} GPIO_UNAVAILABLE (no tools, or they may not look), CHIP_NOT_FOUND
 */
export async function findGpiodTools(folder = ''): Promise<GpiodTools> {
  const tool = (name: string) => join(folder, name);
  const version = await runTool([tool('gpiodetect'), '--version']).catch((cause: unknown) => {
    throw new GpioError(
      'GPIO_UNAVAILABLE',
      'the programs of libgpiod are not installed; install the package gpiod',
      { cause },
    );
  });
  const api = /v?(\d+)\.\d+/.exec(version)?.[1] === '1' ? 1 : 2;
  const listed = await runTool([tool('gpiodetect')]).catch((cause: unknown) => {
    throw new GpioError(
      'GPIO_UNAVAILABLE',
      `gpiodetect cannot look at /dev/gpiochip*: ${reason(cause)}; is this user in the group gpio?`,
      { cause },
    );
  });
  const chip = chipOf(listed);
  return {
    api,
    chip,
    get: (offset) =>
      api === 1
        ? [tool('gpioget'), chip, `${offset}`]
        : [tool('gpioget'), '--numeric', '--chip', chip, `${offset}`],
    monitor: (offset) =>
      api === 1
        ? [tool('gpiomon'), '--line-buffered', '--format=%e', chip, `${offset}`]
        : [tool('gpiomon'), '--format', '%e', '--chip', chip, '--edges=both', `${offset}`],
    gpioset: tool('gpioset'),
    consumer: async (offset) => {
      const info = api === 1 ? [tool('gpioinfo'), chip] : [tool('gpioinfo'), '--chip', chip, `${offset}`];
      return consumerOf(await runTool(info).catch(() => ''), offset, api);
    },
  };
}

/** `gpiochip0 [pinctrl-bcm2711] (58 lines)`, alike in both versions. @throws {GpioError} CHIP_NOT_FOUND naming what is there */
function chipOf(listed: string): string {
  const chips = [...listed.matchAll(/^(\S+) \[([^\]]*)\]/gm)].map(([, name, label]) => ({ name, label }));
  for (const wanted of headerLabels) {
    const chip = chips.find(({ label }) => label === wanted);
    if (chip?.name !== undefined) return chip.name;
  }
  const seen = chips.map(({ label }) => label).join(', ') || 'none that this user may open';
  throw new GpioError(
    'CHIP_NOT_FOUND',
    `no GPIO chip of a Raspberry Pi header (${headerLabels.join(', ')}); found: ${seen}`,
  );
}

/** Version 1: `line  17: "GPIO17" "gpioset" output active-high [used]`; version 2: `… output consumer="ares-agent"`. */
function consumerOf(info: string, offset: number, api: 1 | 2): string | undefined {
  if (api === 2) return /consumer="?([^"\s]+)/.exec(info)?.[1];
  const line = new RegExp(`^\\s*line\\s+${offset}:\\s+(.*)$`, 'm').exec(info)?.[1] ?? '';
  return /^(?:"[^"]*"|unnamed)\s+"?([^"\s]+)"?\s.*\[used/.exec(line)?.[1];
}

/** What it printed. @throws {Error} with what it complained about */
export async function runTool(command: readonly string[], timeoutMs = 2_000): Promise<string> {
  const [program = '', ...args] = command;
  return await new Promise((resolve, reject) => {
    execFile(program, args, { timeout: timeoutMs }, (error, stdout, stderr) => {
      if (error === null) resolve(stdout);
      else reject(stderr.trim() === '' ? error : new Error(stderr.trim(), { cause: error }));
    });
  });
}

/** Why a line could not be had, from what a tool said. */
export async function refusal(tools: GpiodTools, bcm: number, cause: unknown): Promise<GpioError> {
  const said = reason(cause);
  if (!/busy/i.test(said))
    return new GpioError('IO_FAILED', `BCM ${bcm} cannot be had: ${said}`, { bcm, cause });
  const consumer = await tools.consumer(bcm);
  const remedy =
    consumer === 'sysfs'
      ? 'it is exported in /sys/class/gpio; write its number there to "unexport", or restart the board'
      : 'end that program, or take the line out of config.txt if the kernel uses it';
  return new GpioError('PIN_BUSY', `BCM ${bcm} is used by ${consumer ?? 'another program'}: ${remedy}`, {
    bcm,
    cause,
  });
}

function reason(cause: unknown): string {
  return cause instanceof Error ? cause.message : String(cause);
}
