export type LogLevel = 'debug' | 'info' | 'warn' | 'error';
export type LogFields = Readonly<Record<string, unknown>>;

/** Structured log. Nothing secret is ever a field: no key, token, shared secret or private part of a certificate. */
export interface Logger {
  debug(message: string, fields?: LogFields): void;
  info(message: string, fields?: LogFields): void;
  warn(message: string, fields?: LogFields): void;
  error(message: string, fields?: LogFields): void;
  /** The same log with fields added to each line. */
  child(fields: LogFields): Logger;
}

const syslogPriorities: Readonly<Record<LogLevel, number>> = { debug: 7, info: 6, warn: 4, error: 3 };
const ranks: Readonly<Record<LogLevel, number>> = { debug: 0, info: 1, warn: 2, error: 3 };

/**
 * A logger on top of one function that writes a line. Own lines instead of a library: the resident process counts
 * its megabytes (a tested one costs two of them).
 *
 * @param options.format `json`: one object a line; `plain`: for people; `journal`: for people too, with the level as
 *   the prefix that systemd reads (sd-daemon(3)) and without the time, which the journal has itself
 */
export function createLogger(options: {
  readonly write: (line: string) => void;
  readonly now: () => number;
  readonly format?: 'json' | 'plain' | 'journal';
  readonly level?: LogLevel;
  readonly fields?: LogFields;
}): Logger {
  const { write, now, format = 'json', level = 'info', fields: own = {} } = options;
  const log = (at: LogLevel) => (message: string, fields?: LogFields) => {
    if (ranks[at] < ranks[level]) return;
    const all: LogFields = { ...own, ...fields };
    const time = new Date(now()).toISOString();
    if (format === 'json') return write(JSON.stringify({ time, level: at, message, ...all }, printable));
    const rest = Object.entries(all).map(([name, value]) => `${name}=${JSON.stringify(value, printable)}`);
    if (format === 'journal') return write([`<${syslogPriorities[at]}>${message}`, ...rest].join(' '));
    write([time, at.padEnd(5), message, ...rest].join(' '));
  };
  return {
    debug: log('debug'),
    info: log('info'),
    warn: log('warn'),
    error: log('error'),
    child: (fields) => createLogger({ ...options, fields: { ...own, ...fields } }),
  };
}

/** Keeps silent. */
export const silentLogger: Logger = createLogger({ write: () => undefined, now: () => 0, level: 'error' });

function printable(_key: string, value: unknown): unknown {
  if (value instanceof Error) return `${value.name}: ${value.message}`;
  return typeof value === 'bigint' ? value.toString() : value;
}
