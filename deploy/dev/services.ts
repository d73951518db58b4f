import { existsSync, readFileSync } from 'node:fs';
import { connect } from 'node:net';
import { delimiter, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import type { Service } from './processes.ts';
import type { DevSettings } from './settings.ts';

const program = (path: string) => fileURLToPath(new URL(path, import.meta.url));
const node = (path: string, ...args: string[]): [string, ...string[]] => [
  process.execPath,
  '--conditions=@ares/source',
  program(path),
  ...args,
];

/** In the order in which they start; they end in the other. */
export function services(settings: DevSettings): readonly Service[] {
  const { home, ports, redisPassword } = settings;
  const redis = find('redis-server');
  const mosquitto = find('mosquitto');
  const brokerFolder = join(home, 'cloud', 'mosquitto');
  const cloud = (role: 'api' | 'ingest' | 'jobs' | 'broker'): Service => {
    const internal = ports[`${role}Internal`];
    return {
      name: role,
      command: node('../../cloud/src/main.ts', role),
      env: () => ({
        ARES_HOME: home,
        PORT: String(ports.api),
        ARES_DEVICE_PORT: String(ports.devices),
        ARES_MQTT_PORT: String(ports.mqtt),
        ARES_INTERNAL_PORT: String(internal),
        DATABASE_URL: databaseUrl(home) ?? '',
        ...(mosquitto !== undefined && {
          ARES_BROKER: 'mosquitto',
          ARES_MOSQUITTO_FOLDER: brokerFolder,
          ARES_MOSQUITTO_SERVICE_PORT: String(ports.mosquitto),
          ARES_MOSQUITTO_PLUGIN: dynamicSecurity() ?? '',
        }),
        ...(redis !== undefined && { REDIS_URL: `redis://:${redisPassword}@127.0.0.1:${ports.redis}` }),
      }),
      ready: () => answers(`http://127.0.0.1:${internal}/healthz`, role === 'api' ? [200, 503] : [200]),
    };
  };
  return [
    ...(process.env['DATABASE_URL'] === undefined
      ? [
          {
            name: 'database',
            command: node('database.ts', home),
            ready: async () => existsSync(join(home, 'database.url')),
          } satisfies Service,
        ]
      : []),
    ...(redis === undefined
      ? []
      : [
          {
            name: 'redis',
            command: [
              redis,
              ...['--bind', '127.0.0.1', '--port', String(ports.redis), '--requirepass', redisPassword],
              ...['--save', '', '--dir', home],
            ],
            ready: () => listens(ports.redis),
          } satisfies Service,
        ]),
    // The API makes tables, authority and keys; the others find them.
    cloud('api'),
    ...(mosquitto === undefined
      ? [cloud('broker')]
      : [
          // It writes the files that Mosquitto reads, and is well when Mosquitto is there.
          { ...cloud('broker'), ready: async () => existsSync(join(brokerFolder, 'service-passwords')) },
          {
            name: 'mosquitto',
            command: [mosquitto, '-c', join(brokerFolder, 'mosquitto.conf')],
            ready: () => listens(ports.mqtt),
          } satisfies Service,
        ]),
    cloud('ingest'),
    cloud('jobs'),
  ];
}

/** What the cloud's processes use: the one that was given, or the embedded one while it runs. */
export function databaseUrl(home: string): string | undefined {
  const given = process.env['DATABASE_URL'];
  if (given !== undefined) return given;
  const file = join(home, 'database.url');
  return existsSync(file) ? readFileSync(file, 'utf8') : undefined;
}

/** Debian's file of Mosquitto's plugin, for this processor. */
function dynamicSecurity(): string | undefined {
  return ['x86_64-linux-gnu', 'aarch64-linux-gnu', 'arm-linux-gnueabihf']
    .map((machine) => `/usr/lib/${machine}/mosquitto_dynamic_security.so`)
    .find((file) => existsSync(file));
}

/** A program in PATH or where Debian puts servers. */
export function find(name: string): string | undefined {
  const folders = [...(process.env['PATH'] ?? '').split(delimiter), '/usr/sbin', '/usr/local/sbin'];
  return folders.map((folder) => join(folder, name)).find((path) => existsSync(path));
}

async function answers(url: string, statuses: readonly number[]): Promise<boolean> {
  try {
    return statuses.includes((await fetch(url)).status);
  } catch {
    return false;
  }
}

function listens(port: number): Promise<boolean> {
  return new Promise((resolve) => {
    const socket = connect({ host: '127.0.0.1', port });
    socket.once('connect', () => resolve(true)).once('error', () => resolve(false));
    socket.once('connect', () => socket.destroy());
  });
}
