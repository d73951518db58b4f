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
  readonly log: 'json' | 'plain';
  readonly logLevel: 'debug' | 'info' | 'warn' | 'error';
  /** Component type → folder or package of a driver by others. */
  readonly drivers: Readonly<Record<string, string>>;
  /** Replaces the sampling interval of every component, ms; for demonstrations. */
  readonly sampleIntervalMs: number | undefined;
  /** Pace of messages and reconnects where it differs from the defaults; from the file only. */
  readonly operating: Partial<Pick<OperatingConfig, keyof typeof pace>>;
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

const path = z.string().check(z.minLength(1, 'must not be empty'));
const settingsSchema = z.strictObject({
  stateDir: z.optional(path),
  simulateBoard: z.optional(path),
  bleSocket: z.optional(path),
  log: z.optional(z.enum(['json', 'plain'], 'must be json or plain')),
  logLevel: z.optional(z.enum(['debug', 'info', 'warn', 'error'], 'must be debug, info, warn or error')),
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
 * Flags win over the environment (`ARES_STATE_DIR`, `ARES_SIMULATE_BOARD`, `ARES_BLE_SOCKET`, `ARES_LOG`,
 * `ARES_LOG_LEVEL`, `ARES_SAMPLE_INTERVAL_MS`), and that over the file.
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
    log: all.log ?? 'json',
    logLevel: all.logLevel ?? 'info',
    drivers: all.drivers ?? {},
    sampleIntervalMs: all.sampleIntervalMs,
    operating: withoutUndefined(all.operating ?? {}) as AgentConfig['operating'],
  };
}

function fromEnvironment(env: Readonly<Record<string, string | undefined>>): Record<string, unknown> {
  const interval = env.ARES_SAMPLE_INTERVAL_MS;
  return withoutUndefined({
    stateDir: env.ARES_STATE_DIR,
    simulateBoard: env.ARES_SIMULATE_BOARD,
    bleSocket: env.ARES_BLE_SOCKET,
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
