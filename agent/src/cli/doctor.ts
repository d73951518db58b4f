import { execFile } from 'node:child_process';
import {
  accessSync,
  chmodSync,
  constants,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  rmSync,
  statfsSync,
  statSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { promisify } from 'node:util';
import type { AgentConfig } from '../config.ts';
import { inspectStore } from '../store/inspect-store.ts';
import { CliError } from './errors.ts';
import { formatStatus } from './format-status.ts';
import { gatherStatus } from './gather-status.ts';
import { createRedactor } from './secrets.ts';
import { readInventory } from './status.ts';

const TIMEOUT_MS = 20_000;
const MAX_BYTES = 4 * 1024 * 1024;
const environment = { PATH: '/usr/local/bin:/usr/bin:/bin:/usr/sbin:/sbin', LC_ALL: 'C' };

/** Programs whose words help; each is run as it stands, none of them shows a secret. */
const programs: Readonly<Record<string, readonly (readonly [string, ...string[]])[]>> = {
  'journal.txt': [
    [
      'journalctl',
      '--unit=ares-agent.service',
      '--unit=ares-agent-radio@*',
      '--lines=500',
      '--no-pager',
      '--output=short-iso',
    ],
  ],
  'systemd.txt': [
    ['systemctl', 'status', 'ares-agent.service', 'ares-agent-radio.socket', '--no-pager', '--lines=0'],
    [
      'systemctl',
      'show',
      'ares-agent.service',
      '--property=ActiveState,SubState,Result,NRestarts,StatusText,ExecMainStatus,MemoryCurrent,WatchdogTimestamp',
    ],
  ],
  'network.txt': [
    ['ip', '-brief', 'address'],
    ['ip', 'route'],
    ['nmcli', '--terse', 'general', 'status'],
    ['nmcli', '--terse', 'device', 'status'],
    ['cat', '/etc/resolv.conf'],
    ['timedatectl', 'show'],
    ['rfkill', 'list'],
  ],
  'gpio.txt': [
    ['gpiodetect'],
    ['gpioinfo'],
    ['ls', '-l', '/dev/gpiomem', '/sys/class/gpio', '/sys/bus/iio/devices'],
  ],
  'system.txt': [['uname', '-a'], ['cat', '/etc/os-release'], ['uptime']],
};

/**
 * Collects what somebody who helps needs to know, and nothing secret. Answers the file.
 *
 * @param flags.output its name; without it the file goes to `folder`, or to a new one in the folder for temporary
 * files where `folder` cannot be written: by sudo this runs as the agent's user in the folder of somebody else
 */
export async function doctor(
  config: AgentConfig,
  flags: { readonly output?: string },
  folder: string = process.cwd(),
): Promise<string> {
  const stamp = new Date().toISOString().slice(0, 19).replaceAll(/[-:]/g, '');
  const name = `ares-agent-doctor-${stamp}`;
  const output = resolve(flags.output ?? join(writable(folder), `${name}.tar.gz`));
  const home = mkdtempSync(join(tmpdir(), 'ares-doctor-'));
  try {
    const content = join(home, name);
    mkdirSync(content, { mode: 0o700 });
    const redact = createRedactor(config.stateDir);
    for (const [file, make] of Object.entries(sectionsOf(config))) {
      const text = await make().catch((cause: unknown) => `This part could not be made: ${String(cause)}`);
      writeFileSync(join(content, file), `${redact(text).trimEnd()}\n`, { mode: 0o600 });
    }
    await pack(output, home, name);
  } finally {
    rmSync(home, { recursive: true, force: true });
  }
  process.stdout.write(`${output}\nNothing secret is in it; look at it before you send it.\n`);
  return output;
}

function writable(folder: string): string {
  try {
    accessSync(folder, constants.W_OK);
    return folder;
  } catch {
    return mkdtempSync(join(tmpdir(), 'ares-doctor-'));
  }
}

async function pack(output: string, home: string, name: string): Promise<void> {
  try {
    await promisify(execFile)('tar', ['-czf', output, '-C', home, name], {
      env: environment,
      timeout: TIMEOUT_MS,
    });
    chmodSync(output, 0o600);
  } catch (cause) {
    throw new CliError(
      `${output} cannot be written: ${cause instanceof Error ? cause.message : String(cause)}`,
      {
        cause,
      },
    );
  }
}

function sectionsOf(config: AgentConfig): Readonly<Record<string, () => Promise<string>>> {
  const { stateDir } = config;
  const json = (value: unknown) => JSON.stringify(value, undefined, 2);
  const status = once(() => gatherStatus(config, { probe: true }));
  return {
    'status.txt': async () => formatStatus(await status(), Date.now()),
    'status.json': async () => json(await status()),
    'settings.json': async () => json(config),
    'versions.json': async () => json({ agent: (await status()).agentVersion, ...process.versions }),
    'hardware.json': async () => json(await readInventory()),
    'store.json': async () => json(inspectStore(stateDir)),
    'disk.txt': async () => describeDisk(stateDir),
    ...Object.fromEntries(
      Object.entries(programs).map(([file, commands]) => [
        file,
        async () => (await Promise.all(commands.map(said))).join('\n'),
      ]),
    ),
  };
}

function describeDisk(dir: string): string {
  const { bavail, blocks, bsize, ffree, files } = statfsSync(dir);
  const lines = readdirSync(dir).map((name) => {
    const { mode, uid, size, mtime } = statSync(join(dir, name));
    return `${(mode & 0o7777).toString(8).padStart(4)} ${String(uid).padStart(6)} ${String(size).padStart(10)} ${mtime.toISOString()} ${name}`;
  });
  return [
    `${dir}: ${bavail * bsize} of ${blocks * bsize} bytes free, ${ffree} of ${files} inodes free`,
    ...lines,
  ].join('\n');
}

/** What a program says, or why it says nothing. */
async function said([program, ...args]: readonly [string, ...string[]]): Promise<string> {
  const head = `$ ${[program, ...args].join(' ')}\n`;
  const options = { env: environment, timeout: TIMEOUT_MS, maxBuffer: MAX_BYTES };
  try {
    const { stdout, stderr } = await promisify(execFile)(program, args, options);
    return `${head}${stdout}${stderr}`;
  } catch (cause) {
    const { code, stdout = '', stderr = '' } = cause as { code?: unknown; stdout?: string; stderr?: string };
    return `${head}${stdout}${stderr}(ended with ${String(code)})\n`;
  }
}

function once<T>(make: () => Promise<T>): () => Promise<T> {
  let made: Promise<T> | undefined;
  return () => {
    made ??= make();
    return made;
  };
}
