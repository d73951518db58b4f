import { appendFileSync, type FSWatcher, mkdirSync, readFileSync, watch, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { valuePath } from '../gpio/simulated-gpio.ts';
import { boardNowMs, type LineReport, levelLogPath } from './level-log.ts';
import { boardLines } from './wiring.ts';

type Level = 0 | 1;

interface Line {
  readonly bcm: number;
  /** Level that means "on" for the part on this line. */
  readonly onLevel: Level;
  level: Level;
  changedAtMs: number;
  /** Time on in finished runs. */
  onMs: number;
  starts: number;
}

/**
 * The board's side of its lines: sets them to their pulls, sees each change within a few milliseconds (inotify; a
 * slow poll behind it for whatever inotify misses), logs it durably and adds up the time on.
 */
export class LineWatch {
  readonly #dir: string;
  readonly #lines: readonly Line[];
  readonly #watchers: FSWatcher[];
  readonly #poll: NodeJS.Timeout;
  readonly #onChange: (bcm: number) => void;

  constructor(options: { dir: string; activeLow: readonly number[]; onChange: (bcm: number) => void }) {
    this.#dir = options.dir;
    this.#onChange = options.onChange;
    this.#lines = boardLines.map((bcm) => this.#reset(bcm, options.activeLow.includes(bcm) ? 0 : 1));
    this.#watchers = this.#lines.map((line) => watch(valuePath(this.#dir, line.bcm), () => this.#look(line)));
    this.#poll = setInterval(() => this.lookAtAll(), 250);
  }

  isOn(bcm: number): boolean {
    const line = this.#line(bcm);
    return line.level === line.onLevel;
  }

  /** Drives a line from outside, as a button would. */
  drive(bcm: number, level: Level): void {
    const line = this.#line(bcm);
    writeFileSync(valuePath(this.#dir, bcm), String(level), { flag: 'r+' });
    this.#look(line);
  }

  lookAtAll(): void {
    for (const line of this.#lines) this.#look(line);
  }

  report(): Record<string, LineReport> {
    this.lookAtAll();
    const nowMs = boardNowMs();
    return Object.fromEntries(
      this.#lines.map((line) => [
        line.bcm,
        {
          level: line.level,
          direction: readFileSync(this.#directionPath(line.bcm), 'latin1').trim() === 'out' ? 'out' : 'in',
          onMs: Math.round(line.onMs + (line.level === line.onLevel ? nowMs - line.changedAtMs : 0)),
          starts: line.starts,
        } satisfies LineReport,
      ]),
    );
  }

  close(): void {
    clearInterval(this.#poll);
    for (const watcher of this.#watchers) watcher.close();
  }

  /** A board that gets power: every line an input at its pull, which is the "off" side of its part. */
  #reset(bcm: number, onLevel: Level): Line {
    const path = valuePath(this.#dir, bcm);
    const pull: Level = onLevel === 1 ? 0 : 1;
    mkdirSync(dirname(path), { recursive: true });
    const before = readLevel(path);
    writeFileSync(path, String(pull));
    writeFileSync(this.#directionPath(bcm), 'in');
    const line: Line = { bcm, onLevel, level: pull, changedAtMs: boardNowMs(), onMs: 0, starts: 0 };
    if (before !== undefined && before !== pull) this.#log(line);
    return line;
  }

  #look(line: Line): void {
    const level = readLevel(valuePath(this.#dir, line.bcm));
    if (level === undefined || level === line.level) return;
    const nowMs = boardNowMs();
    if (line.level === line.onLevel) line.onMs += nowMs - line.changedAtMs;
    // Before the level changes hands: whatever adds up over time has to see the level that was.
    this.#onChange(line.bcm);
    line.level = level;
    line.changedAtMs = nowMs;
    if (level === line.onLevel) line.starts += 1;
    this.#log(line);
  }

  #log({ bcm, level, changedAtMs }: Line): void {
    appendFileSync(levelLogPath(this.#dir), `${JSON.stringify({ atMs: changedAtMs, bcm, level })}\n`);
  }

  #line(bcm: number): Line {
    const line = this.#lines[bcm];
    if (line === undefined) throw new RangeError(`the board has no line ${bcm}`);
    return line;
  }

  #directionPath(bcm: number): string {
    return join(dirname(valuePath(this.#dir, bcm)), 'direction');
  }
}

/** Undefined in the instant between the truncation and the write of a shell's `echo`. */
function readLevel(path: string): Level | undefined {
  try {
    const level = readFileSync(path, 'latin1')[0];
    return level === '0' ? 0 : level === '1' ? 1 : undefined;
  } catch {
    return undefined;
  }
}
