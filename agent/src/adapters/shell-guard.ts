import { type ChildProcess, spawn } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import type { SafeOutput } from '@ares/hardware-drivers';
import type { Clock } from '../ports/clock.ts';
import { type Guard, GuardError } from '../ports/guard.ts';
import type { Logger } from '../ports/logger.ts';
import { readFileIfThere, writeDurableFile } from '../store/durable-file.ts';
import { writeSafeLevels } from './safe-levels.ts';

const answerTimeoutMs = 2_000;
const restartAfterMs = 500;
const restartMaxMs = 30_000;

interface Pending {
  readonly answer: string;
  resolve(): void;
  reject(error: GuardError): void;
}

interface Running {
  readonly child: ChildProcess;
  /** Answers come in the order of the questions. */
  readonly pending: Pending[];
}

/**
 * The guard as a POSIX shell in a session of its own: a Ctrl-C or a kill of the agent's group leaves it alone, and
 * its standard input ends when the agent does. About one megabyte, where a second Node would be forty.
 *
 * @param options.scriptPath default: `guard.sh` beside the sources
 * @param options.recordPath file with the outputs in use: when agent and guard were killed together, the next start
 *   makes them safe before it knows anything else
 */
export function createShellGuard(options: {
  readonly clock: Clock;
  readonly logger: Logger;
  readonly scriptPath?: string;
  readonly recordPath?: string;
}): Guard {
  const { clock, logger, recordPath } = options;
  const scriptPath = options.scriptPath ?? fileURLToPath(new URL('../guard/guard.sh', import.meta.url));
  const protectedOutputs = new Map<string, readonly SafeOutput[]>();
  const lostListeners = new Set<() => void>();
  let recorded = '';
  let running: Running | undefined;
  /** Process group of a guard that ended by itself: its timers may still run. */
  let leftGroup: number | undefined;
  let ready = false;
  let restarts = 0;
  let stopping = false;

  const ask = (fields: readonly string[], answer: string): Promise<void> => {
    const guard = running;
    if (guard === undefined) return Promise.reject(unavailable());
    if (fields.some((field) => /[\t\n]/.test(field)))
      return Promise.reject(
        new GuardError('GUARD_REFUSED', `A field with a tab or a line break: ${fields.join(' ')}`),
      );
    return new Promise<void>((resolve, reject) => {
      const cancel = clock.after(answerTimeoutMs, () => {
        logger.error('guard does not answer; it is ended and started again', { asked: fields[0] });
        guard.child.kill('SIGKILL');
      });
      guard.pending.push({
        answer: `${answer}\t${fields[1]}`,
        resolve: () => {
          cancel();
          resolve();
        },
        reject: (error) => {
          cancel();
          reject(error);
        },
      });
      guard.child.stdin?.write(`${fields.join('\t')}\n`);
    });
  };
  const each = (
    id: string,
    outputs: readonly SafeOutput[],
    run: (id: string, output: SafeOutput) => Promise<void>,
  ) =>
    Promise.all(outputs.map((output, i) => run(`${id.replaceAll('-', '_')}_${i}`, output))).then(
      () => undefined,
    );
  const protect = (id: string, outputs: readonly SafeOutput[]) =>
    each(id, outputs, (name, { path, safeValue }) => ask(['protect', name, path, safeValue], 'protected'));

  const record = () => {
    if (recordPath === undefined) return;
    try {
      const outputs = [...protectedOutputs.values()].flat();
      const text = JSON.stringify({ kernelBoot: kernelBoot(), outputs });
      if (text !== recorded) writeDurableFile(recordPath, text);
      recorded = text;
    } catch (cause) {
      logger.warn('outputs in use cannot be written down', { cause });
    }
  };
  /** What the last life left on. */
  const makeRecordedSafe = async () => {
    if (recordPath === undefined) return;
    try {
      const text = readFileIfThere(recordPath);
      if (text === undefined) return;
      const left = JSON.parse(text) as { kernelBoot: string; outputs: SafeOutput[] };
      // A board that was restarted has nothing on, and its kernel may have given the lines other names.
      if (left.kernelBoot === kernelBoot()) await writeSafeLevels(left.outputs);
    } catch (cause) {
      logger.error('outputs of the last run cannot be made safe before their drivers load', { cause });
    }
  };

  const onAnswer = (guard: Running, line: string) => {
    const next = guard.pending.shift();
    if (next === undefined) return;
    if (line === next.answer) next.resolve();
    else next.reject(new GuardError('GUARD_REFUSED', `The guard cannot write the output's file (${line}).`));
  };
  const onExit = (guard: Running, detail: string) => {
    if (running !== guard) return;
    running = undefined;
    leftGroup = guard.child.pid;
    ready = false;
    for (const { reject } of guard.pending.splice(0)) reject(unavailable());
    if (stopping) return;
    logger.error('guard ended; outputs are switched off and it is started again', { detail });
    for (const listener of lostListeners) listener();
    clock.after(Math.min(restartMaxMs, restartAfterMs * 2 ** restarts++), () => {
      if (!stopping) launch().catch((cause: unknown) => logger.error('guard does not start', { cause }));
    });
  };

  const launch = async (): Promise<void> => {
    const child = spawn('/bin/sh', [scriptPath], {
      detached: true,
      stdio: ['pipe', 'pipe', 'ignore'],
      env: { PATH: '/usr/bin:/bin' },
    });
    const guard: Running = { child, pending: [] };
    running = guard;
    let rest = '';
    child.stdout?.setEncoding('utf8').on('data', (chunk: string) => {
      const lines = (rest + chunk).split('\n');
      rest = lines.pop() ?? '';
      for (const line of lines) onAnswer(guard, line);
    });
    // A write to a guard that just died; `exit` tells the rest.
    child.stdin?.on('error', () => undefined);
    child.on('error', (cause) => onExit(guard, cause.message));
    child.on('exit', (code, signal) => onExit(guard, `exit ${code ?? signal}`));
    for (const [id, outputs] of protectedOutputs)
      await protect(id, outputs).catch((cause: unknown) =>
        logger.warn('output not protected', { id, cause }),
      );
    // Any answer proves that the shell reads and writes.
    await ask(['release', 'start'], 'released');
    // Only now: until everything was safe again they were the last to keep a lease.
    endGroup(leftGroup);
    ready = true;
    restarts = 0;
  };

  return {
    start: async () => {
      await makeRecordedSafe();
      await launch();
    },
    available: () => ready,
    protect: async (id, outputs) => {
      protectedOutputs.set(id, outputs);
      record();
      await protect(id, outputs);
    },
    release: async (id) => {
      const outputs = protectedOutputs.get(id);
      protectedOutputs.delete(id);
      record();
      if (outputs !== undefined && running !== undefined)
        await each(id, outputs, (name) => ask(['release', name], 'released'));
    },
    arm: async (id, leaseMs, outputs) => {
      if (!ready) throw unavailable();
      const seconds = (leaseMs / 1_000).toFixed(3);
      await each(id, outputs, (name, { path, safeValue }) =>
        ask(['arm', name, seconds, path, safeValue], 'armed'),
      );
    },
    disarm: async (id) => {
      const outputs = protectedOutputs.get(id) ?? [];
      if (running !== undefined) await each(id, outputs, (name) => ask(['disarm', name], 'disarmed'));
    },
    makeSafe: writeSafeLevels,
    onLost: (listener) => {
      lostListeners.add(listener);
      return () => {
        lostListeners.delete(listener);
      };
    },
    stop: async () => {
      stopping = true;
      ready = false;
      const guard = running;
      if (guard === undefined) return;
      await new Promise<void>((resolve) => {
        const cancel = clock.after(answerTimeoutMs, () => guard.child.kill('SIGKILL'));
        guard.child.once('exit', () => {
          cancel();
          resolve();
        });
        guard.child.stdin?.end();
      });
    },
  };
}

/** Different after each start of the machine. */
function kernelBoot(): string {
  return readFileSync('/proc/sys/kernel/random/boot_id', 'utf8').trim();
}

function endGroup(group: number | undefined): void {
  if (group === undefined) return;
  try {
    process.kill(-group, 'SIGKILL');
  } catch {
    // Nobody was left in it.
  }
}

function unavailable(): GuardError {
  return new GuardError('GUARD_UNAVAILABLE', 'The guard process is not there; it is being started again.');
}
