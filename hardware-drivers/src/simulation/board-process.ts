/**
 * The simulated board as a process of its own, so that it stays as it is when the agent dies:
 *
 *   node board-process.ts --dir <folder> [--speed N] [--seed N] [--pump-pin N] [--pump-active-low] [--dht22-pin N]
 *
 * It prints `{"ready":true}`, then answers each JSON line of stdin with one: `{"dht22":{"pin":4,"fault":"checksum"}}`
 * and `{"input":{"pin":5,"level":1}}` with `{"ok":true}`, `{"report":true}` with a BoardReport, anything else with
 * `{"error":"…"}`. It ends on SIGTERM, SIGINT, and when a pipe on its stdin is closed; levels stay.
 */
import { fstatSync } from 'node:fs';
import { createInterface } from 'node:readline';
import { isatty } from 'node:tty';
import { parseArgs } from 'node:util';
import * as z from 'zod/mini';
import { Board, type BoardOptions } from './board.ts';
import { boardLines, defaultWiring } from './wiring.ts';

const pin = z.int().check(z.gte(0), z.lte(boardLines.length - 1));
const commandSchema = z.union([
  z.strictObject({ report: z.literal(true) }),
  z.strictObject({ dht22: z.strictObject({ pin, fault: z.enum(['none', 'checksum', 'missing', 'stuck']) }) }),
  z.strictObject({ input: z.strictObject({ pin, level: z.union([z.literal(0), z.literal(1)]) }) }),
]);

function readOptions(): BoardOptions {
  const { values } = parseArgs({
    options: {
      dir: { type: 'string' },
      speed: { type: 'string', default: '1' },
      seed: { type: 'string', default: '1' },
      'pump-pin': { type: 'string', default: String(defaultWiring.pump) },
      'pump-active-low': { type: 'boolean', default: false },
      'dht22-pin': { type: 'string', default: String(defaultWiring.dht22) },
    },
  });
  if (values.dir === undefined) throw new Error('--dir <folder> is missing');
  const number = (name: string, text: string, lowest: number, highest: number): number => {
    const value = Number(text);
    if (!(value >= lowest && value <= highest))
      throw new Error(`--${name} ${text}: must be ${lowest} to ${highest}`);
    return value;
  };
  return {
    dir: values.dir,
    speed: number('speed', values.speed, 0.01, 10_000),
    seed: number('seed', values.seed, 0, 0xffff_ffff),
    pumpPin: number('pump-pin', values['pump-pin'], 0, boardLines.length - 1),
    pumpActiveLow: values['pump-active-low'],
    dht22Pin: number('dht22-pin', values['dht22-pin'], 0, boardLines.length - 1),
  };
}

function obey(board: Board, line: string): unknown {
  try {
    const command = z.parse(commandSchema, JSON.parse(line));
    if ('report' in command) return board.report();
    if ('dht22' in command) board.setDht22Fault(command.dht22.pin, command.dht22.fault);
    else board.drive(command.input.pin, command.input.level);
    return { ok: true };
  } catch (error) {
    return { error: error instanceof z.core.$ZodError ? z.prettifyError(error) : String(error) };
  }
}

function main(): void {
  const board = new Board(readOptions());
  const say = (answer: unknown) => process.stdout.write(`${JSON.stringify(answer)}\n`);
  const end = () => {
    board.close();
    process.exit(0);
  };
  process.on('SIGTERM', end);
  process.on('SIGINT', end);
  // Whoever read the answers is gone; the end of stdin, or a signal, will follow.
  process.stdout.on('error', () => undefined);
  // /dev/null would read as an end at once; it is how a board is started that nobody talks to.
  if (isatty(0) || !fstatSync(0).isCharacterDevice()) {
    const lines = createInterface({ input: process.stdin });
    lines.on('line', (line) => say(obey(board, line)));
    lines.on('close', end);
  }
  say({ ready: true });
}

try {
  main();
} catch (error) {
  process.stderr.write(`board: ${error instanceof Error ? error.message : String(error)}\n`);
  process.exitCode = 1;
}
