import { spawn } from 'node:child_process';
import { mkdir, readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { setTimeout } from 'node:timers/promises';
import { GpioError, type LineLevel, levelOf, type OutputLine } from './gpio-line.ts';
import { type GpiodTools, refusal } from './gpiod-tools.ts';
import { heldLevel, tellHolder } from './held-line.ts';

const pollMs = 5;
/** A holder that has not done it by then is replaced. */
const holderMs = 700;
/** Longer than the script itself takes to give up. */
const scriptMs = 15_000;

interface HeldLine {
  readonly tools: GpiodTools;
  /** Folder of the line's holder. */
  readonly folder: string;
  /** `line-holder.sh`, where the guard finds it too. */
  readonly script: string;
  readonly bcm: number;
}

/** An output that a process outside of this one holds. @throws {GpioError} PIN_BUSY, IO_FAILED */
export async function openHeldOutput(
  line: HeldLine,
  { activeLow, initial }: { readonly activeLow: boolean; readonly initial: boolean },
  release: () => void,
): Promise<OutputLine> {
  const { bcm, folder } = line;
  await describeLine(line, levelOf(false, activeLow));
  await runHolder(line, levelOf(initial, activeLow));
  let closed = false;
  let writing: Promise<void> = Promise.resolve();
  // One after the other: an "on" under way could overtake the "off" after it.
  const write = (on: boolean) => {
    const written = writing.then(() => setLevel(line, levelOf(on, activeLow)));
    writing = written.catch(() => undefined);
    return written;
  };
  const assertOpen = () => {
    if (closed) throw new GpioError('LINE_CLOSED', `BCM ${bcm} was closed`, { bcm });
  };
  const close = async () => {
    if (closed) return;
    closed = true;
    release();
    // The holder stays: a line that is given back takes the level of its pull.
    await write(false);
  };
  return {
    bcm,
    guardPath: join(folder, 'value'),
    guardSafeValue: levelOf(false, activeLow),
    write: async (on) => {
      assertOpen();
      await write(on);
    },
    read: async () => {
      assertOpen();
      const level = await settledLevel(line);
      if (level === undefined)
        throw new GpioError('IO_FAILED', `BCM ${bcm} is held by nobody; its holder has ended`, { bcm });
      return level === levelOf(true, activeLow);
    },
    close,
    [Symbol.asyncDispose]: close,
  };
}

/** Ends the holder of a line, if there is one. */
export async function releaseLine(line: HeldLine): Promise<void> {
  const described = await readFile(join(line.folder, 'line'), 'latin1').catch(() => undefined);
  if (described !== undefined) await script(line, 'release');
}

/** The description that holder and guard work from. A holder of another one lets go of its line first. */
async function describeLine(line: HeldLine, safe: LineLevel): Promise<void> {
  const { tools, folder, bcm } = line;
  const path = join(folder, 'line');
  const text = `${tools.api} ${tools.chip} ${bcm} ${safe} ${tools.gpioset}\n`;
  const before = await readFile(path, 'latin1').catch(() => undefined);
  if (before === text) return;
  await releaseLine(line);
  await mkdir(folder, { recursive: true, mode: 0o700 });
  await writeFile(path, text);
}

async function setLevel(line: HeldLine, level: LineLevel): Promise<void> {
  const { folder, bcm } = line;
  const told = await tellHolder(folder, level).then(
    () => true,
    () => false,
  );
  for (let waited = 0; told && waited < holderMs; waited += pollMs) {
    if ((await heldLevel(folder, bcm)) === level) return;
    await setTimeout(pollMs);
  }
  await runHolder(line, level);
}

/** @throws {GpioError} PIN_BUSY, IO_FAILED */
async function runHolder(line: HeldLine, level: LineLevel): Promise<void> {
  if ((await script(line, level)) === 0) return;
  const said = await readFile(join(line.folder, 'error'), 'latin1').catch(() => '');
  throw await refusal(line.tools, line.bcm, new Error(said.trim() || 'gpioset does not hold it'));
}

/** Exit code of the script, in a session of its own: what it leaves behind must outlive us. */
async function script({ script: path, folder }: HeldLine, verb: LineLevel | 'release'): Promise<number> {
  return await new Promise((resolve, reject) => {
    const child = spawn('/bin/sh', [path, folder, verb], {
      detached: true,
      stdio: 'ignore',
      timeout: scriptMs,
    });
    child.on('error', reject);
    child.on('exit', (code) => resolve(code ?? 1));
  });
}

/** A change is seen as nobody holding the line for a moment. */
async function settledLevel({ folder, bcm }: HeldLine): Promise<LineLevel | undefined> {
  for (let waited = 0; waited < holderMs; waited += pollMs) {
    const level = await heldLevel(folder, bcm);
    if (level !== undefined) return level;
    await setTimeout(pollMs);
  }
  return undefined;
}
