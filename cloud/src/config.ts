import { readFileSync } from 'node:fs';
import { isIP } from 'node:net';
import { join, resolve } from 'node:path';
import { z } from 'zod';
import { productionMistakes } from './config-production.ts';
import { parseDatabaseUrl } from './database/database-url.ts';
import { parseSmtpUrl, type SmtpUrl } from './mail/smtp-url.ts';
import { parseRedisUrl } from './state/redis-url.ts';
import { defaultRetention, type Retention } from './telemetry/retention.ts';

/** What one process of the cloud does. `all` is every one of them. */
export const roles = ['api', 'ingest', 'broker', 'jobs'] as const;
type Role = (typeof roles)[number];

export interface CloudConfig {
  readonly roles: ReadonlySet<Role>;
  /** The cloud's own folder: database, CA, secrets, ports. */
  readonly home: string;
  /** File of the key-encryption key; absent: beside what it seals. */
  readonly keyFile?: string;
  /** The listener for people and apps. */
  readonly api: {
    readonly host: string;
    readonly port: number;
    /** Addresses of reverse proxies in front of it. */
    readonly trustedProxies?: readonly string[];
  };
  /** The TLS listener for devices. */
  readonly devices: Endpoint;
  readonly mqtt: Endpoint;
  /** A Mosquitto beside the cloud, whose devices' listener is `mqtt`; absent: the broker in the cloud itself. */
  readonly mosquitto?: {
    /** Folder of its files, which the role `broker` writes. */
    readonly folder: string;
    /** How processes of the cloud reach it. */
    readonly host: string;
    /** The listener for processes of the cloud; never public. */
    readonly services: { readonly bind: string; readonly port: number };
    /** File of the dynamic-security plugin; absent: Debian's. */
    readonly plugin?: string;
  };
  /** Health and metrics for the operator; absent: no such listener. Never to be made public. */
  readonly internal?: { readonly bind: string; readonly port: number };
  /** `postgres://…`; absent: the embedded server in `home`, which one process only can run. */
  readonly databaseUrl: string | undefined;
  /** `redis://…`, several joined by commas for a cluster; absent: live state and limits in each process's memory. */
  readonly redisUrl?: string;
  /** How long the state of a device that says nothing stays in Redis, ms; absent: a day. */
  readonly stateIdleMs?: number;
  /** Absent: mails lie as files in `outbox` of `home`, and no e-mail need be verified. */
  readonly mail?: MailConfig;
  /** Life of a device's certificate, ms; absent: a day. */
  readonly certificateMs?: number;
  /** Absent: a week of readings, 90 days of minutes, hours for ever. */
  readonly retention?: Retention;
  readonly log: {
    readonly level: 'debug' | 'info' | 'warn' | 'error' | 'silent';
    /** Absent: stdout. */
    readonly file: string | undefined;
  };
}

export interface MailConfig {
  /** `Ares <ares@example.org>` */
  readonly from: string;
  /** Absent: the outbox. */
  readonly smtp?: SmtpUrl;
  /** Whether an account may do more than look after itself only with a verified e-mail. */
  readonly mustVerify: boolean;
}

/** Where a server listens and how devices are told to reach it. */
interface Endpoint {
  /** Address to listen on. */
  readonly bind: string;
  /** Host name or IP address that devices use; the server's certificate carries it. */
  readonly host: string;
  /** Absent: a free one is chosen once and kept in `ports.json`. */
  readonly port: number | undefined;
}

/** One or more settings are wrong; the message names every one of them. */
export class ConfigError extends Error {
  override readonly name = 'ConfigError';
  readonly code = 'INVALID_CONFIG';
}

const port = z.coerce
  .number('must be a port number')
  .int('must be a whole number')
  .min(1, 'must be 1 to 65535')
  .max(65_535, 'must be 1 to 65535');
