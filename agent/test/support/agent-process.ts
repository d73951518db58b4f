import { type ChildProcess, execFile, spawn } from 'node:child_process';
import { once } from 'node:events';
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import type { Trust } from '../../src/identity/types.ts';

const main = fileURLToPath(new URL('../../src/main.ts', import.meta.url));

/** The agent as people start it: the program from its sources, on a state directory of its own. */
export interface AgentProcess {
  readonly process: ChildProcess;
  output(): string;
  /** Resolves when the output holds the text. */
  saw(text: string): Promise<void>;
  stop(signal?: NodeJS.Signals): Promise<number | null>;
}

export function agentAt(stateDir: string, program: readonly string[] = ['--conditions=@ares/source', main]) {
  const common = ['--state-dir', stateDir, '--simulate-board', join(stateDir, 'board')];
  const cli = async (...args: string[]): Promise<{ code: number; stdout: string; stderr: string }> => {
    const [command = '', ...rest] = args;
    try {
      const done = await promisify(execFile)(process.execPath, [...program, command, ...common, ...rest]);
      return { code: 0, ...done };
    } catch (cause) {
      const { code, stdout, stderr } = cause as { code: number; stdout: string; stderr: string };
      return { code, stdout, stderr };
    }
  };
  return {
    bleSocket: join(stateDir, 'ble.sock'),
    cli,
    async factoryInit(trust: Trust) {
      const path = join(stateDir, 'given-trust.json');
      writeFileSync(path, JSON.stringify(trust));
      const { stdout, stderr } = await cli('factory-init', '--trust', path, '--json');
      if (stderr !== '') throw new Error(stderr);
      return JSON.parse(stdout) as { deviceUuid: string; setupCode: string; registrationLine: string };
    },
    /** `words` go before the command, for what starts it in place of a person. */
    start(env: Readonly<Record<string, string>> = {}, words: readonly string[] = []): AgentProcess {
      const command = [...words, process.execPath, ...program, 'run', ...common, '--log', 'plain'];
      const child = spawn(command[0]!, command.slice(1), {
        stdio: ['ignore', 'pipe', 'pipe'],
        env: { ...process.env, ...env },
      });
      let output = '';
      child.stdout.on('data', (chunk) => {
        output += String(chunk);
      });
      child.stderr.on('data', (chunk) => {
        output += String(chunk);
      });
      return {
        process: child,
        output: () => output,
        async saw(text) {
          const until = Date.now() + 30_000;
          while (!output.includes(text)) {
            if (Date.now() > until) throw new Error(`"${text}" did not come; the output is\n${output}`);
            await new Promise((resolve) => setTimeout(resolve, 20));
          }
        },
        async stop(signal = 'SIGTERM') {
          if (child.exitCode === null && child.signalCode === null) {
            const exited = once(child, 'exit');
            child.kill(signal);
            await exited;
          }
          return child.exitCode;
        },
      };
    },
  };
}
