import { readFileSync } from 'node:fs';
import { resolve } from 'node:path';
import { describeIssues, parseWith } from '@ares/protocol';
import * as z from 'zod/mini';
import type { OperatingConfig } from './operate/config.ts';

/** Settings that people give; the rest has its value in the slice that uses it. */
export interface AgentConfig {
  readonly stateDir: string;
  /** Folder of a simulated board process, or undefined on a real board. */
  readonly simulateBoard: string | undefined;
  /** Unix socket of the simulated radio. */
  readonly bleSocket: string;
  /** Socket of the service that owns the radio; undefined when a child of the agent owns it. */
  readonly radioSocket: string | undefined;
  /** Library that drives the Bluetooth adapter of a real board. */
  readonly bleLibrary: 'stoprocent' | 'abandonware';
  /** How the adapter is taken: for this program alone, or shared with a Bluetooth daemon. */
  readonly bleChannel: 'auto' | 'user' | 'raw';
  /** What drives the lines of a real board; `auto` takes the first that is there, in this order. */
  readonly gpio: 'auto' | 'chardev' | 'sysfs';
  /** `assume` takes the clock of this machine as set, where nothing can say that it is. */
  readonly clock: 'auto' | 'assume';
  /** What joins networks on a real board; `none` leaves it to its administrator and refuses changes. */
  readonly wifi: 'networkmanager' | 'none';
  /** The button for Bluetooth and reset, and its LED, as BCM numbers. Unless said otherwise the button is pressed at the low level, the LED lit at the high one. */
  readonly button: ButtonSettings | undefined;
  readonly log: 'json' | 'plain' | 'journal';
  readonly logLevel: 'debug' | 'info' | 'warn' | 'error';
  /** BCM number → name of the kernel's DHT device, e.g. `dht11@4`, where the kernel does not say which is on which line. */
  readonly dht22Devices: Readonly<Record<number, string>>;
  /** Component type → folder or package of a driver by others. */
  readonly drivers: Readonly<Record<string, string>>;
  /** Replaces the sampling interval of every component, ms; for demonstrations. */
  readonly sampleIntervalMs: number | undefined;
  /** Pace of messages and reconnects where it differs from the defaults; from the file only. */
  readonly operating: Partial<Pick<OperatingConfig, keyof typeof pace>>;
}

export interface ButtonSettings {
  readonly line: number;
  readonly activeLow: boolean;
  readonly led: number | undefined;
  readonly ledActiveLow: boolean;
}

/** A setting cannot be used; the message names it and says what it must be. */
export class ConfigError extends Error {
  override readonly name = 'ConfigError';
  readonly code = 'CONFIG_INVALID';
}

const between = (lowest: number, highest: number) =>
  z.optional(
    z
      .int('must be a whole number')
      .check(
        z.minimum(lowest, `must be at least ${lowest}`),
        z.maximum(highest, `must be at most ${highest}`),
      ),
  );
const HOUR_MS = 3_600_000;
/** What of the pace may be tuned; times in ms. */
const pace = {
  batchAfterMs: between(0, HOUR_MS),
  batchReadings: between(1, 500),
  resendAfterMs: between(1_000, HOUR_MS),
  resendMaxMs: between(1_000, 24 * HOUR_MS),
  keepAliveSeconds: between(5, 3_600),
  reconnectSpreadMs: between(0, HOUR_MS),
  reconnectCapMs: between(0, HOUR_MS),
};

const headerBcm = z
  .int('must be a BCM number')
  .check(
    z.minimum(2, 'must be a BCM number from 2 to 27'),
    z.maximum(27, 'must be a BCM number from 2 to 27'),
  );
const path = z.string().check(z.minLength(1, 'must not be empty'));
const settingsSchema = z.strictObject({
  stateDir: z.optional(path),
  simulateBoard: z.optional(path),
  bleSocket: z.optional(path),
  radioSocket: z.optional(path),
  bleLibrary: z.optional(z.enum(['stoprocent', 'abandonware'], 'must be stoprocent or abandonware')),
  bleChannel: z.optional(z.enum(['auto', 'user', 'raw'], 'must be auto, user or raw')),
  gpio: z.optional(z.enum(['auto', 'chardev', 'sysfs'], 'must be auto, chardev or sysfs')),
  clock: z.optional(z.enum(['auto', 'assume'], 'must be auto or assume')),
  wifi: z.optional(z.enum(['networkmanager', 'none'], 'must be networkmanager or none')),
  button: z.optional(
    z.strictObject({
      line: headerBcm,
      activeLow: z.optional(z.boolean()),
      led: z.optional(headerBcm),
      ledActiveLow: z.optional(z.boolean()),
    }),
  ),
  log: z.optional(z.enum(['json', 'plain', 'journal'], 'must be json, plain or journal')),
  logLevel: z.optional(z.enum(['debug', 'info', 'warn', 'error'], 'must be debug, info, warn or error')),
  dht22Devices: z.optional(
    z.record(z.string().check(z.regex(/^([2-9]|1\d|2[0-7])$/, 'must be a BCM number from 2 to 27')), path),
  ),
  drivers: z.optional(z.record(z.string(), path)),
  sampleIntervalMs: z.optional(
    z.int('must be a whole number of ms').check(z.minimum(100, 'must be at least 100 ms')),
  ),
  operating: z.optional(z.strictObject(pace)),
});
/** Settings as they are given, by flags, environment or file. */
export type Settings = z.infer<typeof settingsSchema>;

