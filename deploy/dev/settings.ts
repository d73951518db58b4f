import { randomBytes } from 'node:crypto';
import { existsSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:net';
import { join, resolve } from 'node:path';

/** Ports of this installation, on the loopback address only; chosen free once. */
const portNames = [
  'api',
  'devices',
  'mqtt',
  'redis',
  'mosquitto',
  'apiInternal',
  'ingestInternal',
  'jobsInternal',
  'brokerInternal',
] as const;
type PortName = (typeof portNames)[number];

export interface DevSettings {
  /** Everything of this installation: data, keys, certificates, logs. */
  readonly home: string;
  readonly run: string;
  readonly ports: Readonly<Record<PortName, number>>;
  readonly redisPassword: string;
}

const fileOf = (home: string) => join(home, 'dev.json');

/** `ARES_DEV_HOME`, else `.ares-dev` beside the repository's files. */
export function devHome(): string {
  return resolve(process.env['ARES_DEV_HOME'] || new URL('../../.ares-dev', import.meta.url).pathname);
}

/** @throws when `dev-init` has not run */
export function readSettings(home: string): DevSettings {
  if (!existsSync(fileOf(home)))
    throw new Error(`There is no installation in ${home}: run deploy/dev-init first.`);
  const { ports, redisPassword } = JSON.parse(readFileSync(fileOf(home), 'utf8')) as DevSettings;
  return { home, run: join(home, 'run'), ports, redisPassword };
}

/** Chooses ports and passwords; what was chosen before stays. */
export async function makeSettings(home: string): Promise<DevSettings> {
  mkdirSync(join(home, 'run'), { recursive: true, mode: 0o700 });
  if (existsSync(fileOf(home))) return readSettings(home);
  const wanted = Number(process.env['PORT'] || 8080);
  const ports = Object.fromEntries(
    await Promise.all(portNames.map(async (name) => [name, name === 'api' ? wanted : await freePort()])),
  ) as Record<PortName, number>;
  const settings = { ports, redisPassword: randomBytes(24).toString('base64url') };
  writeFileSync(fileOf(home), `${JSON.stringify(settings, null, 2)}\n`, { mode: 0o600 });
  return readSettings(home);
}

async function freePort(): Promise<number> {
  const server = createServer();
  await new Promise<void>((listening) => server.listen(0, '127.0.0.1', listening));
  const { port } = server.address() as { port: number };
  await new Promise((closed) => server.close(closed));
  return port;
}
