import { readFile } from 'node:fs/promises';
import { join } from 'node:path';

/** One change of one output, as the board saw it. */
export interface LevelChange {
  /** Milliseconds of CLOCK_MONOTONIC, which all processes of a machine share: compare with `boardNowMs()`. */
  readonly atMs: number;
  readonly bcm: number;
  /** Physical level. */
  readonly level: 0 | 1;
}

/** What a line did since the board started. */
export interface LineReport {
  readonly level: 0 | 1;
  readonly direction: 'in' | 'out';
  /** Time at the level that means "on", and how often it went there. */
  readonly onMs: number;
  readonly starts: number;
}

/** Answer of the board process to `{"report":true}`. */
export interface BoardReport {
  /** By BCM number. */
  readonly lines: Readonly<Record<string, LineReport>>;
  readonly pumpOnMs: number;
  readonly pumpStarts: number;
}

/** Now, on the clock of the level log. */
export function boardNowMs(): number {
  return Number(process.hrtime.bigint() / 1_000n) / 1_000;
}

/** File that the board process appends each change to, one JSON object a line. */
export function levelLogPath(boardDir: string): string {
  return join(boardDir, 'levels.log');
}

/** All changes so far, oldest first; of one line if `bcm` is given. */
export async function readLevelLog(boardDir: string, bcm?: number): Promise<LevelChange[]> {
  const text = await readFile(levelLogPath(boardDir), 'utf8').catch(() => '');
  const whole = text.slice(0, text.lastIndexOf('\n') + 1);
  return whole
    .split('\n')
    .filter((line) => line !== '')
    .map((line) => JSON.parse(line) as LevelChange)
    .filter((change) => bcm === undefined || change.bcm === bcm);
}
