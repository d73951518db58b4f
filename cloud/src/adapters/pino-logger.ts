import { type DestinationStream, pino } from 'pino';
import type { Logger } from '../ports/logger.ts';

export type LogLevel = 'debug' | 'info' | 'warn' | 'error' | 'silent';

/** What must never reach a log, wherever a caller puts it by mistake. */
const SECRET_FIELDS = [
  'password',
  'token',
  'accessToken',
  'recoveryToken',
  'sharedSecret',
  'nonce',
  'keyPem',
];

/** JSON lines on stdout, to a file, or to `destination`. */
export function createPinoLogger(options: {
  readonly level: LogLevel;
  /** Path; made with its folder. */
  readonly file?: string | undefined;
  readonly role?: string;
  readonly destination?: DestinationStream;
}): Logger {
  const settings = {
    level: options.level,
    base: options.role === undefined ? {} : { role: options.role },
    timestamp: pino.stdTimeFunctions.isoTime,
    redact: { paths: SECRET_FIELDS.flatMap((name) => [name, `*.${name}`]), censor: '[removed]' },
  };
  if (options.destination !== undefined) return pino(settings, options.destination);
  if (options.file === undefined) return pino(settings);
  // Synchronous: the last lines before an end are the ones that somebody will look for.
  const file = pino.destination({ dest: options.file, mkdir: true, sync: true, mode: 0o600 });
  // A full disk must not end the cloud.
  file.on('error', () => undefined);
  return pino(settings, file);
}
