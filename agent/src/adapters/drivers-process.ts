import { spawn } from 'node:child_process';
import { existsSync, readFileSync } from 'node:fs';
import type { Duplex } from 'node:stream';
import type { DriverLocation } from '@ares/hardware-drivers';
import { parseFromDriversChild } from '../external-drivers/messages.ts';
import type { DriversChannel, DriversProcess, FromDriversChild } from '../ports/drivers-child.ts';
import { residentOnlyFlags } from './child-process-jobs.ts';

/** What it may say in one message; a driver must not fill the memory of the agent. */
const LONGEST_MESSAGE = 256 * 1_024;
const KEPT_OF_STDERR = 2_000;
/** What the kernel shows of the board. */
const boardFiles = ['/sys', '/proc/cpuinfo', '/proc/device-tree'];
/** Lets the kernel end the child with its parent, also while a driver keeps it busy. */
const SETPRIV = '/usr/bin/setpriv';

/**
 * The process of drivers by others: this very program under Node's permission model. It may read the program, the
 * folders of the drivers and what the kernel shows of the board; write nothing; start no process, thread or addon.
 * Its environment is empty, the conversation runs over a descriptor of its own, so what a driver prints is lost.
 *
 * @param options.mainFile the file of `main.ts`, or the bundle that holds it
 * @param options.programFolder what that file is loaded from
 * @param options.drivers component type → where its driver lies; asked at each start
 * @param options.heapMb limit of its JavaScript heap
 * @param options.flags of the runtime; default: those of this process
 */
export function createDriversProcess(options: {
  readonly mainFile: string;
  readonly programFolder: string;
  readonly drivers: () => Readonly<Record<string, DriverLocation>>;
  readonly heapMb: number;
  readonly flags?: readonly string[];
}): DriversProcess {
  const start = (drivers: readonly DriverLocation[]) => {
    const readable = [options.programFolder, ...drivers.flatMap(({ folders }) => folders), ...boardFiles];
    const own = [
      process.execPath,
      ...(options.flags ?? process.execArgv).filter((flag) => !residentOnlyFlags.includes(flag)),
      '--permission',
      ...readable.map((path) => `--allow-fs-read=${path}`),
      `--max-old-space-size=${options.heapMb}`,
      '--max-semi-space-size=1',
      options.mainFile,
      'child',
      'drivers',
    ];
    const [command = '', ...args] = existsSync(SETPRIV) ? [SETPRIV, '--pdeathsig', 'KILL', ...own] : own;
    return spawn(command, args, { stdio: ['ignore', 'ignore', 'pipe', 'pipe'], env: {} });
  };

  return {
    open(): DriversChannel {
      const drivers = options.drivers();
      const child = start(Object.values(drivers));
      const pipe = child.stdio[3] as Duplex;
      let reason: string | undefined;
      let said = '';
      let listener: (message: FromDriversChild) => void = () => {};
      const kill = (why: string) => {
        reason ??= why;
        child.kill('SIGKILL');
      };
      const onLine = (line: string) => {
        try {
          listener(parseFromDriversChild(line));
        } catch {
          kill('it said something that is no message');
        }
      };
      let rest = '';
      pipe.setEncoding('utf8');
      pipe.on('data', (chunk: string) => {
        const lines = (rest + chunk).split('\n');
        rest = lines.pop() ?? '';
        for (const line of lines) if (reason === undefined) onLine(line);
        if (rest.length > LONGEST_MESSAGE) kill('it said too much at once');
      });
      // A child that is gone cannot be written to; `closed` tells.
      pipe.on('error', () => {});
      child.stderr?.setEncoding('utf8').on('data', (chunk: string) => {
        said = (said + chunk).slice(-KEPT_OF_STDERR);
      });
      const closed = new Promise<string>((resolve) => {
        child.once('error', (error) => resolve(`it cannot be started: ${error.message}`));
        child.once('close', (code, signal) => resolve(reason ?? causeOf(said) ?? `exit ${code ?? signal}`));
      });
      const paths = Object.entries(drivers).map(([type, { path }]) => [type, path]);
      pipe.write(`${JSON.stringify({ drivers: Object.fromEntries(paths) })}\n`);
      return {
        send: (message) => {
          if (pipe.writable) pipe.write(`${JSON.stringify(message)}\n`);
        },
        onMessage(next) {
          listener = next;
        },
        closed,
        residentBytes: () => residentBytes(child.pid),
        kill,
      };
    },
  };
}

/** The line of Node's last words that says what happened. */
function causeOf(said: string): string | undefined {
  return /(?:FATAL ERROR|^\w*Error): .*/m.exec(said)?.[0].slice(0, 200);
}

function residentBytes(pid: number | undefined): number {
  try {
    // Not `statm`: it counts pages, which are 16 KB on a Pi 5.
    const [, kilobytes] = /^VmRSS:\s+(\d+) kB$/m.exec(readFileSync(`/proc/${pid}/status`, 'utf8')) ?? [];
    return Number(kilobytes ?? 0) * 1_024;
  } catch {
    return 0;
  }
}
