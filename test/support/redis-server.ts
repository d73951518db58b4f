import { type ChildProcess, spawn } from 'node:child_process';
import { accessSync, constants, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { delimiter, join } from 'node:path';
import { Redis } from 'ioredis';
import { eventually, freePort } from './ares-process.ts';

/** A real Redis of this test alone, on loopback, in a folder of its own. */
export interface RedisServer {
  readonly url: string;
  readonly port: number;
  pid(): number | undefined;
  /** SIGKILL; what it did not write to disk is lost, as after any crash. */
  kill(): Promise<void>;
  /** The same port and folder again; empty, unless `keep`. */
  start(): Promise<void>;
  /** Stands still with all its connections open, as a machine that is overloaded or cut off. */
  signal(name: 'SIGSTOP' | 'SIGCONT'): void;
  /** A client without anything of the product. */
  client(): Redis;
  stop(): Promise<void>;
}

/** Whether the program is on this machine. On a build machine it must be: there a missing one is a failure. */
export function hasRedis(): boolean {
  const found = (process.env['PATH'] ?? '')
    .split(delimiter)
    .concat('/usr/bin', '/usr/local/bin')
    .some((folder) => {
      try {
        accessSync(join(folder, 'redis-server'), constants.X_OK);
        return true;
      } catch {
        return false;
      }
    });
  if (!found && process.env['CI'] === 'true')
    throw new Error('redis-server is needed: apt-get install redis-server');
  return found;
}

/** @param settings further lines of redis.conf, as arguments */
export async function startRedisServer(settings: readonly string[] = []): Promise<RedisServer> {
  const folder = mkdtempSync(join(tmpdir(), 'ares-redis-'));
  const port = await freePort();
  let child: ChildProcess | undefined;
  const clients = new Set<Redis>();

  const start = async () => {
    const args = [
      '--port',
      String(port),
      '--bind',
      '127.0.0.1',
      '--dir',
      folder,
      '--save',
      '',
      '--daemonize',
      'no',
    ];
    const mine = spawn('redis-server', [...args, ...settings], { stdio: ['ignore', 'ignore', 'inherit'] });
    child = mine;
    await eventually('Redis answers', () => answers(port), 20_000);
    if (mine.exitCode !== null) throw new Error(`redis-server ended with ${mine.exitCode}`);
  };
  const end = async (signal: NodeJS.Signals) => {
    const mine = child;
    child = undefined;
    if (mine === undefined || mine.exitCode !== null) return;
    const ended = new Promise<void>((resolve) => mine.once('exit', () => resolve()));
    // One that stands still hears nothing else.
    mine.kill('SIGCONT');
    mine.kill(signal);
    await ended;
  };
  await start();
  return {
    url: `redis://127.0.0.1:${port}`,
    port,
    pid: () => child?.pid,
    start,
    kill: () => end('SIGKILL'),
    signal: (name) => void child?.kill(name),
    client() {
      const client = new Redis({ host: '127.0.0.1', port });
      client.on('error', () => undefined);
      clients.add(client);
      return client;
    },
    async stop() {
      for (const client of clients) client.disconnect();
      await end('SIGTERM');
      rmSync(folder, { recursive: true, force: true });
    },
  };
}

async function answers(port: number): Promise<boolean> {
  const client = new Redis({
    host: '127.0.0.1',
    port,
    lazyConnect: true,
    retryStrategy: () => null,
    maxRetriesPerRequest: 0,
  });
  client.on('error', () => undefined);
  try {
    await client.connect();
    return (await client.ping()) === 'PONG';
  } catch {
    return false;
  } finally {
    client.disconnect();
  }
}
