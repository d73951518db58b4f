import { DriverError } from '../errors.ts';
import type { GpioChip, OutputLine } from './gpio-line.ts';

/**
 * One output that is on or off and proves it: opened off, every write read back, off again when closed.
 * What LED, pump and relay share.
 */
export class SwitchedOutput {
  readonly #what: string;
  readonly #gpio: GpioChip;
  readonly #pin: { readonly bcm: number; readonly activeLow: boolean };
  #line: OutputLine | undefined;

  constructor(options: { what: string; gpio: GpioChip; bcm: number; activeLow: boolean }) {
    this.#what = options.what;
    this.#gpio = options.gpio;
    this.#pin = { bcm: options.bcm, activeLow: options.activeLow };
  }

  /** @throws {GpioError} PIN_BUSY, GPIO_UNAVAILABLE */
  async open(): Promise<void> {
    this.#line = await this.#gpio.openOutput(this.#pin.bcm, {
      activeLow: this.#pin.activeLow,
      initial: false,
    });
  }

  /** @throws {DriverError} OUTPUT_STUCK when the line does not follow, NOT_RUNNING when it is not open */
  async set(on: boolean): Promise<void> {
    const line = this.#opened();
    await line.write(on);
    if ((await line.read()) !== on)
      throw new DriverError(
        'OUTPUT_STUCK',
        `${this.#what} on BCM ${this.#pin.bcm} was switched ${on ? 'on' : 'off'} but reads ${on ? 'off' : 'on'}; check what else drives the line`,
        { details: { bcm: this.#pin.bcm, on } },
      );
  }

  /** As read back from the line. */
  async isOn(): Promise<boolean> {
    return this.#opened().read();
  }

  /** Off, then closed; also before `open` and again. */
  async close(): Promise<void> {
    const line = this.#line;
    this.#line = undefined;
    await line?.close();
  }

  #opened(): OutputLine {
    if (this.#line === undefined) throw new DriverError('NOT_RUNNING', `${this.#what} is not open`);
    return this.#line;
  }
}