const hostName = z
  .string()
  .regex(/^[A-Za-z0-9]([A-Za-z0-9.:-]{0,252}[A-Za-z0-9])?$/, 'must be a host name or an IP address');

const parsedBy = (parse: (text: string) => unknown) =>
  z.string().superRefine((text, refuse) => {
    try {
      parse(text);
    } catch (error) {
      refuse.addIssue({ code: 'custom', message: (error as Error).message });
    }
  });

const days = z.coerce
  .number('must be a number of days')
  .int('must be a whole number of days')
  .min(1, 'must be 1 to 36500')
  .max(36_500, 'must be 1 to 36500');

/** Who mails come from where nobody said it. */
export const DEFAULT_FROM = 'Ares <ares@localhost>';

/** Settings by name, from the environment or the file that `ARES_CONFIG` names; the environment wins. */
const settingsSchema = z.strictObject({
  APP_ENV: z.enum(['local', 'prod']).default('local'),
  ARES_HOME: z.string().min(1, 'must not be empty').default('.ares'),
  ARES_KEY_FILE: z.string().min(1, 'must not be empty').optional(),
  HOST: hostName.default('127.0.0.1'),
  PORT: port.default(8080),
  ARES_TRUSTED_PROXIES: z
    .string()
    .transform((text) => text.split(',').map((one) => one.trim()))
    .refine((all) => all.every((one) => isIP(one) !== 0), 'must be IP addresses joined by commas')
    .default([]),
  ARES_DEVICE_HOST: hostName.default('127.0.0.1'),
  ARES_DEVICE_BIND: hostName.optional(),
  ARES_DEVICE_PORT: port.optional(),
  ARES_MQTT_HOST: hostName.optional(),
  ARES_MQTT_BIND: hostName.optional(),
  ARES_MQTT_PORT: port.optional(),
  ARES_BROKER: z.enum(['aedes', 'mosquitto'], 'must be aedes or mosquitto').default('aedes'),
  ARES_MOSQUITTO_FOLDER: z.string().min(1, 'must not be empty').optional(),
  ARES_MOSQUITTO_HOST: hostName.default('127.0.0.1'),
  ARES_MOSQUITTO_SERVICE_BIND: hostName.default('127.0.0.1'),
  ARES_MOSQUITTO_SERVICE_PORT: port.default(8884),
  ARES_MOSQUITTO_PLUGIN: z.string().min(1, 'must not be empty').optional(),
  ARES_INTERNAL_BIND: hostName.default('127.0.0.1'),
  ARES_INTERNAL_PORT: port.optional(),
  DATABASE_URL: parsedBy(parseDatabaseUrl).optional(),
  REDIS_URL: parsedBy(parseRedisUrl).optional(),
  ARES_STATE_IDLE_SECONDS: z.coerce
    .number('must be a number of seconds')
    .int('must be a whole number of seconds')
    .min(60, 'must be 60 to 31536000')
    .max(31_536_000, 'must be 60 to 31536000')
    .optional(),
  ARES_SMTP_URL: z
    .string()
    .superRefine((text, refuse) => {
      try {
        parseSmtpUrl(text);
      } catch (error) {
        refuse.addIssue({ code: 'custom', message: (error as Error).message });
      }
    })
    .optional(),
  ARES_MAIL_FROM: z
    .string()
    .regex(
      /^([^<>"@\p{Cc}]+ <)?[^<>"\s@]+@[A-Za-z0-9.-]+>?$/u,
      'must be an address, or a name and an address: Ares <ares@example.org>',
    )
    .default(DEFAULT_FROM),
  ARES_EMAIL_VERIFICATION: z.enum(['required', 'optional']).optional(),
  ARES_CERTIFICATE_SECONDS: z.coerce
    .number('must be a number of seconds')
    .int('must be a whole number of seconds')
    .min(10, 'must be 10 to 86400')
    .max(86_400, 'must be 10 to 86400')
    .optional(),
  ARES_RAW_DAYS: days.default(defaultRetention.rawDays),
  ARES_MINUTE_DAYS: days.default(defaultRetention.minuteDays),
  ARES_HOUR_DAYS: days.optional(),
  ARES_LOG_LEVEL: z.enum(['debug', 'info', 'warn', 'error', 'silent']).default('info'),
  ARES_LOG_FILE: z.string().min(1).optional(),
});

const names = Object.keys(settingsSchema.shape) as (keyof typeof settingsSchema.shape)[];

/**
 * The configuration of a process.
 * @param role words of the command line: `all`, or roles joined by commas
 * @throws {ConfigError} with every mistake at once
 */
export function readConfig(
  role: string,
  environment: Readonly<Record<string, string | undefined>>,
): CloudConfig {
  const mistakes: string[] = [];
  const wanted = readRoles(role, mistakes);
  const fromFile = readSettingsFile(environment['ARES_CONFIG'], mistakes);
  const fromEnvironment = Object.fromEntries(
    names.flatMap((name) => {
      const value = environment[name];
      return value === undefined || value === '' ? [] : [[name, value]];
    }),
  );
  const parsed = settingsSchema.safeParse({ ...fromFile, ...fromEnvironment });
  if (!parsed.success) {
    for (const issue of parsed.error.issues) {
      mistakes.push(
        issue.code === 'unrecognized_keys' ? issue.message : `${issue.path.join('.')} ${issue.message}`,
      );
    }
  }
  const settings = parsed.data;
  if (
    settings?.DATABASE_URL === undefined &&
    wanted.size > 0 &&
    wanted.size < roles.length &&
    parsed.success
  ) {
    mistakes.push(
      `DATABASE_URL is needed for ${role}: only a process with every role ("all") can run the embedded database`,
    );
  }
  if (settings !== undefined && settings.ARES_MINUTE_DAYS < settings.ARES_RAW_DAYS) {
    mistakes.push('ARES_MINUTE_DAYS must not be less than ARES_RAW_DAYS: hours are made from minutes');
  }
  if (
    settings?.ARES_BROKER === 'mosquitto' &&
    settings.ARES_MQTT_PORT === settings.ARES_MOSQUITTO_SERVICE_PORT
  ) {
    mistakes.push('ARES_MOSQUITTO_SERVICE_PORT must not be ARES_MQTT_PORT: they are two listeners');
  }
  if (settings === undefined || mistakes.length > 0) throw configError(mistakes);
  const deviceHost = settings.ARES_DEVICE_HOST;
  const mqttHost = settings.ARES_MQTT_HOST ?? deviceHost;
  const config: CloudConfig = {
    roles: wanted,
    home: join(resolve(settings.ARES_HOME), 'cloud'),
    ...(settings.ARES_KEY_FILE !== undefined && { keyFile: resolve(settings.ARES_KEY_FILE) }),
    api: { host: settings.HOST, port: settings.PORT, trustedProxies: settings.ARES_TRUSTED_PROXIES },
    devices: {
      host: deviceHost,
      bind: settings.ARES_DEVICE_BIND ?? bindFor(deviceHost),
      port: settings.ARES_DEVICE_PORT,
    },
    mqtt: {
      host: mqttHost,
      bind: settings.ARES_MQTT_BIND ?? bindFor(mqttHost),
      port: settings.ARES_MQTT_PORT,
    },
    ...(settings.ARES_BROKER === 'mosquitto' && {
      mosquitto: {
        folder: resolve(settings.ARES_MOSQUITTO_FOLDER ?? join(settings.ARES_HOME, 'cloud', 'mosquitto')),
        host: settings.ARES_MOSQUITTO_HOST,
        services: {
          bind: settings.ARES_MOSQUITTO_SERVICE_BIND,
          port: settings.ARES_MOSQUITTO_SERVICE_PORT,
        },
        ...(settings.ARES_MOSQUITTO_PLUGIN !== undefined && { plugin: settings.ARES_MOSQUITTO_PLUGIN }),
      },
    }),
    ...(settings.ARES_INTERNAL_PORT !== undefined && {
      internal: { bind: settings.ARES_INTERNAL_BIND, port: settings.ARES_INTERNAL_PORT },
    }),
    databaseUrl: settings.DATABASE_URL,
    ...(settings.REDIS_URL !== undefined && { redisUrl: settings.REDIS_URL }),
    ...(settings.ARES_STATE_IDLE_SECONDS !== undefined && {
      stateIdleMs: settings.ARES_STATE_IDLE_SECONDS * 1_000,
    }),
    mail: {
      from: settings.ARES_MAIL_FROM,
      ...(settings.ARES_SMTP_URL !== undefined && { smtp: parseSmtpUrl(settings.ARES_SMTP_URL) }),
      // Where no mail goes out, nobody could read the code.
      mustVerify:
        (settings.ARES_EMAIL_VERIFICATION ??
          (settings.ARES_SMTP_URL === undefined ? 'optional' : 'required')) === 'required',
    },
    ...(settings.ARES_CERTIFICATE_SECONDS !== undefined && {
      certificateMs: settings.ARES_CERTIFICATE_SECONDS * 1_000,
    }),
    retention: {
      rawDays: settings.ARES_RAW_DAYS,
      minuteDays: settings.ARES_MINUTE_DAYS,
      ...(settings.ARES_HOUR_DAYS !== undefined && { hourDays: settings.ARES_HOUR_DAYS }),
    },
    log: { level: settings.ARES_LOG_LEVEL, file: settings.ARES_LOG_FILE },
  };
  const inProduction = settings.APP_ENV === 'prod' ? productionMistakes(config, environment) : [];
  if (inProduction.length > 0) throw configError(inProduction);
  return config;
}

/** Everything in one process on this machine, as `npm start` runs it; logs go to a file of its folder. */
export function demoConfig(options: { readonly home: string; readonly port: number }): CloudConfig {
  const home = join(resolve(options.home), 'cloud');
  const local: Endpoint = { bind: '127.0.0.1', host: '127.0.0.1', port: undefined };
  return {
    roles: new Set(roles),
    home,
    api: { host: '127.0.0.1', port: options.port },
    devices: local,
    mqtt: local,
    databaseUrl: undefined,
    mail: { from: DEFAULT_FROM, mustVerify: false },
    retention: defaultRetention,
    log: { level: 'info', file: join(home, 'cloud.log') },
  };
}

function readRoles(role: string, mistakes: string[]): ReadonlySet<Role> {
  if (role === 'all') return new Set(roles);
  const words = role.split(',');
  const unknown = words.filter((word) => !(roles as readonly string[]).includes(word));
  if (unknown.length > 0) {
    mistakes.push(`there is no role "${unknown.join('", "')}": use all, or some of ${roles.join(', ')}`);
  }
  return new Set(words as Role[]);
}

function readSettingsFile(path: string | undefined, mistakes: string[]): Record<string, unknown> {
  if (path === undefined || path === '') return {};
  try {
    const content: unknown = JSON.parse(readFileSync(path, 'utf8'));
    if (typeof content === 'object' && content !== null && !Array.isArray(content)) return { ...content };
    mistakes.push(`ARES_CONFIG: ${path} must hold one JSON object`);
  } catch (error) {
    mistakes.push(`ARES_CONFIG: ${path} cannot be read: ${(error as Error).message}`);
  }
  return {};
}

/** Devices on other machines can only come when the server listens on every address. */
function bindFor(host: string): string {
  return host === 'localhost' || host.startsWith('127.') || host === '::1' ? '127.0.0.1' : '0.0.0.0';
}

function configError(mistakes: readonly string[]): ConfigError {
  return new ConfigError(`The configuration is wrong:\n${mistakes.map((text) => `  ${text}`).join('\n')}`);
}
