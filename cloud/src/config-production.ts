import type { CloudConfig } from './config.ts';
import { parseDatabaseUrl } from './database/database-url.ts';
import { parseRedisUrl } from './state/redis-url.ts';

/** Words that stand in examples. */
const EXAMPLES = new Set([
  'admin',
  'ares',
  'change-me',
  'changeme',
  'default',
  'example',
  'password',
  'postgres',
  'redis',
  'secret',
  'test',
]);
const SHORTEST = 12;

/**
 * What must not be so where others rely on it (`APP_ENV=prod`): secrets that anybody knows, connections to other
 * machines that anybody may read or answer, a key beside what it locks.
 * @returns a sentence for each mistake
 */
export function productionMistakes(
  config: CloudConfig,
  environment: Readonly<Record<string, string | undefined>>,
): string[] {
  return [
    ...(environment['NODE_TLS_REJECT_UNAUTHORIZED'] === '0'
      ? ['NODE_TLS_REJECT_UNAUTHORIZED=0 would accept any certificate: remove it']
      : []),
    ...keyMistakes(config),
    ...databaseMistakes(config.databaseUrl),
    ...redisMistakes(config),
    ...(isThisMachine(config.devices.host)
      ? [`ARES_DEVICE_HOST is ${config.devices.host}: no device could reach it; give the public name`]
      : []),
  ];
}

function keyMistakes({ home, keyFile }: CloudConfig): string[] {
  const advice = 'a file on another medium, of 32 random bytes as base64url, mode 0600';
  if (keyFile === undefined)
    return [
      `ARES_KEY_FILE is missing: the key that seals all secrets must not lie beside them; give ${advice}`,
    ];
  return keyFile.startsWith(`${home}/`)
    ? [`ARES_KEY_FILE lies in the folder that it seals (${home}): give ${advice}`]
    : [];
}

function databaseMistakes(databaseUrl: string | undefined): string[] {
  if (databaseUrl === undefined)
    return ['DATABASE_URL is missing: the embedded database is for one machine and for trying out'];
  const { host, password, tls } = parseDatabaseUrl(databaseUrl);
  if (isThisMachine(host)) return [];
  return [
    ...(tls === undefined
      ? ['DATABASE_URL has sslmode=disable for another machine: use sslmode=verify-full']
      : []),
    ...(isWeak(password) ? [`the password of DATABASE_URL ${WEAK}`] : []),
  ];
}

function redisMistakes({ redisUrl, roles }: CloudConfig): string[] {
  if (redisUrl === undefined)
    // Another process of this cloud would not see what this one counts and remembers.
    return roles.size === 4
      ? []
      : ['REDIS_URL is missing: processes apart need a state store that they share'];
  const { nodes, password = '', tls } = parseRedisUrl(redisUrl);
  if (nodes.every(({ host }) => isThisMachine(host))) return [];
  return [
    ...(tls === undefined ? ['REDIS_URL names another machine without TLS: use rediss://'] : []),
    ...(isWeak(password) ? [`the password of REDIS_URL ${WEAK}`] : []),
  ];
}

const WEAK = `is missing, shorter than ${SHORTEST} characters or out of an example: draw a random one`;

function isWeak(password: string): boolean {
  return password.length < SHORTEST || EXAMPLES.has(password.toLowerCase());
}

function isThisMachine(host: string): boolean {
  return host.startsWith('/') || host === 'localhost' || host === '::1' || /^127\.[\d.]+$/.test(host);
}
