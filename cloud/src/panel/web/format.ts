import { ProblemError } from '@ares/protocol';
import type { Command, Presence } from './types.ts';

/** UCUM units as people write them. */
const units: Readonly<Record<string, string>> = { Cel: '°C', '1': '', 'm/s2': 'm/s²', ug: 'µg', um: 'µm' };

export const unitText = (unit: string): string => units[unit] ?? unit;

/** Value with unit: at most three decimals, none that say nothing. */
export function valueText(value: number, unit: string, metric = ''): string {
  if (metric === 'state' && unit === '1' && (value === 0 || value === 1)) return value === 1 ? 'On' : 'Off';
  return `${numberText(value)} ${unitText(unit)}`.trim();
}

export function numberText(value: number): string {
  const size = Math.abs(value);
  const digits = size >= 100 ? 0 : size >= 1 ? 1 : 3;
  const rounded = Number(value.toFixed(digits));
  return size >= 1 && size < 100 && !Number.isInteger(value) ? value.toFixed(1) : String(rounded);
}

const words: Readonly<Record<string, string>> = { dht22: 'DHT22', cpu: 'CPU', led: 'LED', gpio: 'GPIO' };

/** `soil-moisture` → `Soil moisture`, `load_average` → `Load average`, `dht22` → `DHT22`. */
export function label(id: string): string {
  const text = id
    .split(/[-_]/)
    .map((word) => words[word] ?? word)
    .join(' ');
  return text.charAt(0).toUpperCase() + text.slice(1);
}

/** `just now`, `12 s ago`, `3 min ago`, `5 h ago`, `2 days ago`; a time in the future counts as now. */
export function agoText(iso: string | null, now: number): string {
  if (iso === null) return 'never';
  const seconds = Math.max(0, Math.round((now - Date.parse(iso)) / 1_000));
  if (seconds < 3) return 'just now';
  if (seconds < 60) return `${seconds} s ago`;
  if (seconds < 3_600) return `${Math.floor(seconds / 60)} min ago`;
  if (seconds < 172_800) return `${Math.floor(seconds / 3_600)} h ago`;
  return `${Math.floor(seconds / 86_400)} days ago`;
}

export function clockText(time: string | number): string {
  return new Date(time).toLocaleTimeString(undefined, {
    hour: '2-digit',
    minute: '2-digit',
    second: '2-digit',
  });
}

export const dateTimeText = (iso: string): string => new Date(iso).toLocaleString();

/** `10 s`, `1 min 30 s`, `24 h`. */
export function durationText(ms: number): string {
  const seconds = Math.max(0, Math.round(ms / 1_000));
  const parts = [
    [Math.floor(seconds / 3_600), 'h'],
    [Math.floor((seconds % 3_600) / 60), 'min'],
    [seconds % 60, 's'],
  ].filter(([count]) => count !== 0);
  return parts.length === 0 ? '0 s' : parts.map(([count, unit]) => `${count} ${unit}`).join(' ');
}

export const presenceText: Readonly<Record<Presence, string>> = {
  ONLINE: 'Online',
  OFFLINE: 'Offline',
  TIMEOUT: 'Timed out',
};

/** What a person should read when a call failed: never a stack, always what to do. */
export function problemText(error: unknown): string {
  if (error instanceof ProblemError) {
    const issues = error.issues
      .map(({ path, message }) => (path === '' ? message : `${path}: ${message}`))
      .filter((line) => !error.message.includes(line) && !issueIsDetail(line, error.message));
    return [error.message, ...issues].join(' ');
  }
  if (error instanceof TypeError)
    return 'The server cannot be reached. Look whether it runs, then try again.';
  return 'The server answered something that this page does not understand. Reload the page.';
}

const issueIsDetail = (line: string, detail: string) => line.slice(line.indexOf(': ') + 2) === detail;

/** `on for 10 s`, `off`. */
export function actionText({ action, args }: Pick<Command, 'action' | 'args'>): string {
  const { durationMs } = args;
  return typeof durationMs === 'number' ? `${action} for ${durationText(durationMs)}` : action;
}

/**
 * How a command ended, or that it has not; nothing is called done before the device said so. When a later command
 * to the same component overtook it, its lease says nothing any more.
 */
export function outcomeText(command: Command, now: number, overtaken = false): string {
  const because = [command.detail, command.code === undefined ? undefined : `(${command.code})`]
    .filter((part) => part !== undefined)
    .join(' ');
  const why = because === '' ? 'The device gave no reason.' : because;
  switch (command.status) {
    case 'PENDING':
      return 'Sent; the device has not answered yet.';
    case 'COMPLETED': {
      const readBack = command.verified === true ? ', read back from the line' : '';
      if (command.leaseEndsAt === undefined || overtaken) return `Done${readBack}.`;
      const left = Date.parse(command.leaseEndsAt) - now;
      const end =
        left > 0
          ? `goes off by itself in ${durationText(Math.max(1, Math.floor(left / 1_000)) * 1_000)}`
          : `its time ended at ${clockText(command.leaseEndsAt)}`;
      return `Done${readBack}; ${end}.`;
    }
    case 'FAILED':
      return `Failed. ${why}`;
    case 'REJECTED':
      return `Refused by the device. ${why}`;
    case 'EXPIRED':
      return 'Expired: the device did not get it in time, so it never ran.';
    case 'STALE':
      return 'Overtaken by a later command, so it never ran.';
    case 'UNKNOWN':
      return 'Unknown: the device lost power while acting, and will not run it again.';
  }
}
