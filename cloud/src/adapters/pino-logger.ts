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

/** JSON lines on stdout, or to `destination`. */
export function createPinoLogger(options: {
  readonly level: LogLevel;
  readonly role?: string;
  readonly destination?: DestinationStream;
}): Logger {
  const settings = {
    level: options.level,
    base: options.role === undefined ? {} : { role: options.role },
    timestamp: pino.stdTimeFunctions.isoTime,
    redact: { paths: SECRET_FIELDS.flatMap((name) => [name, `*.${name}`]), censor: '[removed]' },
  };
  return options.destination === undefined ? pino(settings) : pino(settings, options.destination);
}
