import { spawn } from 'node:child_process';
import { closeSync, existsSync, openSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as wait } from 'node:timers/promises';

/** A process that outlives the command that starts it. */
export interface Service {
  readonly name: string;
  readonly command: readonly [string, ...string[]];
  /** Asked for at the start: it may name what a service before has written. */
  readonly env?: () => Readonly<Record<string, string>>;
  /** Whether it serves. Never throws. */
  readonly ready: () => Promise<boolean>;
}

/** How a process is known again: numbers of processes are used anew, start times with them are not. */
interface Known {
  readonly pid: number;
  /** Field 22 of `/proc/<pid>/stat`, clock ticks since the boot. */
  readonly started: string;
}

const READY_WITHIN_MS = 60_000;
const END_WITHIN_MS = 15_000;
const STEP_MS = 100;

/** Processes by name, remembered in files of a folder. */
export function processesIn(folder: string) {
  const pidFile = (name: string) => join(folder, `${name}.pid`);
  const logFile = (name: string) => join(folder, `${name}.log`);

  const running = (name: string): Known | undefined => {
    if (!existsSync(pidFile(name))) return undefined;
    const known = JSON.parse(readFileSync(pidFile(name), 'utf8')) as Known;
    return startTimeOf(known.pid) === known.started ? known : undefined;
  };

  return {
    isRunning: (name: string) => running(name) !== undefined,
    logFile,

    /** Starts it unless it runs, and waits until it serves. @throws with the end of its log when it does not */
    async start(service: Service): Promise<'started' | 'running'> {
      const { name } = service;
      let how: 'started' | 'running' = 'running';
      if (running(name) === undefined) {
        how = 'started';
        const log = openSync(logFile(name), 'a', 0o600);
        const [program, ...args] = service.command;
        const child = spawn(program, args, {
          detached: true,
          stdio: ['ignore', log, log],
          env: { ...process.env, ...service.env?.() },
        });
        closeSync(log);
        const failure = await new Promise<Error | undefined>((resolve) => {
          child.once('spawn', () => resolve(undefined));
          child.once('error', resolve);
        });
        if (failure !== undefined) throw new Error(`${name} does not start: ${failure.message}`);
        const pid = child.pid!;
        child.unref();
        writeFileSync(pidFile(name), JSON.stringify({ pid, started: startTimeOf(pid) ?? '' }));
      }
      for (let waited = 0; !(await service.ready()); waited += STEP_MS) {
        if (running(name) === undefined) throw new Error(`${name} ended by itself:\n${tail(logFile(name))}`);
        if (waited > READY_WITHIN_MS) throw new Error(`${name} is not ready:\n${tail(logFile(name))}`);
        await wait(STEP_MS);
      }
      return how;
    },

    /** SIGTERM, and SIGKILL to what does not end. */
    async stop(name: string): Promise<'stopped' | 'not running'> {
      const known = running(name);
      if (known !== undefined) {
        process.kill(known.pid, 'SIGTERM');
        for (let waited = 0; running(name) !== undefined; waited += STEP_MS) {
          if (waited === END_WITHIN_MS) process.kill(known.pid, 'SIGKILL');
          await wait(STEP_MS);
        }
      }
      rmSync(pidFile(name), { force: true });
      return known === undefined ? 'not running' : 'stopped';
    },
  };
}

function startTimeOf(pid: number): string | undefined {
  try {
    const stat = readFileSync(`/proc/${pid}/stat`, 'utf8');
    // The name in parentheses may hold anything; the state comes after it. A zombie has ended.
    const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' ');
    return fields[0] === 'Z' ? undefined : fields[19];
  } catch {
    return undefined;
  }
}

function tail(file: string): string {
  return readFileSync(file, 'utf8').trimEnd().split('\n').slice(-15).join('\n');
}
