import { type ChildProcess, spawn } from 'node:child_process';
import { accessSync, constants, createWriteStream } from 'node:fs';
import { connect } from 'node:net';
import { delimiter, join } from 'node:path';
import { eventually } from './ares-process.ts';

/** A real Mosquitto of this test alone, with the files of a folder. */
export interface MosquittoServer {
  pid(): number | undefined;
  /** SIGKILL. */
  kill(): Promise<void>;
  /** The same files again. */
  start(): Promise<void>;
  /** Stands still with all its connections open. */
  signal(name: 'SIGSTOP' | 'SIGCONT'): void;
  stop(): Promise<void>;
}

const FOLDERS = ['/usr/sbin', '/usr/local/sbin'];
const PLUGINS = ['x86_64-linux-gnu', 'aarch64-linux-gnu', 'arm-linux-gnueabihf'].map(
  (machine) => `/usr/lib/${machine}/mosquitto_dynamic_security.so`,
);

/** Whether the broker is on this machine. On a build machine it must be: there a missing one is a failure. */
export function hasMosquitto(): boolean {
  const found = mosquittoProgram() !== undefined;
  if (!found && process.env['CI'] === 'true')
    throw new Error('mosquitto is needed: apt-get install mosquitto');
  return found;
}

/** File of the dynamic-security plugin of this machine. */
export function mosquittoPlugin(): string {
  return PLUGINS.find((file) => isThere(file, constants.R_OK)) ?? PLUGINS[0]!;
}

/** @param folder with `mosquitto.conf`; what the broker says goes to `mosquitto.log` there */
export async function startMosquittoServer(folder: string, port: number): Promise<MosquittoServer> {
  let child: ChildProcess | undefined;
  const start = async () => {
    const log = createWriteStream(join(folder, 'mosquitto.log'), { flags: 'a' });
    const mine = spawn(mosquittoProgram() ?? 'mosquitto', ['-c', join(folder, 'mosquitto.conf')], {
      stdio: ['ignore', 'pipe', 'pipe'],
    });
    mine.stdout.pipe(log, { end: false });
    mine.stderr.pipe(log, { end: false });
    child = mine;
    // A run that is broken off leaves no broker behind.
    const gone = () => mine.kill('SIGKILL');
    process.once('exit', gone);
    mine.once('exit', () => process.off('exit', gone));
    await eventually(
      'Mosquitto listens',
      () => {
        if (mine.exitCode !== null)
          throw new Error(`mosquitto ended with ${mine.exitCode}; see ${folder}/mosquitto.log`);
        return listens(port);
      },
      20_000,
    );
  };
  const end = async (signal: NodeJS.Signals) => {
    const mine = child;
    child = undefined;
    if (mine === undefined || mine.exitCode !== null || mine.signalCode !== null) return;
    const ended = new Promise<void>((resolve) => mine.once('exit', () => resolve()));
    // One that stands still hears nothing else.
    mine.kill('SIGCONT');
    mine.kill(signal);
    await ended;
  };
  await start();
  return {
    pid: () => child?.pid,
    start,
    kill: () => end('SIGKILL'),
    signal: (name) => void child?.kill(name),
    stop: () => end('SIGTERM'),
  };
}

function mosquittoProgram(): string | undefined {
  return (process.env['PATH'] ?? '')
    .split(delimiter)
    .concat(FOLDERS)
    .map((folder) => join(folder, 'mosquitto'))
    .find((file) => isThere(file, constants.X_OK));
}

function isThere(file: string, mode: number): boolean {
  try {
    accessSync(file, mode);
    return true;
  } catch {
    return false;
  }
}

function listens(port: number): Promise<boolean> {
  return new Promise((resolve) => {
    const socket = connect(port, '127.0.0.1', () => resolve(true));
    socket.on('error', () => resolve(false));
    socket.once('connect', () => socket.destroy());
  });
}
