import { DriverError } from '../errors.ts';
import type { OutputLine } from './gpio-line.ts';

/** What is switched: a line, or a pulse generator that is only told on and off. */
export type Switch = Pick<OutputLine, 'write' | 'read' | 'close'>;

/**
 * One output that is on or off and proves it: opened off, every write read back, off again when closed.
 * What LED, pump and relay share.
 */
export class SwitchedOutput {
  readonly #what: string;
  readonly #bcm: number;
  readonly #open: () => Promise<Switch>;
  #switch: Switch | undefined;

  /** @param options.open opens the line at its off level */
  constructor(options: { what: string; bcm: number; open: () => Promise<Switch> }) {
    this.#what = options.what;
    this.#bcm = options.bcm;
    this.#open = options.open;
  }

  /** @throws {GpioError} PIN_BUSY, GPIO_UNAVAILABLE */
  async open(): Promise<void> {
    this.#switch = await this.#open();
  }

  /** @throws {DriverError} OUTPUT_STUCK when the line does not follow, NOT_RUNNING when it is not open */
  async set(on: boolean): Promise<void> {
    const opened = this.#opened();
    await opened.write(on);
    if ((await opened.read()) !== on)
      throw new DriverError(
        'OUTPUT_STUCK',
        `${this.#what} on BCM ${this.#bcm} was switched ${on ? 'on' : 'off'} but reads ${on ? 'off' : 'on'}; check what else drives the line`,
        { details: { bcm: this.#bcm, on } },
      );
  }

  /** As read back from the line. */
  async isOn(): Promise<boolean> {
    return this.#opened().read();
  }

  /** Off, then closed; also before `open` and again. */
  async close(): Promise<void> {
    const opened = this.#switch;
    this.#switch = undefined;
    await opened?.close();
  }

  #opened(): Switch {
    if (this.#switch === undefined) throw new DriverError('NOT_RUNNING', `${this.#what} is not open`);
    return this.#switch;
  }
}
