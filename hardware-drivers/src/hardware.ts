import type { GpioChip, SafeOutput } from './gpio/gpio-line.ts';

/** Time as a driver sees it. Monotonic only: a driver never needs the date and must not trust it. */
export interface DriverClock {
  /** Milliseconds since some fixed moment; never goes back. */
  monotonicMs(): number;
  /** Resolves after `durationMs`; rejects with the signal's reason as soon as it is aborted. */
  delay(durationMs: number, signal?: AbortSignal): Promise<void>;
}

/** Where a driver writes what it has to say. Fields are structured; nothing secret reaches a driver. */
export interface DriverLogger {
  debug(message: string, fields?: Readonly<Record<string, unknown>>): void;
  info(message: string, fields?: Readonly<Record<string, unknown>>): void;
  warn(message: string, fields?: Readonly<Record<string, unknown>>): void;
  error(message: string, fields?: Readonly<Record<string, unknown>>): void;
}

/**
 * One answer of a DHT22: the raw 40-bit frame where the adapter sees the bits (simulation, own timing),
 * or the values where kernel or library decoded and checked them already.
 */
export type Dht22Answer =
  | { readonly kind: 'frame'; readonly bytes: Uint8Array }
  | { readonly kind: 'values'; readonly temperatureCelsius: number; readonly humidityPercent: number };

/** The one-wire-like bus of a DHT22, one sensor a line. */
export interface Dht22Bus {
  /**
   * One attempt, and a measurement of its own: where something below keeps values for a while, the adapter waits
   * until they are gone. @throws {DriverError} NO_ANSWER, CHECKSUM (where it can be told), HARDWARE_MISSING
   */
  query(bcm: number, signal: AbortSignal): Promise<Dht22Answer>;
}

/** An analogue-digital converter. */
export interface AdcChip {
  /** The input voltage as a share of the reference voltage, 0..1. @throws {DriverError} NO_ANSWER, HARDWARE_MISSING */
  readRatio(channel: number, signal: AbortSignal): Promise<number>;
}

/** Load since the last sample, and what the board says of itself now. A value the board has not is null, never 0. */
export interface CpuSample {
  /** Mean of all cores since the previous sample, percent. */
  readonly averageLoadPercent: number;
  /** The busiest core since the previous sample, percent. */
  readonly peakLoadPercent: number;
  readonly temperatureCelsius: number | null;
  readonly memoryUsedPercent: number | null;
  /** The supply is too weak, now or since the previous sample; at first since boot. */
  readonly undervoltage: boolean | null;
  /** The board slows itself down, for its supply or its heat; now or since the previous sample. */
  readonly throttled: boolean | null;
}

export interface CpuSampler {
  sample(): Promise<CpuSample>;
}

/** One line that is high for a share of each period, opened off. */
export interface PwmLine extends AsyncDisposable {
  readonly bcm: number;
  /** @param share 0 (off) to 1 (always high). @throws {GpioError} LINE_CLOSED, IO_FAILED */
  setShare(share: number): Promise<void>;
  /** Read back from the chip; 0 when it is switched off, by whomever. @throws {GpioError} LINE_CLOSED, IO_FAILED */
  share(): Promise<number>;
  /** Off, then closed. Safe to call again. */
  close(): Promise<void>;
}

/** The pulse generators of the header. */
export interface PwmChip {
  /** @throws {DriverError} HARDWARE_MISSING: no generator on this line. @throws {GpioError} PIN_BUSY, IO_FAILED */
  open(bcm: number, options: { readonly frequencyHz: number }): Promise<PwmLine>;
  /** What a guard writes to end the pulses: the line is low then. Its file may not be there before `open`. @throws {DriverError} HARDWARE_MISSING */
  safeOutput(bcm: number): SafeOutput;
}

/** Everything a driver may touch. One bundle per board: real, simulated, or a mock of a test. */
export interface Hardware {
  /** For people: "simulated board", "Raspberry Pi". */
  readonly name: string;
  readonly gpio: GpioChip;
  readonly pwm: PwmChip;
  readonly dht22Bus: Dht22Bus;
  readonly adc: AdcChip;
  readonly cpu: CpuSampler;
}
