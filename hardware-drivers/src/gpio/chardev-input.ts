import { type ChildProcess, spawn } from 'node:child_process';
import { createInterface } from 'node:readline';
import { setTimeout } from 'node:timers/promises';
import { GpioError, type InputLine, type LineLevel, levelOf } from './gpio-line.ts';
import { type GpiodTools, refusal, runTool } from './gpiod-tools.ts';
import { hasLines } from './held-line.ts';

const startMs = 3_000;
const restartMs = 1_000;
/** A monitor of our former life ends a moment after it. */
const busyTries = 5;
const busyWaitMs = 300;

/*
 * gpiomon under a shell that ends it as soon as our end of its standard input is closed, however we went: one left
 * behind would keep the line from the next start. The first line is gpiomon's process id.
 */
const supervised = '"$@" </dev/null & echo $!; exec >&-; read -r _; kill -9 $!';

/**
 * An input watched by gpiomon. Its level is read once before gpiomon has the line, and then follows from the edges: a
 * change in the few milliseconds between the two is seen with the next one.
 *
 * @throws {GpioError} PIN_BUSY, IO_FAILED
 */
export async function openMonitoredInput(
  tools: GpiodTools,
  bcm: number,
  activeLow: boolean,
  release: () => void,
): Promise<InputLine> {
  const watchers = new Set<(on: boolean) => void>();
  let closed = false;
  let level: LineLevel = '0';
  let monitor: ChildProcess | undefined;
  let failure: GpioError | undefined;
  const isOn = () => level === levelOf(true, activeLow);
  const become = (next: LineLevel) => {
    if (next === level || closed) return;
    level = next;
    for (const watcher of watchers) watcher(isOn());
  };

  const begin = async (): Promise<void> => {
    become(await levelNow(tools, bcm));
    monitor = await startMonitor(tools, bcm, (edge) => become(edge === '1' ? '1' : '0'), onEnd);
    failure = undefined;
    if (closed) monitor.stdin?.end();
  };
  const onEnd = () => {
    if (closed) return;
    failure = new GpioError('IO_FAILED', `BCM ${bcm}: gpiomon ended; it is started again`, { bcm });
    void setTimeout(restartMs, undefined, { ref: false }).then(() => {
      if (!closed) begin().catch(onEnd);
    });
  };

  await begin();
  const assertOpen = () => {
    if (closed) throw new GpioError('LINE_CLOSED', `BCM ${bcm} was closed`, { bcm });
  };
  const close = async () => {
    if (closed) return;
    closed = true;
    watchers.clear();
    monitor?.stdin?.end();
    release();
  };
  return {
    bcm,
    read: async () => {
      assertOpen();
      if (failure !== undefined) throw failure;
      return isOn();
    },
    watch: (onChange) => {
      assertOpen();
      // An object of its own, so that one function may watch twice.
      const watcher = (on: boolean) => onChange(on);
      watchers.add(watcher);
      return () => watchers.delete(watcher);
    },
    close,
    [Symbol.asyncDispose]: close,
  };
}

async function levelNow(tools: GpiodTools, bcm: number): Promise<LineLevel> {
  for (let attempt = 1; ; attempt += 1) {
    try {
      return (await runTool(tools.get(bcm))).trim() === '1' ? '1' : '0';
    } catch (cause) {
      const refused = await refusal(tools, bcm, cause);
      if (refused.code !== 'PIN_BUSY' || attempt === busyTries) throw refused;
      await setTimeout(busyWaitMs);
    }
  }
}

/** Resolves when it has the line. @throws {GpioError} */
async function startMonitor(
  tools: GpiodTools,
  bcm: number,
  onEdge: (edge: string) => void,
  onEnd: () => void,
): Promise<ChildProcess> {
  const child = spawn('/bin/sh', ['-c', supervised, 'sh', ...tools.monitor(bcm)], {
    detached: true,
    stdio: ['pipe', 'pipe', 'pipe'],
  });
  let complaint = '';
  let pid: number | undefined;
  let ended = false;
  let holding = false;
  child.stderr.setEncoding('latin1').on('data', (text: string) => {
    complaint = (complaint + text).slice(-1_000);
  });
  child.stdin.on('error', () => undefined);
  child.on('error', () => undefined);
  const lines = createInterface({ input: child.stdout });
  lines.on('line', (line) => {
    if (pid === undefined) pid = Number(line);
    else onEdge(line.trim());
  });
  // The shell has closed its own end: this is gpiomon's.
  lines.on('close', () => {
    ended = true;
    child.stdin.end();
    if (holding) onEnd();
  });
  for (let waited = 0; waited < startMs && !ended; waited += 10) {
    holding = pid !== undefined && (await hasLines(`/proc/${pid}`).catch(() => false));
    if (holding) return child;
    await setTimeout(10);
  }
  child.stdin.end();
  throw await refusal(tools, bcm, new Error(complaint.trim() || 'gpiomon does not start'));
}
