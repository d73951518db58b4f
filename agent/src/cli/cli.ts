import { Command, CommanderError } from 'commander';
import { AgentRunningError, AgentUnreachableError } from '../adapters/control-socket.ts';
import { ConfigError, loadConfig, type Settings } from '../config.ts';
import { IdentityError } from '../identity/errors.ts';
import { agentVersion } from '../version.ts';
import { CliError } from './errors.ts';

interface CommonFlags {
  readonly config?: string;
  readonly stateDir?: string;
  readonly simulateBoard?: string;
  readonly bleSocket?: string;
  readonly log?: Settings['log'];
  readonly json?: boolean;
}

/**
 * Runs one command of the agent.
 * @returns exit code: 0, 1 for a failure that was explained in one line, 2 for a wrong command line
 */
export async function runCli(args: readonly string[]): Promise<number> {
  // A reader that has gone (`| head`) is no failure of ours.
  process.stdout.on('error', (error: NodeJS.ErrnoException) => {
    if (error.code === 'EPIPE') process.exit(0);
  });
  const program = createProgram();
  try {
    await program.parseAsync([...args], { from: 'user' });
    return 0;
  } catch (cause) {
    if (cause instanceof CommanderError) return cause.exitCode === 0 ? 0 : 2;
    process.stderr.write(`${explain(cause)}\n`);
    return 1;
  }
}

const helpAfter = `
Files: /etc/ares-agent/config.json (settings), /var/lib/ares-agent (state, readable by root and the agent).
As a service: systemctl status ares-agent, journalctl -u ares-agent, sudo ares-agent status.
Exit codes: 0 done, 1 not possible (the reason is one line on standard error), 2 wrong command line.`;

function createProgram(): Command {
  const program = new Command('ares-agent')
    .description('The Ares agent: measures, obeys and forgets on a Raspberry Pi.')
    .version(agentVersion)
    .addHelpText('after', helpAfter)
    .exitOverride();

  common(program.command('run'))
    .description('Run the agent until SIGTERM or Ctrl-C.')
    .option('--sample-interval <ms>', 'measure everything in this interval', Number)
    .action(async (flags: CommonFlags & { sampleInterval?: number }) => {
      const { run } = await import('./run.ts');
      await run(configOf(flags, { sampleIntervalMs: flags.sampleInterval }));
    });

  common(program.command('factory-init'))
    .description('Give the device its identity and its trust file, and print what the operator registers.')
    .option('--trust <file>', 'trust file of the cloud that this device will work for')
    .option('--hardware-version <name>', 'instead of what the board says, e.g. pi-5')
    .option('--hardware-variant <name>', 'what is built around the board (default: standard)')
    .option('--new-identity', 'first forget UUID, key and setup code: the cloud knows them of another device')
    .option('--json', 'for machines')
    .action(
      async (
        flags: CommonFlags & {
          trust?: string;
          hardwareVersion?: string;
          hardwareVariant?: string;
          newIdentity?: boolean;
        },
      ) => {
        const { factoryInit } = await import('./factory-init.ts');
        await factoryInit(configOf(flags), flags);
      },
    );

  common(program.command('label'))
    .description('Show what belongs on the label: the setup code, as QR code and as text.')
    .option('--svg <file>', 'write the QR code as a picture for printing')
    .option('--json', 'for machines')
    .action(async (flags: CommonFlags & { svg?: string }) => {
      const { label } = await import('./label.ts');
      await label(configOf(flags), flags);
    });

  common(program.command('status'))
    .description('Show on one screen where the device is in its life, why, since when, and what to do.')
    .option('--json', 'for machines')
    .option('--probe', 'also ask name servers and the cloud, now')
    .action(async (flags: CommonFlags & { probe?: boolean }) => {
      const { status } = await import('./status.ts');
      await status(configOf(flags), flags);
    });

  common(program.command('doctor'))
    .description('Collect what somebody who helps needs to know, without secrets, in one file.')
    .option('--output <file>', 'name of the .tar.gz (default: in the present folder, or in /tmp)')
    .action(async (flags: CommonFlags & { output?: string }) => {
      const { doctor } = await import('./doctor.ts');
      await doctor(configOf(flags), flags);
    });

  common(program.command('reset'))
    .description('Forget the owner and everything of his; the device can be claimed again afterwards.')
    .option('--yes', 'do not ask')
    .action(async (flags: CommonFlags & { yes?: boolean }) => {
      const { reset } = await import('./reset.ts');
      await reset(configOf(flags), flags);
    });

  common(program.command('button'))
    .description(
      'Press the button of a simulated board: "short" opens Bluetooth for 15 minutes, "long" resets.',
    )
    .argument('<press>', 'short or long')
    .action(async (press: string, flags: CommonFlags) => {
      const { button } = await import('./reset.ts');
      await button(configOf(flags), press);
    });

  program
    .command('inventory')
    .description('Show what this computer is, for a request for help.')
    .action(async () => {
      const { inventory } = await import('./status.ts');
      await inventory();
    });
  return program;
}

function common(command: Command): Command {
  return command
    .exitOverride()
    .option('--config <file>', 'settings as JSON (default: what ARES_CONFIG names)')
    .option('--state-dir <dir>', 'where the device keeps its state (default: /var/lib/ares-agent)')
    .option('--simulate-board <dir>', 'folder of a simulated board instead of the hardware of this computer')
    .option('--ble-socket <path>', 'socket of the simulated radio (default: ble.sock in the state directory)')
    .option('--log <format>', 'json, plain or journal');
}

function configOf(flags: CommonFlags, more: Partial<Settings> = {}) {
  const { stateDir, simulateBoard, bleSocket, log } = flags;
  const given = { stateDir, simulateBoard, bleSocket, log, ...more };
  const present = Object.fromEntries(Object.entries(given).filter(([, value]) => value !== undefined));
  // Set by the launcher of the package, empty where there is no such file.
  const file = flags.config ?? (process.env.ARES_CONFIG || undefined);
  return loadConfig({ flags: present as Settings, env: process.env, file });
}

function explain(cause: unknown): string {
  const explained =
    cause instanceof ConfigError ||
    cause instanceof IdentityError ||
    cause instanceof CliError ||
    cause instanceof AgentRunningError ||
    cause instanceof AgentUnreachableError;
  if (explained) return cause.message;
  if (cause instanceof Error && 'code' in cause && typeof cause.code === 'string')
    return `${cause.code}: ${cause.message}`;
  return cause instanceof Error ? (cause.stack ?? cause.message) : String(cause);
}