const DEFAULT_STATE_DIR = '/var/lib/ares-agent';
/**
 * Flags win over the environment (`ARES_STATE_DIR`, `ARES_SIMULATE_BOARD`, `ARES_BLE_SOCKET`,
 * `ARES_RADIO_SOCKET`, `ARES_CLOCK`, `ARES_LOG`, `ARES_LOG_LEVEL`, `ARES_SAMPLE_INTERVAL_MS`), and that over the file.
 *
 * @throws {ConfigError} with every fault of the first source that has one
 */
export function loadConfig(input: {
  readonly flags: Settings;
  readonly env: Readonly<Record<string, string | undefined>>;
  readonly file: string | undefined;
}): AgentConfig {
  const file = input.file === undefined ? {} : parse(input.file, readSettings(input.file));
  const env = parse('the environment', fromEnvironment(input.env));
  const flags = parse('the command line', input.flags);
  const all: Settings = { ...file, ...env, ...flags };
  const stateDir = resolve(all.stateDir ?? DEFAULT_STATE_DIR);
  const bleSocket = resolve(all.bleSocket ?? `${stateDir}/ble.sock`);
  return {
    stateDir,
    bleSocket,
    simulateBoard: all.simulateBoard === undefined ? undefined : resolve(all.simulateBoard),
    radioSocket: all.radioSocket,
    bleLibrary: all.bleLibrary ?? 'stoprocent',
    bleChannel: all.bleChannel ?? 'auto',
    gpio: all.gpio ?? 'auto',
    clock: all.clock ?? 'auto',
    wifi: all.wifi ?? 'networkmanager',
    button: all.button === undefined ? undefined : withButtonDefaults(all.button),
    log: all.log ?? 'json',
    logLevel: all.logLevel ?? 'info',
    dht22Devices: all.dht22Devices ?? {},
    drivers: all.drivers ?? {},
    sampleIntervalMs: all.sampleIntervalMs,
    operating: withoutUndefined(all.operating ?? {}) as AgentConfig['operating'],
  };
}

function withButtonDefaults({
  line,
  activeLow = true,
  led,
  ledActiveLow = false,
}: NonNullable<Settings['button']>) {
  return { line, activeLow, led, ledActiveLow };
}

function fromEnvironment(env: Readonly<Record<string, string | undefined>>): Record<string, unknown> {
  const interval = env.ARES_SAMPLE_INTERVAL_MS;
  return withoutUndefined({
    stateDir: env.ARES_STATE_DIR,
    simulateBoard: env.ARES_SIMULATE_BOARD,
    bleSocket: env.ARES_BLE_SOCKET,
    radioSocket: env.ARES_RADIO_SOCKET,
    clock: env.ARES_CLOCK,
    log: env.ARES_LOG,
    logLevel: env.ARES_LOG_LEVEL,
    sampleIntervalMs: interval === undefined ? undefined : Number(interval),
  });
}

function readSettings(file: string): unknown {
  try {
    return JSON.parse(readFileSync(file, 'utf8'));
  } catch (cause) {
    const reason = cause instanceof SyntaxError ? 'it is not JSON' : String(cause);
    throw new ConfigError(`The configuration file ${file} cannot be read: ${reason}`, { cause });
  }
}

function parse(source: string, input: unknown): Settings {
  const parsed = parseWith(settingsSchema, input);
  if (!parsed.ok) throw new ConfigError(`In ${source}: ${describeIssues(parsed.issues)}`);
  return withoutUndefined(parsed.value);
}

function withoutUndefined<T extends object>(value: T): T {
  return Object.fromEntries(Object.entries(value).filter(([, present]) => present !== undefined)) as T;
}
