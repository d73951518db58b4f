import { describeLine, headerLine } from '@ares/protocol';

/** Why a line could not be opened or used. */
export type GpioErrorCode =
  | 'GPIO_UNAVAILABLE'
  | 'CHIP_NOT_FOUND'
  | 'PIN_INVALID'
  | 'PIN_BUSY'
  | 'LINE_CLOSED'
  | 'IO_FAILED';

/** A failure of the GPIO chip or one line; the message says what to do. */
export class GpioError extends Error {
  override readonly name = 'GpioError';
  readonly code: GpioErrorCode;
  /** BCM number of the line, null when the whole chip is meant. */
  readonly bcm: number | null;

  constructor(code: GpioErrorCode, message: string, options: { bcm?: number; cause?: unknown } = {}) {
    super(message, 'cause' in options ? { cause: options.cause } : undefined);
    this.code = code;
    this.bcm = options.bcm ?? null;
  }
}

/** Physical level of a line as a file of sysfs spells it. */
export type LineLevel = '0' | '1';

/**
 * What makes one output safe, as data, so that a guard outside of this process can do it
 * with nothing but a shell: write `safeValue` to `path`. The level is physical: `activeLow` is already applied.
 * Where `path` is a FIFO, `sh <folder>/../line-holder.sh <folder> <level>` with its folder writes it too, waits until the
 * line has the level, and replaces a reader that is gone.
 */
export interface SafeOutput {
  readonly bcm: number;
  readonly path: string;
  readonly safeValue: LineLevel;
}

export interface OutputOptions {
  /** The part is on at the low level (most relay boards). Default false. */
  readonly activeLow?: boolean;
  /** Logical state that the line takes as it becomes an output, without a glitch. Default false (off). */
  readonly initial?: boolean;
}

export interface InputOptions {
  /** True is read at the low level. Default false. */
  readonly activeLow?: boolean;
}

/** One line driven by this process. All states are logical; the adapter turns them into levels. */
export interface OutputLine extends AsyncDisposable {
  readonly bcm: number;
  /** File that a guard writes, and the level that means logically off. */
  readonly guardPath: string;
  readonly guardSafeValue: LineLevel;
  /** @throws {GpioError} LINE_CLOSED, IO_FAILED */
  write(on: boolean): Promise<void>;
  /** The state read back from the line, not the last one written. @throws {GpioError} LINE_CLOSED, IO_FAILED */
  read(): Promise<boolean>;
  /** Leaves the line as an output at the off level: a released line may float. Safe to call again. */
  close(): Promise<void>;
}

/** One line read by this process. */
export interface InputLine extends AsyncDisposable {
  readonly bcm: number;
  /** @throws {GpioError} LINE_CLOSED, IO_FAILED */
  read(): Promise<boolean>;
  /** Calls back on each change until the returned function is called or the line is closed. */
  watch(onChange: (on: boolean) => void): () => void;
  close(): Promise<void>;
}

/** The GPIO controller behind the 40-pin header. Lines are named by BCM number (2–27), nothing else. */
export interface GpioChip {
  /** What drives the lines, or why nothing does; for people. */
  readonly name?: string;
  /** @throws {GpioError} PIN_INVALID, PIN_BUSY (open already), GPIO_UNAVAILABLE, IO_FAILED */
  openOutput(bcm: number, options?: OutputOptions): Promise<OutputLine>;
  /** @throws {GpioError} PIN_INVALID, PIN_BUSY, GPIO_UNAVAILABLE, IO_FAILED */
  openInput(bcm: number, options?: InputOptions): Promise<InputLine>;
  /** What a guard writes to bring the line to `on` (default off); needs no open line. @throws {GpioError} PIN_INVALID */
  safeOutput(bcm: number, options?: { activeLow?: boolean; on?: boolean }): SafeOutput;
}

/** Controllers that drive the 40-pin header, by label: Pi 5, Pi 4, Pi 3 and older. Their numbers change with the kernel. */
export const headerLabels: readonly string[] = ['pinctrl-rp1', 'pinctrl-bcm2711', 'pinctrl-bcm2835'];

/** @throws {GpioError} PIN_INVALID unless the number is a line of the 40-pin header that a part may use */
export function assertHeaderBcm(bcm: number): void {
  const line = headerLine(bcm);
  if (line === undefined)
    throw new GpioError(
      'PIN_INVALID',
      `${bcm} is not a BCM line of the 40-pin header; use a number from 2 to 27 (BCM numbering, not the position on the header)`,
    );
  if (line.reserved !== undefined)
    throw new GpioError('PIN_INVALID', `${describeLine(bcm)} is reserved: ${line.reserved}`, { bcm });
}

/** The physical level of a logical state. */
export function levelOf(on: boolean, activeLow: boolean): LineLevel {
  return on !== activeLow ? '1' : '0';
}
