import { ProblemError } from '@ares/protocol';
import { BleError } from '@ares/protocol/ble';
import { PairingError } from '../phone/pair.ts';
import { CliError } from './cli-error.ts';

/** Rows as aligned columns under their names; `empty` where there are none. */
export function printRows(rows: readonly object[], empty: string): void {
  if (rows.length === 0) {
    console.log(empty);
    return;
  }
  const names = Object.keys(rows[0] as object);
  const cells = rows.map((row) => names.map((name) => text((row as Record<string, unknown>)[name])));
  const widths = names.map((name, i) => Math.max(name.length, ...cells.map((row) => (row[i] ?? '').length)));
  const line = (row: readonly string[]) =>
    row
      .map((cell, i) => cell.padEnd(widths[i] ?? 0))
      .join('  ')
      .trimEnd();
  console.log([line(names.map((name) => name.toUpperCase())), ...cells.map(line)].join('\n'));
}

export function printJson(value: unknown): void {
  console.log(JSON.stringify(value, null, 2));
}

function text(value: unknown): string {
  if (value === null || value === undefined) return '-';
  return typeof value === 'object' ? JSON.stringify(value) : String(value);
}

/** A value for a person: a switch is on or off, a temperature in °C (the wire has UCUM). */
export function valueText(value: number, unit: string): string {
  if (unit === '1') return value === 1 ? 'on' : value === 0 ? 'off' : String(value);
  return `${value} ${unit === 'Cel' ? '°C' : unit}`;
}

/** `10s`, `2m`, `500ms`, `10` (seconds) → milliseconds. */
export function parseDuration(input: string): number {
  const match = /^(\d+(?:\.\d+)?)(ms|s|m|h)?$/.exec(input.trim());
  if (match === null) throw new CliError(`${input} is no duration. Write 10s, 2m or 500ms.`);
  const unit = { ms: 1, s: 1_000, m: 60_000, h: 3_600_000 }[match[2] ?? 's'] ?? 1_000;
  return Math.round(Number(match[1]) * unit);
}

/** One line for a person; a problem of the cloud keeps its code. Programming errors keep their stack. */
export function explain(error: unknown): string {
  if (error instanceof ProblemError) {
    const issues = error.issues
      .filter(({ message }) => !error.message.includes(message))
      .map(({ path, message }) => `\n  ${path}: ${message}`)
      .join('');
    return `${error.message} (${error.code})${issues}`;
  }
  if (error instanceof BleError) return `${error.message} (${error.code})`;
  if (error instanceof CliError || error instanceof PairingError) return error.message;
  return error instanceof Error ? (error.stack ?? error.message) : String(error);
}
